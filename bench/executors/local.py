"""Worker processes of this machine, one a device; renewed where a stage has taken one along."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor as Pool
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing.process import BaseProcess
from multiprocessing.queues import SimpleQueue
from pathlib import Path

from bench.executors.engine import Ended, Orders
from bench.executors.needs import Needs
from bench.executors.work import attempt_all

VISIBLE = "CUDA_VISIBLE_DEVICES"


def devices() -> list[str]:
    """The NVIDIA devices that this process may use, as `CUDA_VISIBLE_DEVICES` names them.

    Asked of the system and not of torch, which takes seconds to load.
    """
    if (named := os.environ.get(VISIBLE)) is not None:
        return [one.strip() for one in named.split(",") if one.strip() not in ("", "-1")]
    return [str(number) for number, _ in enumerate(Path("/proc/driver/nvidia/gpus").glob("*"))]


def default_workers(processes: int = 1) -> int:
    """One worker a device (or as many devices as each training has processes).

    Without devices one a core that this process may use, four at most (0.7 GB each).
    """
    if found := devices():
        return max(1, len(found) // processes)
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        cores = os.cpu_count() or 1
    return min(4, cores)


def dealt(found: Sequence[str], workers: int, processes: int) -> list[str]:
    """Which devices each worker sees: so many of its own, shared where there are not enough."""
    if not found:
        return []
    each = min(processes, len(found))
    return [
        ",".join(found[(worker * each + k) % len(found)] for k in range(each))
        for worker in range(workers)
    ]


class Local:
    """So many processes; with `threaded` a thread of this process does the work."""

    def __init__(self, slots: int, *, threaded: bool, processes: int = 1) -> None:
        self.slots, self._threaded = slots, threaded
        self._dealt = [] if threaded else dealt(devices(), slots, processes)
        self._pool = self._start()
        self._processes: list[BaseProcess] = []

    def submit(self, root: Path, orders: Orders, needs: Needs) -> Future[Ended]:
        """BrokenProcessPool where a process has died since; `renew` helps."""
        with _deaf_to_interrupts():
            future = self._pool.submit(attempt_all, root, orders)
        # Noted while they live: of a broken pool nobody can tell how it broke.
        self._processes = list((getattr(self._pool, "_processes", None) or {}).values())
        return future

    def flush(self) -> None:
        """Nothing waits: an order starts when it is submitted."""

    def renew(self) -> int | None:
        """Other processes for those of a broken pool; how the one that broke it ended.

        That is its exit code, or the negative number of a signal; None where it is not known.
        """
        self._pool.shutdown(wait=True)
        codes = [process.exitcode for process in self._processes]
        self._pool, self._processes = self._start(), []
        # The others are terminated by the pool.
        return next((code for code in codes if code not in (None, 0, -signal.SIGTERM)), None)

    def abandon(self) -> None:
        """Gives up what runs, its checkpoint stays."""
        processes = list(getattr(self._pool, "_processes", None) or {})
        for process in processes:
            with suppress(ProcessLookupError):  # it has died by itself
                os.kill(process, signal.SIGKILL)
        self._pool.shutdown(wait=bool(processes), cancel_futures=True)

    def end(self) -> None:
        """Ends the processes, which have nothing left to do."""
        self._pool.shutdown()

    def _start(self) -> Pool:
        if self._threaded:
            return ThreadPoolExecutor(1)
        # Set before the workers start: numerical libraries read it when they are loaded.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        context = multiprocessing.get_context("spawn")
        shares = context.SimpleQueue()
        for share in self._dealt:
            shares.put(share)
        return ProcessPoolExecutor(
            self.slots, context, initializer=_begin, initargs=(os.getpid(), shares)
        )


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


def _begin(parent: int, shares: SimpleQueue[str]) -> None:
    """First thing in a worker: which devices are its own, and that it ends with its parent."""
    if not shares.empty():
        os.environ[VISIBLE] = shares.get()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
