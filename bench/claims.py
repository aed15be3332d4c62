"""Who computes a stage: a lease that its holder renews, on any file system that machines share.

A claim is a small file that exists while the work goes on. Its holder touches it every few seconds
(the heartbeat). Whoever waits takes it over once it has not changed for `silence()` seconds of the
waiter's own clock, or at once where the holder was a process of this machine that is gone. The
lease itself is filelock's.

A holder that was frozen, and goes on after it was taken over, has lost nothing but its time: it
finds out by `lost`, its scratch folder is no longer under its name, and publication is a rename
that only the first can do (`bench.store`).
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import BenchError, UsageError
from bench.files import full_disk_is_told

if TYPE_CHECKING:
    from filelock import SoftFileLease

SILENCE = 120.0
"""Seconds without a heartbeat after which a holder on another machine is taken for gone.

Network file systems may show an old time of change for as long as a minute.
"""
BEATS = 8
"""Heartbeats in that time."""


class TakenOverError(BenchError):
    """Somebody else has the claim now: this process was silent for too long."""


class Claim:
    """The right to compute something, while its heartbeat is seen."""

    def __init__(self, lease: SoftFileLease) -> None:
        self._lease = lease
        self.token = secrets.token_hex(8)
        """Names this claim; no other ever has it."""

    def check(self) -> None:
        """TakenOverError if a heartbeat has found out; costs nothing, so that a loop may ask."""
        if self._lease.compromise is not None:
            raise TakenOverError(f"{self._lease.lock_file}: taken over by another worker")

    @property
    def lost(self) -> bool:
        """Whether somebody else holds it now, as the file system says."""
        owner = self._lease.owner
        return owner is None or owner.token != self._lease.token


def silence() -> float:
    """`BENCH_SILENCE` in seconds, or two minutes; everybody on a store must say the same."""
    said = os.environ.get("BENCH_SILENCE")
    if not said:
        return SILENCE
    try:
        seconds = float(said)
    except ValueError:
        seconds = 0.0
    if not 0.2 <= seconds < 1e6:
        raise UsageError(f"BENCH_SILENCE={said}: say a number of seconds, e.g. 120")
    return seconds


@contextmanager
def claimed(place: Path) -> Iterator[Claim]:
    """Waits for the claim on this file, then holds it."""
    from filelock import LeaseSettingsMismatch, Timeout

    lease, blank = _lease(place), _Blank(place)
    try:
        with full_disk_is_told(place.parent.parent):
            place.parent.mkdir(parents=True, exist_ok=True)
            while True:
                with suppress(Timeout):
                    lease.acquire(timeout=1)
                    break
                blank.watch()
    except LeaseSettingsMismatch as error:
        raise _other_silence(error) from None
    try:
        yield Claim(lease)
    finally:
        lease.release()


class Observer:
    """Watches somebody's claim. Silence is seen by one that goes on watching, not by a glance."""

    def __init__(self, place: Path) -> None:
        self._place, self._lease, self._blank = place, _lease(place), _Blank(place)

    def busy(self) -> bool:
        """Whether somebody holds it: not where it is given up, its holder dead, or silent.

        UsageError where its holder keeps another silence, and might be waited for in vain.
        """
        from filelock import LeaseSettingsMismatch, Timeout

        if not self._place.exists():
            return False
        try:
            with full_disk_is_told(self._place.parent.parent):
                self._lease.acquire(timeout=0)
        except Timeout:
            self._blank.watch()
            return True
        except LeaseSettingsMismatch as error:
            raise _other_silence(error) from None
        self._lease.release()
        return False


class _Blank:
    """A claim's file with nothing in it: who made it died in that instant, or found the disk full.

    filelock never takes such a file over, since its first versions wrote nothing; nobody here does.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        self._seen: tuple[tuple[int, int], float] | None = None

    def watch(self) -> None:
        """Removes it once it has been seen blank for as long as anybody may be silent."""
        with suppress(FileNotFoundError):
            about = self._place.stat()
            which, now = (about.st_ino, about.st_ctime_ns), time.monotonic()
            if about.st_size:
                self._seen = None
            elif self._seen is None or self._seen[0] != which:
                self._seen = which, now
            elif now - self._seen[1] >= silence():
                self._remove(about.st_ino)

    def _remove(self, which: int) -> None:
        aside = self._place.with_name(f".{self._place.name}.{secrets.token_hex(8)}")
        self._place.rename(aside)
        if aside.stat().st_ino != which:  # somebody else's by now, who has not noticed yet
            with suppress(FileExistsError):
                os.link(aside, self._place)
        aside.unlink()


def _other_silence(error: Exception) -> UsageError:
    return UsageError(
        f"{error}: say the same BENCH_SILENCE wherever this store is used, and delete the claims "
        "of machines that are gone from its folder locks"
    )


def _lease(place: Path) -> SoftFileLease:
    from filelock import SoftFileLease

    seconds = silence()
    return SoftFileLease(
        place,
        lease_duration=seconds,
        heartbeat_interval=seconds / BEATS,
        poll_interval=0.1,
    )
