"""Where a run is computed and what it may take: the words, read and checked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, get_args

from bench.errors import UsageError, unknown

if TYPE_CHECKING:
    from bench.executors.executor import Executor

SECONDS = {"s": 1.0, "": 60.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
GIGABYTES = {"m": 1e-3, "mb": 1e-3, "": 1.0, "g": 1.0, "gb": 1.0, "t": 1e3, "tb": 1e3}


def executor_of(
    name: str,
    workers: int | None,
    address: str | None,
    slurm: Sequence[str],
    max_time: str | None,
    max_memory: str | None,
) -> Executor:
    """What these words ask for; UsageError where they do not go together."""
    from bench.executors.executor import Executor, Name

    for known in get_args(Name):
        if name == known:
            break
    else:
        raise unknown("executor", name, get_args(Name))
    if workers is not None and workers < 1:
        raise UsageError(f"--workers {workers}: must be at least 1")
    if address is not None and name != "ray":
        raise UsageError(f"--address belongs to --executor ray, not to {name}")
    if slurm and name != "slurm":
        raise UsageError(f"--slurm belongs to --executor slurm, not to {name}")
    return Executor(
        known,
        workers,
        address,
        dict(map(_parameter, slurm)),
        _amount("--max-time", max_time, SECONDS, "90m, 2h or 1d"),
        _amount("--max-memory", max_memory, GIGABYTES, "16GB"),
    )


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = (part.strip() for part in text.partition("="))
    if not (name and equals and value):
        raise UsageError(
            f"--slurm {text}: write NAME=VALUE, e.g. slurm_partition=gpu or gpus_per_node=1"
        )
    return name, value


def _amount(option: str, text: str | None, units: dict[str, float], example: str) -> float | None:
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
    if not found or found[2] not in units or not float(found[1]):
        raise UsageError(f"{option} {text}: write a number and a unit, e.g. {example}")
    return float(found[1]) * units[found[2]]
