"""Where the stages of a run are computed, and the one way to have them computed there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from bench.executors.budget import Budget
from bench.executors.local import Local, default_workers

if TYPE_CHECKING:
    from bench.errors import BenchError
    from bench.executors.engine import Engine
    from bench.executors.running import Watcher
    from bench.specs import Stage
    from bench.store import Store

Name = Literal["local", "ray", "slurm"]
MANY = 64
"""Orders that a cluster is handed at once unless it is said: it queues what it cannot start."""


@dataclass(frozen=True)
class Executor:
    """Where stages are computed and what they may take; in no key."""

    name: Name = "local"
    workers: int | None = None
    """Orders at once; None: one a device or core here, or what a cluster is handed."""
    address: str | None = None
    """Of a Ray cluster; None: one that is started here for this run."""
    slurm: Mapping[str, str] = field(default_factory=dict)
    """Parameters of the jobs, as submitit names them."""
    max_seconds: float | None = None
    max_gigabytes: float | None = None
    """Of all workers here together; on a cluster, of each job."""

    def slots(self, processes: int = 1) -> int:
        """Orders at once."""
        if self.workers is not None:
            return self.workers
        return default_workers(processes) if self.name == "local" else MANY

    @cached_property
    def budget(self) -> Budget:
        """What may be taken from the first time that this is asked."""
        return Budget(self.max_seconds, self.max_gigabytes if self.name == "local" else None)


def run(
    stages: Sequence[Stage],
    store: Store,
    executor: Executor,
    watcher: Watcher,
    means: Mapping[str, Any] | None = None,
    *,
    apart: bool = False,
    seconds: Callable[[Stage], float] = lambda stage: 0.0,
) -> dict[str, BenchError]:
    """Computes stages (inputs first in the list); returns the errors by key, others are stored.

    A stage whose input failed is left out without an error of its own. `means` is how stages are
    computed (processes, trackers), which changes no key. One local worker is a thread of this
    process, unless the stages are to be kept `apart`, as those of foreign plugins are. `seconds`
    estimates a stage, for clusters. BudgetError where time or memory is spent.
    """
    from bench.executors.running import Running

    given = dict(means or {})
    with _opened(executor, given.get("processes", 1), apart) as engine:
        running = Running(stages, store, engine, watcher, given, seconds, executor.budget)
        return running.through()


@contextmanager
def _opened(executor: Executor, processes: int, apart: bool) -> Iterator[Engine]:
    """Workers for as long as there is work; interrupted, they are gone at once."""
    engine = _engine(executor, processes, apart)
    try:
        yield engine
    except BaseException:
        engine.abandon()
        raise
    engine.end()


def _engine(executor: Executor, processes: int, apart: bool) -> Engine:
    slots = executor.slots(processes)
    if executor.name == "ray":
        from bench.executors.ray import Ray

        return Ray(slots, executor.address, executor.max_gigabytes)
    if executor.name == "slurm":
        from bench.executors.slurm import Slurm

        return Slurm(slots, executor.slurm, executor.max_gigabytes)
    # A thread cannot be given up when a budget is spent.
    bounded = executor.max_seconds is not None or executor.max_gigabytes is not None
    alone = slots == 1 and not apart and not bounded
    return Local(slots, threaded=alone, processes=processes)
