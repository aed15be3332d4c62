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
from bench.executors.work import attempt, describe
from bench.specs import Stage
from bench.store import Store


class Watcher(Protocol):
    """Is told what happens; draws the progress."""

    def started(self, stage: Stage) -> None: ...
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
    stages: Sequence[Stage], store: Store, workers: int, watcher: Watcher
) -> dict[str, BenchError]:
    """Computes stages (inputs first in the list); returns the errors by key, others are stored.

    A stage whose input failed is left out without an error of its own.
    """
    todo = {stage.key: stage for stage in stages}
    errors: dict[str, BenchError] = {}
    running: dict[Future[float], Stage] = {}
    with _pool(workers) as pool:
        while todo or running:
            for stage in _ready(todo, errors, running):
                if len(running) == workers:
                    break
                del todo[stage.key]
                try:
                    with _deaf_to_interrupts():
                        future = pool.submit(attempt, store.root, describe(stage))
                    running[future] = stage
                except BrokenProcessPool:  # told by the stage that was running in it
                    todo.clear()
                    break
                watcher.started(stage)
            if not running:
                break
            done, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
            for future in done:
                stage = running.pop(future)
                error = _outcome(future)
                if isinstance(error, BenchError):
                    errors[stage.key] = error
                    watcher.failed(stage, str(error))
                else:
                    watcher.finished(stage, error)
            watcher.tick()
    return errors


def _ready(
    todo: Mapping[str, Stage], errors: Mapping[str, Any], running: Mapping[Future[float], Stage]
) -> list[Stage]:
    """Stages whose inputs are all there, trainings first since everything waits for them."""
    busy = {stage.key for stage in running.values()}
    unfinished = set(todo) | busy | set(errors)
    ready = [s for s in todo.values() if not any(b.key in unfinished for b in s.inputs.values())]
    return sorted(ready, key=lambda stage: stage.kind != "train")


def _outcome(future: Future[float]) -> float | BenchError:
    try:
        return future.result()
    except BenchError as error:
        return error
    except BrokenProcessPool:
        return BudgetError(
            "its process was killed (out of memory?); finished stages are kept, run the same "
            "command again, perhaps with --workers 1"
        )


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
