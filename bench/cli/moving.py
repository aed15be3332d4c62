"""Progress of many bytes that are read or written, on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bench.logs import log, showing

LARGE = 64 << 20
"""Bytes from which it is told: fewer are moved before anybody could read it."""
LINE_SECONDS = 30.0
"""Between two lines where nobody watches a terminal."""


@contextmanager
def moving(what: str) -> Iterator[Callable[[int], Callable[[int], None]]]:
    """Gives what is told of the total, which gives what is told of each piece."""
    if not (showing() and sys.stderr.isatty()):
        yield lambda total: _Lines(what, total)
        return
    from rich.console import Console
    from rich.progress import DownloadColumn, Progress, TimeRemainingColumn

    columns = (*Progress.get_default_columns()[:2], DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:

        def begin(total: int) -> Callable[[int], None]:
            task = bars.add_task(what, total=total, visible=total >= LARGE)
            return lambda size: bars.advance(task, size)

        yield begin


class _Lines:
    """A line now and then."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total, self._done = what, total, 0
        self._lined = time.monotonic()

    def __call__(self, size: int) -> None:
        self._done += size
        if self._total >= LARGE and time.monotonic() - self._lined > LINE_SECONDS:
            self._lined = time.monotonic()
            done, total = self._done / 2**20, self._total / 2**20
            log.info("%s: %.0f of %.0f MB", self._what, done, total)
