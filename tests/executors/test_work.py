"""One stage in a process: what it may not read, and what ends it without being its error."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import filelock._lease as lease
import pytest

from bench.errors import BenchError
from bench.executors import work
from bench.executors.slurm import Task
from bench.specs import Stage
from bench.store import Store

Does = Callable[[Any], dict[str, Any]]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def doing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Does], None]:
    """Makes all stages do this."""
    return lambda does: monkeypatch.setattr(work, "stage_function", lambda kind: does)


def leaves(job: Any) -> dict[str, Any]:
    raise SystemExit(144)


def test_a_plugin_that_exits_has_failed(store: Store, doing: Callable[[Does], None]) -> None:
    doing(leaves)
    with pytest.raises(BenchError, match="SystemExit: 144"):
        work.attempt(store.root, work.describe(Stage("split", {})))


def test_a_job_that_the_cluster_wants_to_end_has_not(
    store: Store, doing: Callable[[Does], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """submitit asks for the order that is queued again, then ends the process by SystemExit."""
    pytest.importorskip("submitit")
    monkeypatch.setattr(work.LEAVING, "_flag", False)
    orders = [work.describe(Stage("split", {}))]
    again = Task().checkpoint(store.root, orders)
    assert (again.function.__class__, again.args) == (Task, (store.root, orders))
    doing(leaves)
    with pytest.raises(SystemExit):
        work.attempt_all(store.root, orders)
    assert not list((store.root / "locks").iterdir())
    assert not (store.root / "logs").exists()


def test_an_input_that_was_altered_since_is_not_read(
    store: Store, doing: Callable[[Does], None]
) -> None:
    def writes(job: Any) -> dict[str, Any]:
        (job.out / "numbers").write_bytes(b"12345")
        return {}

    doing(writes)
    below = Stage("split", {})
    first, second = (Stage("train", {"n": n}, {"split": below}) for n in (1, 2))
    for stage in (below, first):
        work.attempt(store.root, work.describe(stage))
    (store.folder(below.kind, below.key) / "numbers").write_bytes(b"12845")
    with pytest.raises(BenchError, match=r"stored split \w+ is corrupt \(numbers: content differs"):
        work.attempt(store.root, work.describe(second))
    assert not store.has(second)


def test_a_heart_that_stood_still_for_a_while_costs_nothing(
    store: Store, doing: Callable[[Does], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store was out of reach for longer than the silence, and nobody else wanted the stage."""
    monkeypatch.setenv("BENCH_SILENCE", "1")
    touch, begun = lease.touch, []

    def away(*given: Any, **named: Any) -> None:
        raise OSError(errno.EIO, "away")

    def slow(job: Any) -> dict[str, Any]:
        begun.append(time.monotonic())
        if len(begun) == 1:
            monkeypatch.setattr(lease, "touch", away)
            time.sleep(2)
            monkeypatch.setattr(lease, "touch", touch)
            time.sleep(0.6)
        job.progress(1, 2, "pictures")
        return {}

    doing(slow)
    stage = Stage("split", {})
    work.attempt(store.root, work.describe(stage))
    assert store.has(stage)
    assert len(begun) == 2
    assert not list((store.root / "locks").iterdir())
