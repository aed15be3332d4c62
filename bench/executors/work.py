"""Computes one stage in this process: lock, inputs, function, publication."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from bench import __version__
from bench.claims import Claim, TakenOverError
from bench.errors import BenchError, BudgetError
from bench.executors import inputs
from bench.files import full_disk_is_told
from bench.specs import Stage
from bench.stages import stage_function
from bench.stages.held import forget
from bench.stages.job import Job
from bench.stages.progress import ProgressFile
from bench.store import Store

LEAVING = threading.Event()
"""Set once a cluster wants this process to end: what ends it then is no error of a stage."""


def describe(stage: Stage, means: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A stage as plain JSON, all that a worker is given; `means`: how to compute it."""
    return {
        "key": stage.key,
        "means": dict(means or {}),
        "spec": stage.spec,
        "hints": dict(stage.hints),
        "inputs": {role: (below.kind, below.key) for role, below in stage.inputs.items()},
    }


def attempt(root: Path, order: Mapping[str, Any]) -> float:
    """`compute`, with whatever is raised told as a BenchError that any process can read.

    A plugin may raise anything: SystemExit, or an exception that cannot be sent between processes.
    What it prints goes to stderr, since stdout is for results.
    """
    try:
        with redirect_stdout(sys.stderr):
            return compute(root, order)
    except (BenchError, KeyboardInterrupt):
        raise
    except SystemExit as error:
        if LEAVING.is_set():
            raise
        raise _told(root, order, error) from None
    except MemoryError:
        raise BudgetError(
            "out of memory; finished stages are kept, run again with fewer --workers"
        ) from None
    except BaseException as error:  # noqa: BLE001
        raise _told(root, order, error) from None


def _told(root: Path, order: Mapping[str, Any], error: BaseException) -> BenchError:
    """In one line, with its traceback in a log."""
    log = root / "logs" / f"{order['spec']['kind']}-{order['key'][:12]}.log"
    with full_disk_is_told(root):
        log.parent.mkdir(exist_ok=True)
        log.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    said = (str(error) or "no message").splitlines()[0]
    return BenchError(
        f"{type(error).__name__}: {said} (details: {log}); mend it, then run the same command"
    )


def attempt_all(root: Path, orders: Sequence[Mapping[str, Any]]) -> list[float | BenchError]:
    """Stages that share a model, one after another in this process; each ends on its own."""
    ended: list[float | BenchError] = []
    try:
        for order in orders:
            try:
                ended.append(attempt(root, order))
            except BenchError as error:
                # Its traceback and context would keep a model alive.
                ended.append(error.with_traceback(None))
                error.__context__ = None
    finally:
        forget()
    return ended


def compute(root: Path, order: Mapping[str, Any]) -> float:
    """Computes the stage unless somebody else has meanwhile; returns the seconds it took."""
    store = Store(root)
    kind, key = order["spec"]["kind"], order["key"]
    began = time.monotonic()
    while True:
        with full_disk_is_told(root), store.lock(key) as claim:
            try:
                if not store.holds(kind, key):
                    _compute(store, order, claim, began)
                return time.monotonic() - began
            except TakenOverError:
                continue  # or its heart stood still for a while: its checkpoint goes on
            except Exception:
                # What goes wrong for one that was taken over, or was not the first, is no news.
                if not claim.lost and not store.holds(kind, key):
                    raise


def _compute(store: Store, order: Mapping[str, Any], claim: Claim, began: float) -> None:
    spec, key = order["spec"], order["key"]
    inputs.check(store, order["inputs"])
    work = store.scratch(key, claim)
    out = work / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    job = Job(
        kind=spec["kind"],
        params=spec["params"],
        hints=order["hints"],
        inputs={role: store.folder(*place) for role, place in order["inputs"].items()},
        work=work,
        out=out,
        progress=_unless_lost(claim, ProgressFile(store.work(key) / "progress.json")),
        means=_placed(order["means"], store.root, key),
    )
    use_one_thread()
    result = stage_function(job.kind)(job)
    made = provenance(time.monotonic() - began) | job.provenance
    claim.check()
    store.publish(spec["kind"], key, spec, out, result, made)


def _unless_lost(claim: Claim, progress: ProgressFile) -> Callable[[int, int, str], None]:
    """Progress that ends the work of one that was taken over."""

    def told(done: int, total: int, unit: str) -> None:
        claim.check()
        progress(done, total, unit)

    return told


def _placed(means: Mapping[str, Any], root: Path, key: str) -> dict[str, Any]:
    """With the folders of this store that outlive a stage: shared encodings, its own curves."""
    return {"cache": str(root / "cache"), "tracks": str(root / "tracks" / key), **means}


def use_one_thread() -> None:
    """One thread a stage: sums come out the same however many stages run side by side."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import torch

    torch.set_num_threads(1)


def provenance(seconds: float) -> dict[str, Any]:
    """What the stage ran on; recorded, never in a key."""
    from importlib.metadata import version

    packages = ("torch", "diffusers", "transformers", "accelerate", "torchmetrics", "numpy")
    return {
        "bench": __version__,
        "packages": {name: version(name) for name in packages},
        "python": platform.python_version(),
        "machine": platform.machine(),
        "device": _device(),
        "seconds": round(seconds, 2),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _device() -> str:
    """The accelerator that models are put on, or the processor."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
