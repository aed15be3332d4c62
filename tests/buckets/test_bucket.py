"""A store in a bucket: computed on one machine, printed on another, whatever the network does."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from buckets.conftest import URL, Bucket

from bench.store import Store

BOTH = ("--attack", "loss", "--attack", "clid_th")
At = Callable[[str], Path]


@pytest.fixture
def words(ran: Any) -> tuple[Any, ...]:
    return ("run", *ran.words, *BOTH, "--workers", 1, "--store", URL)


@pytest.fixture
def filled(
    bucket: Bucket, at: At, ran: Any, words: tuple[Any, ...], cli: Callable[..., Any]
) -> Bucket:
    """What another machine has computed is in the bucket."""
    shutil.copytree(ran.store, at("first"))
    told = cli(*words)
    assert (told.code, told.out) == (0, ran.out), told.err
    return bucket


def stages(store: Path) -> dict[str, Any]:
    """Digests of the artefacts of what is finished in a folder."""
    found = store.glob("stages/*/*/record.json")
    return {path.parent.name: json.loads(path.read_text())["files"] for path in found}


def nothing_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.executors.executor.run", None)


def test_a_run_survives_a_lost_connection_and_another_machine_prints_its_rows(
    bucket: Bucket, at: At, ran: Any, words: tuple[Any, ...], cli: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from bench.cli.progress import Display

    first, finished, lost = at("first"), Display.finished, []

    def lose(display: Display, stage: Any, seconds: float) -> None:
        if stage.kind == "features" and not lost:
            lost.append(stage)
            bucket.stop()
        finished(display, stage, seconds)

    with monkeypatch.context() as patch:
        patch.setattr(Display, "finished", lose)
        told = cli(*words)
    assert told.code == 5
    assert told.out == ran.out  # what was computed is kept, and printed
    (line,) = (line for line in told.err.splitlines() if line.startswith("error: "))
    assert "not sent" in line
    assert "run the same command" in line
    assert stages(first) == stages(ran.store)

    told = cli(*words)
    assert told.code == 4
    (line,) = told.err.splitlines()
    assert f"store {URL} cannot be read" in line

    bucket.start()
    sent = bucket.names("stages")
    assert 0 < len([name for name in sent if name.endswith("record.json")]) < len(stages(first))
    nothing_is_computed(monkeypatch)
    told = cli(*words)
    assert (told.code, told.out) == (0, ran.out), told.err
    assert bucket.names("stages") == sorted(
        str(path.relative_to(first)) for path in first.glob("stages/*/*/*")
    )

    second = at("second")
    told = cli(*words)
    assert (told.code, told.out) == (0, ran.out), told.err
    assert {path.parent.name for path in second.glob("stages/*/*")} == {"metrics"}


BROKEN = """
from dataclasses import dataclass
from typing import ClassVar
from bench.api import Attack

@dataclass
class Broken(Attack):
    '''It raises.'''
    name: ClassVar[str] = "broken"
    queries: ClassVar[int] = 1
    def features(self, target, pairs):
        raise RuntimeError("broken")
"""


def test_finished_rows_are_printed_though_one_failed_and_the_connection_is_lost(
    bucket: Bucket, at: At, words: tuple[Any, ...], cli: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    from bench.cli.progress import Display

    at("first")
    finished = Display.finished
    (tmp_path / "broken.py").write_text(BROKEN)

    def lose(display: Display, stage: Any, seconds: float) -> None:
        if stage.kind == "features":
            bucket.stop()
            monkeypatch.setattr("bench.remote.LISTED", 0.0)  # and what it listed is old
        finished(display, stage, seconds)

    with monkeypatch.context() as patch:
        patch.setattr(Display, "finished", lose)
        told = cli(*words, "--attack", tmp_path / "broken.py")
    assert told.code == 5, told.err
    assert {"loss", "clid_th"} <= set(told.out.split())
    errors = [line for line in told.err.splitlines() if line.startswith("error: ")]
    assert any("RuntimeError: broken" in line for line in errors)
    assert "not sent" in errors[-1]


def test_only_what_is_wanted_and_not_here_is_fetched(
    filled: Bucket, at: At, ran: Any, words: tuple[Any, ...], cli: Callable[..., Any]
) -> None:
    for metrics in filled.names("stages/metrics"):
        filled.files.rm(f"bucket/prefix/{metrics}")
    second = at("second")
    told = cli(*words)
    assert (told.code, told.out) == (0, ran.out), told.err
    # The rows are computed anew from what they read, of which nothing is missing.
    (train,) = {
        json.loads(path.read_text())["spec"]["inputs"]["model"]
        for path in second.glob("stages/metrics/*/record.json")
    }
    assert [path.name for path in second.glob("stages/train/*")] == [train]
    assert not list(second.glob("stages/samples")) + list(second.glob("stages/real"))
    assert "[2/2]" in told.err
    assert len(filled.names("stages/metrics")) == 2  # and sent


def test_a_corrupt_stage_in_the_bucket_is_named_and_replaced(
    filled: Bucket, at: At, ran: Any, words: tuple[Any, ...], cli: Callable[..., Any]
) -> None:
    for metrics in filled.names("stages/metrics"):
        filled.files.rm(f"bucket/prefix/{metrics}")
    spoilt = next(name for name in filled.names("stages/scores") if name.endswith("scores.npz"))
    sound = filled.files.cat_file(f"bucket/prefix/{spoilt}")
    filled.files.pipe_file(f"bucket/prefix/{spoilt}", sound[:-1])
    second, key = at("second"), spoilt.split("/")[2]
    told = cli(*words)
    assert (told.code, told.out) == (0, ran.out), told.err
    (line,) = (line for line in told.err.splitlines() if "corrupt" in line)
    assert line.startswith(f"warning: scores {key[:12]} in {URL} is corrupt (scores.npz: ")
    assert filled.files.cat_file(f"bucket/prefix/{spoilt}") == sound
    assert stages(second)[key] == stages(ran.store)[key]
    assert not list(second.glob("remote/spoilt/*"))
    third = at("third")
    told = cli(*words)
    assert (told.code, "corrupt" in told.err) == (0, False)
    assert third.exists()


def test_what_is_corrupt_here_is_fetched_again(
    filled: Bucket, at: At, ran: Any, words: tuple[Any, ...], cli: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    second = at("second")
    nothing_is_computed(monkeypatch)
    assert cli(*words).code == 0
    spoilt = next(second.glob("stages/metrics/*/record.json"))
    spoilt.write_bytes(spoilt.read_bytes()[:-9])
    told = cli(*words)
    assert (told.code, told.out) == (0, ran.out), told.err
    assert f"metrics {spoilt.parent.name[:12]} is corrupt" in told.err
    assert len(list(second.glob("aside/*"))) == 1


def test_a_stage_whose_record_is_not_there_yet_is_not_there(
    filled: Bucket, at: At, words: tuple[Any, ...], ran: Any, cli: Callable[..., Any]
) -> None:
    from bench.mirror import Mirror

    key = next(iter(Store(ran.store).keys("train")))
    filled.files.rm(f"bucket/prefix/stages/train/{key}/record.json")
    at("second")
    mirror = Mirror(URL)
    assert not mirror.holds("train", key)
    mirror.bring("train", key)
    assert not mirror.folder("train", key).exists()
    assert mirror.finished("train", key) is None


def test_the_record_is_the_last_that_is_written(
    bucket: Bucket, at: At, ran: Any, words: tuple[Any, ...], cli: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from bench.remote import Remote

    written: list[str] = []
    write = Remote.write

    def noted(remote: Remote, file: Path, name: str) -> None:
        written.append(name)
        write(remote, file, name)

    monkeypatch.setattr(Remote, "write", noted)
    shutil.copytree(ran.store, at("first"))
    assert cli(*words).code == 0
    by_stage: dict[str, list[str]] = {}
    for name in written:
        if name.startswith("stages/"):
            by_stage.setdefault(name.rpartition("/")[0], []).append(name.rpartition("/")[2])
    assert any(len(names) > 1 for names in by_stage.values())
    assert all(names[-1] == "record.json" for names in by_stage.values())
    assert sorted(name.split("/")[0] for name in written if "stages/" not in name) == [
        "logs", "runs"
    ]  # fmt: skip


def test_other_verbs_on_another_machine(
    filled: Bucket, at: At, ran: Any, cli: Callable[..., Any], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    (run,) = (path.stem for path in (ran.store / "runs").glob("*.json"))
    nothing_is_computed(monkeypatch)

    def both(*given: Any) -> tuple[Any, Any]:
        at("second")
        there, here = (cli(*given, "--store", store) for store in (URL, tmp_path / "first"))
        assert there.code == here.code == 0, there.err
        return there.out, here.out

    for words in (
        ("report", run),
        ("resume", run, "--workers", 1),
        ("status", "--format", "csv"),
    ):
        there, here = both(*words)
        assert there == here, words
    (listed, _), (plan, _) = both("list", "runs"), both("plan", *ran.words, *BOTH)
    assert f"store: {URL}" in plan
    assert "todo" not in plan
    assert run in listed
    assert "2/2" in listed
    # Weights were no concern of these.
    assert not list((tmp_path / "second").glob("stages/train"))
    told = cli("report", run, "--html", "--out", tmp_path / "page.html", "--store", URL)
    assert told.code == 0
    assert "no longer in the store" not in (tmp_path / "page.html").read_text()
    assert cli("gc", "--older-than", "0s", "--store", URL).code == 0


def test_an_entry_made_of_a_bucket_is_the_same(filled: Bucket, at: At, ran: Any) -> None:
    from bench.cli.computing import open_store
    from bench.entries.gather import of_run
    from bench.runs import saved

    at("second")
    (there,), (here,) = (
        of_run(place, saved(place)[0]) for place in (open_store(URL), open_store(ran.store))
    )
    assert there.about == here.about


def test_python_reads_a_bucket_too(
    filled: Bucket, at: At, ran: Any, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import bench

    at("second")
    nothing_is_computed(monkeypatch)
    found = bench.run(
        "none", ["loss", "clid_th"], data="scenes:n=120", recipe="quick", base=str(tiny_base),
        store=URL, workers=1, progress=False,
    )  # fmt: skip
    assert found.text + "\n" == ran.out
    assert found.plot() is not None


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("s3://nowhere/prefix", 2, "make the bucket first"),
        ("odd://bucket/prefix", 2, "write s3://BUCKET/PREFIX"),
    ],
)
def test_what_is_no_store_is_told_in_one_line(
    url: str, code: int, said: str, bucket: Bucket, at: At, cli: Callable[..., Any]
) -> None:
    at("first")
    told = cli("list", "runs", "--store", url)
    assert told.code == code
    (line,) = told.err.splitlines()
    assert said in line


def test_a_package_that_is_missing_is_named_with_its_extra(
    at: At, cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    at("first")
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)
    told = cli("list", "runs", "--store", URL)
    assert told.code == 2
    (line,) = told.err.splitlines()
    assert "pip install 't2i-defense-bench[remote]'" in line


def test_a_folder_mirrors_one_url(at: At, cli: Callable[..., Any]) -> None:
    at("first")
    assert cli("list", "runs", "--store", "memory://one").code == 0
    told = cli("list", "runs", "--store", "memory://other")
    assert told.code == 2
    assert "BENCH_MIRROR" in told.err


def test_the_variable_and_the_file_may_name_a_url(
    at: At, cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at("first")
    (tmp_path / "bench.toml").write_text('store = "memory://one/two"\n')
    monkeypatch.chdir(tmp_path)
    assert "store: memory://one/two" in cli("status", "--format", "json").out
    monkeypatch.setenv("BENCH_STORE", "memory://three")
    monkeypatch.delenv("BENCH_MIRROR")
    assert "store: memory://three" in cli("status", "--format", "json").out
