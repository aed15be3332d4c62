"""Leases: one holder, taken over when it is dead or silent, and it finds out."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import SoftFileLease

from bench import claims
from bench.errors import BudgetError, UsageError

ROOT = Path(__file__).resolve().parent.parent
HOLD = """
import sys, time
from pathlib import Path
from bench.claims import claimed
with claimed(Path(sys.argv[1])) as claim:
    print("held", flush=True)
    while True:
        time.sleep(0.05)
        claim.check()
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BENCH_SILENCE", "1.5")
    return tmp_path / "locks" / "k.lease"


@contextmanager
def holder(place: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(place)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_live_holder_keeps_it_and_a_dead_one_frees_it_at_once(place: Path) -> None:
    with holder(place) as process:
        time.sleep(2)  # longer than the silence: its heart beats
        assert claims.Observer(place).busy()
        process.kill()
        process.wait()
        assert not claims.Observer(place).busy()
    assert not place.exists()


def test_a_frozen_holder_is_taken_over_and_finds_out(place: Path) -> None:
    with holder(place) as process:
        os.kill(process.pid, signal.SIGSTOP)
        with claims.claimed(place) as claim:
            os.kill(process.pid, signal.SIGCONT)
            _, err = process.communicate(timeout=30)
            assert "TakenOverError" in err.splitlines()[-1]
            claim.check()
            assert not claim.lost
    assert not place.exists()


def test_one_who_watches_sees_the_silence_of_a_frozen_holder(place: Path) -> None:
    with holder(place) as process:
        os.kill(process.pid, signal.SIGSTOP)
        observer, end = claims.Observer(place), time.monotonic() + 30
        assert observer.busy()
        while observer.busy():
            assert time.monotonic() < end
            time.sleep(0.1)


def test_a_claim_whose_file_is_gone_is_lost(place: Path) -> None:
    with claims.claimed(place) as claim:
        assert not claim.lost
        place.unlink()
        assert claim.lost


def test_all_on_a_store_must_agree_on_the_silence(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with holder(place):
        monkeypatch.setenv("BENCH_SILENCE", "3")
        with pytest.raises(UsageError, match="BENCH_SILENCE"):
            claims.Observer(place).busy()
        with pytest.raises(UsageError, match="BENCH_SILENCE"), claims.claimed(place):
            pass


@pytest.mark.parametrize("said", ["soon", "-1", "nan", "0"])
def test_a_silence_that_is_no_time_is_refused(
    place: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setenv("BENCH_SILENCE", said)
    with pytest.raises(UsageError, match="BENCH_SILENCE"), claims.claimed(place):
        pass


def test_a_disk_that_is_full_is_told(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: object, **named: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(SoftFileLease, "acquire", full)
    with pytest.raises(BudgetError, match="no space left"), claims.claimed(place):
        pass
    place.parent.mkdir(parents=True, exist_ok=True)
    place.touch()
    with pytest.raises(BudgetError, match="no space left"):
        claims.Observer(place).busy()


def test_a_claim_in_which_nothing_was_written_is_taken_over(place: Path) -> None:
    """Its maker died between making the file and writing it, or the disk was full."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.touch()
    observer, began = claims.Observer(place), time.monotonic()
    assert observer.busy()
    while observer.busy():
        assert time.monotonic() - began < 30
        time.sleep(0.1)
    assert time.monotonic() - began > 1
    place.touch()
    with claims.claimed(place) as claim:
        claim.check()
        assert place.stat().st_size
    assert list(place.parent.iterdir()) == []
