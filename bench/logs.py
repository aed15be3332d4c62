"""What is said beside results: to stderr as far as somebody wants it, and all of it to a file.

STORE/logs/<run id>.log holds, a line each with time (UTC) and level: what was asked and with which
version, every stage as it starts, ends or fails with its key, every note and every error.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger("bench")
log.setLevel(logging.DEBUG)
log.propagate = False
log.addHandler(logging.NullHandler())

USUAL, QUIET, VERBOSE = logging.INFO, logging.ERROR, logging.DEBUG


class _Stderr(logging.Handler):
    """Whatever stderr is at the moment: a live display puts itself before it."""

    def emit(self, record: logging.LogRecord) -> None:
        print(record.getMessage(), file=sys.stderr, flush=True)


class _File(logging.FileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """A log that cannot be written, as on a full disk, stops no run."""


_shown = _Stderr(USUAL)


def show(level: int) -> None:
    """What of it goes to stderr from here on."""
    _shown.setLevel(level)


def showing() -> bool:
    """Whether progress is shown."""
    return _shown in log.handlers and _shown.level <= USUAL


@contextmanager
def on_stderr(level: int = USUAL) -> Iterator[None]:
    """Shows what is said on stderr while this lasts."""
    before = _shown.level
    show(level)
    log.addHandler(_shown)
    try:
        yield
    finally:
        log.removeHandler(_shown)
        show(before)


class Record:
    """Keeps what is said until it is known which file it belongs to."""

    def __init__(self) -> None:
        from logging.handlers import MemoryHandler

        self.handler: logging.Handler = MemoryHandler(
            10_000, flushLevel=logging.CRITICAL + 1, flushOnClose=False
        )
        log.addHandler(self.handler)

    def into(self, folder: Path, run: str) -> None:
        """Writes it, and what is still to come, to the end of `<folder>/<run>.log`."""
        from logging.handlers import MemoryHandler

        from bench.files import full_disk_is_told, make_folder

        with full_disk_is_told(folder):
            file = _File(make_folder(folder, "--store") / f"{run}.log", encoding="utf-8")
        form = logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
        form.converter = time.gmtime
        file.setFormatter(form)
        if isinstance(self.handler, MemoryHandler):
            self.handler.setTarget(file)
            self.handler.flush()
        self.close()
        self.handler = file
        log.addHandler(file)

    def close(self) -> None:
        """Ends it."""
        log.removeHandler(self.handler)
        self.handler.close()


@contextmanager
def recorded() -> Iterator[Record]:
    """Keeps what is said while this lasts, for a file that is named meanwhile."""
    record = Record()
    try:
        yield record
    finally:
        record.close()
