"""Runs stages on this machine: worker processes, as many stages at once as asked for."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, Protocol

from bench.errors import BenchError, BudgetError
from bench.executors.work import attempt_all, describe
from bench.specs import Stage
from bench.store import Store

NOT_REACHED = "not reached, since the process that was to compute it was killed at another stage"


class Watcher(Protocol):
    """Is told what happens; draws the progress."""

    def started(self, together: Sequence[Stage]) -> None: ...
    def finished(self, stage: Stage, seconds: float) -> None: ...
    def failed(self, stage: Stage, error: str) -> None: ...
    def tick(self) -> None: ...


def default_workers() -> int:
    """One worker a core that this process may use, four at most (0.7 GB each)."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        cores = os.cpu_count() or 1
    return min(4, cores)


def run(
    stages: Sequence[Stage],
    store: Store,
    workers: int,
    watcher: Watcher,
    means: Mapping[str, Any] | None = None,
) -> dict[str, BenchError]:
    """Computes stages (inputs first in the list); returns the errors by key, others are stored.

    A stage whose input failed is left out without an error of its own. `means` is how stages are
    computed (processes, trackers), which changes no key.
    """
    todo = {stage.key: stage for stage in stages}
    errors: dict[str, BenchError] = {}
    running: dict[Future[list[float | BenchError]], list[Stage]] = {}
    with _pool(workers) as pool:
        while todo or running:
            for together in _free_first(store, _startable(todo, errors, running)):
                if len(running) == workers:
                    break
                orders = [describe(todo.pop(stage.key), means) for stage in together]
                try:
                    with _deaf_to_interrupts():
                        future = pool.submit(attempt_all, store.root, orders)
                    running[future] = together
                except BrokenProcessPool:  # told by the stages that were running in it
                    todo.clear()
                    break
                watcher.started(together)
            if not running:
                break
            done, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
            for future in done:
                together = running.pop(future)
                for stage, ended in zip(together, _outcome(future, together, store), strict=True):
                    if isinstance(ended, BenchError):
                        errors[stage.key] = ended
                        watcher.failed(stage, str(ended))
                    else:
                        watcher.finished(stage, ended)
            watcher.tick()
    return errors


def _ready(
    todo: Mapping[str, Stage], errors: Mapping[str, Any], running: Mapping[Any, Sequence[Stage]]
) -> list[Stage]:
    """Stages whose inputs are all there, trainings first since everything waits for them."""
    busy = {stage.key for together in running.values() for stage in together}
    unfinished = set(todo) | busy | set(errors)
    ready = [s for s in todo.values() if not any(b.key in unfinished for b in s.inputs.values())]
    return sorted(ready, key=lambda stage: stage.kind != "train")


def _startable(
    todo: Mapping[str, Stage], errors: Mapping[str, Any], running: Mapping[Any, Sequence[Stage]]
) -> list[list[Stage]]:
    """Groups to hand out now. One waits for what will share its model, if anything else goes on."""
    groups = _together(_ready(todo, errors, running))
    ready = {stage.key for group in groups for stage in group}
    awaited = {stage.shared_by for stage in todo.values() if stage.key not in ready}
    free = [group for group in groups if group[0].shared_by not in awaited]
    return free or ([] if running else groups)


def _free_first(store: Store, groups: Sequence[list[Stage]]) -> Iterator[list[Stage]]:
    """Those first that no other process computes, so that several runs share one store's work."""
    others = []
    for group in groups:
        if store.busy(group[0].key):
            others.append(group)
        else:
            yield group
    yield from others


def _together(ready: Sequence[Stage]) -> list[list[Stage]]:
    """Stages that share a model or a fitted attack go to one worker, which makes it once.

    Those that compare predictions come first: the losses of the others follow from these.
    """
    groups: dict[str, list[Stage]] = {}
    for stage in ready:
        groups.setdefault(stage.shared_by, []).append(stage)
    return [sorted(group, key=_compares, reverse=True) for group in groups.values()]


def _compares(stage: Stage) -> bool:
    return any(role.startswith("reference") for role in stage.inputs)


def _outcome(
    future: Future[list[float | BenchError]], together: Sequence[Stage], store: Store
) -> Sequence[float | BenchError]:
    """How each stage ended; of a process that died, what it had stored is kept."""
    try:
        return future.result()
    except BrokenProcessPool:
        left = [stage for stage in together if not store.has(stage)]
        killed = BudgetError(
            "its process was killed (out of memory?); finished stages are kept, run the same "
            "command again, perhaps with --workers 1"
        )
        return [
            0.0 if stage not in left else killed if stage is left[0] else BudgetError(NOT_REACHED)
            for stage in together
        ]


@contextmanager
def _pool(workers: int) -> Iterator[Executor]:
    """Worker processes; with one worker a thread of this process does the work."""
    pool: Executor
    if workers == 1:
        pool = ThreadPoolExecutor(1)
    else:
        # Set before the workers start: numerical libraries read it when they are loaded.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(workers, context, initializer=_die_with, initargs=(os.getpid(),))
    try:
        yield pool
    except BaseException:
        # Interrupted: what runs is given up, its checkpoint stays.
        processes = list(getattr(pool, "_processes", None) or {})
        for process in processes:
            os.kill(process, signal.SIGKILL)
        pool.shutdown(wait=bool(processes), cancel_futures=True)
        raise
    pool.shutdown()


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """A process started in here inherits that it ignores the interrupt meant for its parent."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _die_with(parent: int) -> None:
    """A worker ends when its parent is gone, killed or not, and so frees its locks."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
