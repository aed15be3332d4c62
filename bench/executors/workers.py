"""Worker processes, started anew where a stage has taken one with it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from typing import Any


class Workers:
    """So many processes; with `threaded` a thread of this process does the work."""

    def __init__(self, count: int, *, threaded: bool) -> None:
        self._count, self._threaded = count, threaded
        self._pool = self._start()
        self._processes: list[BaseProcess] = []

    def submit(self, call: Callable[..., Any], *args: Any) -> Future[Any]:
        """BrokenProcessPool where a process has died since; `renew` helps."""
        with _deaf_to_interrupts():
            future = self._pool.submit(call, *args)
        # Noted while they live: of a broken pool nobody can tell how it broke.
        self._processes = list((getattr(self._pool, "_processes", None) or {}).values())
        return future

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
            os.kill(process, signal.SIGKILL)
        self._pool.shutdown(wait=bool(processes), cancel_futures=True)

    def end(self) -> None:
        """Ends the processes, which have nothing left to do."""
        self._pool.shutdown()

    def _start(self) -> Executor:
        if self._threaded:
            return ThreadPoolExecutor(1)
        # Set before the workers start: numerical libraries read it when they are loaded.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(
            self._count, context, initializer=_die_with, initargs=(os.getpid(),)
        )


@contextmanager
def started(count: int, *, threaded: bool) -> Iterator[Workers]:
    """Workers for as long as there is work; interrupted, they are gone at once."""
    workers = Workers(count, threaded=threaded)
    try:
        yield workers
    except BaseException:
        workers.abandon()
        raise
    workers.end()


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
