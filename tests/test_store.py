"""The store: all of an entry or nothing, and no corrupt byte is ever read as a result."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import store as store_module
from bench.errors import BudgetError, UsageError
from bench.files import file_digest, full_disk_is_told, write_atomic
from bench.plan import missing
from bench.specs import Stage
from bench.store import Store, default_root

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def stage(seed: int = 0) -> Stage:
    return Stage("split", {"data": "d", "seed": seed})


def publish(store: Store, what: Stage, content: bytes = b"numbers", auc: float = 0.5) -> None:
    made = store.work(what.key) / "out"
    made.mkdir(parents=True)
    (made / "scores.npz").write_bytes(content)
    store.publish(what.kind, what.key, what.spec, made, {"auc": auc}, {"seconds": 1.0})


def entry(store: Store, what: Stage) -> Path:
    return store.folder(what.kind, what.key)


def test_an_entry_is_there_whole_or_not_at_all(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(store_module, "flush", killed)
    with pytest.raises(KeyboardInterrupt):
        publish(store, stage())
    assert not store.has(stage())
    assert not entry(store, stage()).exists()


def test_what_is_published_is_read_back(store: Store) -> None:
    publish(store, stage(), auc=0.625)
    assert store.has(stage())
    assert store.flaw(stage()) is None
    assert store.record(stage())["result"] == {"auc": 0.625}
    assert not store.work(stage().key).exists()


def test_scratch_that_a_kill_left_beside_a_finished_stage_is_swept(store: Store) -> None:
    done, other, mine = stage(0), stage(1), stage(2)
    for one in (done, mine):
        publish(store, one)
    for one in (done, other, mine):
        store.work(one.key).mkdir(parents=True)
    with store.lock(mine.key):  # whoever publishes it is about to do so
        store.sweep()
        assert {path.name for path in (store.root / "work").iterdir()} == {other.key, mine.key}
    store.sweep()
    assert [path.name for path in (store.root / "work").iterdir()] == [other.key]


def test_a_claim_that_a_kill_left_on_a_finished_stage_is_swept(store: Store) -> None:
    publish(store, stage())
    code = f"""
import os
from pathlib import Path
from bench.claims import claimed
with claimed(Path({str(store._lease(stage().key))!r})):
    os._exit(9)
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert len(list((store.root / "locks").iterdir())) == 1
    store.sweep()
    assert list((store.root / "locks").iterdir()) == []


def test_a_crash_while_writing_leaves_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "note.json"
    write_atomic(place, b"old")

    def crash(*_: object) -> None:
        raise OSError(errno.EIO, "disk gone")

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(OSError, match="disk gone"):
        write_atomic(place, b"new")
    assert place.read_bytes() == b"old"


def flip_a_byte(folder: Path) -> None:
    content = bytearray((folder / "scores.npz").read_bytes())
    content[0] ^= 1
    (folder / "scores.npz").write_bytes(content)


def better_result(folder: Path) -> None:
    record = json.loads((folder / "record.json").read_text())
    record["result"]["auc"] = 0.99
    (folder / "record.json").write_text(json.dumps(record))


def other_specification(folder: Path) -> None:
    record = json.loads((folder / "record.json").read_text())
    record["spec"]["params"]["seed"] = 7
    (folder / "record.json").write_text(json.dumps(record))


def unknown_time(folder: Path) -> None:
    text = (folder / "record.json").read_text()
    (folder / "record.json").write_text(text.replace('"seconds"', '"sekonds"'))


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "altered file": (flip_a_byte, "scores.npz"),
    "truncated file": (lambda f: (f / "scores.npz").write_bytes(b""), "scores.npz"),
    "missing file": (lambda f: (f / "scores.npz").unlink(), "scores.npz: missing"),
    "altered result": (better_result, "result"),
    "altered time": (unknown_time, "unreadable"),
    "altered specification": (other_specification, "specification"),
    "truncated record": (lambda f: (f / "record.json").write_text('{"spec"'), "unreadable"),
    "empty record": (lambda f: (f / "record.json").write_text(""), "unreadable"),
    "record of another shape": (lambda f: (f / "record.json").write_text("[]"), "unreadable"),
    "record without parts": (lambda f: (f / "record.json").write_text("{}"), "unreadable"),
    "binary record": (lambda f: (f / "record.json").write_bytes(b"\xff\xfe\x00"), "unreadable"),
    "missing record": (lambda f: (f / "record.json").unlink(), "record.json: missing"),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_damage_is_found_told_in_one_line_and_set_aside(store: Store, what: str) -> None:
    damage, told = DAMAGES[what]
    publish(store, stage())
    damage(entry(store, stage()))
    said: list[str] = []
    todo = missing(store, [stage()], said.append)
    assert [s.key for s in todo] == [stage().key]
    assert len(said) == 1
    assert told in said[0]
    assert "\n" not in said[0]
    assert not entry(store, stage()).exists()
    assert len(list((store.root / "aside").iterdir())) == 1
    publish(store, stage())
    assert missing(store, [stage()], pytest.fail) == []


@pytest.mark.parametrize("what", DAMAGES)
def test_a_damaged_record_is_not_among_the_records(store: Store, what: str) -> None:
    publish(store, stage(0))
    publish(store, stage(1))
    DAMAGES[what][0](entry(store, stage(0)))
    found = {key for key, _ in store.records("split")}
    kept = {stage(0).key, stage(1).key} if what.endswith(" file") else {stage(1).key}
    assert found == kept


def test_only_what_is_wanted_or_read_is_computed(store: Store) -> None:
    below = stage()
    middle = Stage("train", {"a": 1}, {"split": below})
    end = Stage("features", {"b": 1}, {"split": below, "model": middle})
    assert [s.kind for s in missing(store, [end], pytest.fail)] == ["split", "train", "features"]
    publish(store, middle)
    assert [s.kind for s in missing(store, [end], pytest.fail)] == ["split", "features"]
    publish(store, end)
    assert missing(store, [end], pytest.fail) == []


def test_a_corrupt_input_of_what_is_left_to_do_is_computed_anew(store: Store) -> None:
    below = stage()
    end = Stage("train", {}, {"split": below})
    publish(store, below)
    flip_a_byte(entry(store, below))
    said: list[str] = []
    assert [s.kind for s in missing(store, [end], said.append)] == ["split", "train"]
    assert len(said) == 1


def test_records_come_oldest_first(store: Store) -> None:
    for seed in (3, 1, 2):
        publish(store, stage(seed))
        os.utime(entry(store, stage(seed)) / "record.json", ns=(seed, seed))
    assert [r["spec"]["params"]["seed"] for _, r in store.records("split")] == [1, 2, 3]


HOLD = """
import sys
from pathlib import Path
from bench.store import Store
with Store(Path(sys.argv[1])).lock("k"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_lock_excludes_another_process_and_is_freed_by_its_death(store: Store) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(store.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == b"held\n"
        assert store.busy("k")
        other.kill()
        other.wait()
    assert not store.busy("k")
    with store.lock("k"):
        pass
    assert list((store.root / "locks").iterdir()) == []


def test_what_a_dead_worker_left_is_taken_up_and_its_folder_is_no_longer_its_own(
    store: Store,
) -> None:
    with store.lock("k") as first:
        left = store.scratch("k", first)
        (left / "checkpoint").write_bytes(b"state")
    with store.lock("k") as second:
        taken = store.scratch("k", second)
        assert (taken / "checkpoint").read_bytes() == b"state"
        assert not left.exists()
        assert [path.name for path in store.work("k").iterdir()] == [second.token]


def test_who_publishes_second_changes_nothing(store: Store) -> None:
    publish(store, stage(), b"first")
    publish(store, stage(), b"later")
    assert (entry(store, stage()) / "scores.npz").read_bytes() == b"first"
    assert store.flaw(stage()) is None
    assert not store.work(stage().key).exists()


def test_a_full_disk_is_one_line_and_loses_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(store, stage(0))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BudgetError) as told, full_disk_is_told(store.root):
        publish(store, stage(1))
    assert told.value.exit_code == 5
    assert "--store" in str(told.value)
    assert "\n" not in str(told.value)
    monkeypatch.undo()
    assert store.flaw(stage(0)) is None
    assert not store.has(stage(1))


def test_a_full_disk_is_told_in_the_words_of_safetensors_too(tmp_path: Path) -> None:
    from safetensors import SafetensorError

    with pytest.raises(BudgetError), full_disk_is_told(tmp_path):
        raise SafetensorError("I/O error: No space left on device (os error 28)")


def test_other_errors_of_the_disk_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), full_disk_is_told(tmp_path):
        (tmp_path / "absent").read_bytes()


def test_a_file_in_the_way_of_the_store_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UsageError, match="--store"):
            Store(place)


def test_a_read_only_store_is_a_usage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(UsageError, match="--store"):
        Store(tmp_path)


def test_the_store_lies_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_STORE", "/some/where")
    assert default_root() == Path("/some/where")
    monkeypatch.delenv("BENCH_STORE")
    assert default_root().name == "t2i-defense-bench"


def test_a_digest_is_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    assert file_digest(tmp_path / "a").startswith("e3b0c44298fc1c14")
