"""Runs go from one site to another: there the same words print the same rows, nothing computed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from conftest import ROOT, command_line, environment_of_bench

from bench.store import Store

BOTH = ("--attack", "loss", "--attack", "clid_th")


@pytest.fixture(scope="module")
def run(ran: Any) -> str:
    (note,) = (ran.store / "runs").glob("*.json")
    return str(note.stem)


@pytest.fixture(scope="module")
def archive(
    ran: Any, run: str, cli: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    file = tmp_path_factory.mktemp("archives") / "rows.tar"
    assert cli("export", run, file, "--store", ran.store).code == 0
    return file


def taken_in(cli: Callable[..., Any], archive: Path, site: Path) -> Path:
    told = cli("import", archive, "--store", site)
    assert told.code == 0, told.err
    return site


@pytest.fixture
def site(cli: Callable[..., Any], archive: Path, tmp_path: Path) -> Path:
    return taken_in(cli, archive, tmp_path / "site")


def kinds(store: Path) -> set[str]:
    return {path.name for path in (store / "stages").iterdir()}


def test_the_same_words_print_the_same_rows_and_nothing_is_computed(
    cli: Callable[..., Any], ran: Any, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.executors.executor.run", None)
    told = cli("run", *ran.words, *BOTH, "--store", site)
    assert told.code == 0, told.err
    assert told.out == ran.out
    # What is said beside them is the same too: queries and evaluations come from records.
    assert [line for line in told.err.splitlines() if "U-Net rows" in line] == [
        line for line in ran.err.splitlines() if "U-Net rows" in line
    ]


def test_no_weights_and_no_pictures_go_along(site: Path, archive: Path) -> None:
    assert kinds(site) == {
        *("split", "features", "scores", "blind", "duplicates", "utility", "metrics")
    }
    assert {path.name for path in (site / "records").iterdir()} >= {"train", "samples", "real"}
    with tarfile.open(archive) as tar:
        assert not [name for name in tar.getnames() if name.endswith(".safetensors")]


@pytest.mark.parametrize("form", ["table", "json"])
def test_a_report_says_the_same(
    form: str, run: str, cli: Callable[..., Any], ran: Any, site: Path
) -> None:
    here, there = (cli("report", run, "--format", form, "--store", s) for s in (ran.store, site))
    assert here.code == 0
    assert "loss" in here.out
    assert (here.out, here.err) == (there.out, there.err)


def test_an_entry_made_there_is_the_same(run: str, ran: Any, site: Path) -> None:
    from bench.entries.build import Wording, build
    from bench.entries.code import provenance
    from bench.entries.collect import gathered
    from bench.runs import find

    def entries(root: Path) -> Any:
        store = Store(root)
        models = gathered(store, [find(store, run)])
        return [build(model, "one", Wording(), provenance()) for model in models]

    assert entries(site) == entries(ran.store)
    (document, _) = entries(site)[0]
    assert document["seeds"][0]["made"]["bench"]


def test_a_page_without_pictures_is_made_there(
    run: str, cli: Callable[..., Any], site: Path, tmp_path: Path
) -> None:
    told = cli("report", run, "--html", "--out", tmp_path / "page.html", "--store", site)
    assert told.code == 0, told.err
    assert "The samples are no longer in the store." in (tmp_path / "page.html").read_text()


def test_all_of_a_run_is_moved_and_can_be_gone_on_with(
    run: str, cli: Callable[..., Any], ran: Any, tmp_path: Path
) -> None:
    file = tmp_path / "all.tar.gz"
    assert cli("export", run, file, "--what", "all", "--store", ran.store).code == 0
    assert file.read_bytes()[:2] == b"\x1f\x8b"
    site = taken_in(cli, file, tmp_path / "site")

    def entries(store: Path) -> dict[str, Any]:
        found = (store / "stages").glob("*/*/record.json")
        return {str(path.relative_to(store)): path.read_text() for path in found}

    assert entries(site) == entries(ran.store)
    assert not (site / "records").exists()
    for path in (site / "stages" / "metrics").iterdir():
        shutil.rmtree(path)
    told = cli("run", *ran.words, *BOTH, "--workers", 1, "--store", site)
    assert told.out == ran.out
    assert "train" not in told.err


def test_what_is_there_stays_and_a_second_import_takes_nothing(
    cli: Callable[..., Any], archive: Path, site: Path
) -> None:
    (key,) = (path.name for path in (site / "stages" / "utility").iterdir())
    record = site / "stages" / "utility" / key / "record.json"
    before = record.stat().st_mtime_ns, record.stat().st_ino
    told = json.loads(cli("import", archive, "--store", site, "--format", "json").out)
    assert {row["state"] for row in told["rows"]} == {"there"}
    assert (record.stat().st_mtime_ns, record.stat().st_ino) == before
    assert not list((site / "work").iterdir())


def test_a_corrupt_entry_that_is_there_is_mended(
    cli: Callable[..., Any], archive: Path, site: Path, ran: Any
) -> None:
    (scores, *_) = (site / "stages" / "scores").glob("*/scores.npz")
    sound = scores.read_bytes()
    scores.write_bytes(b"spoilt")
    told = json.loads(cli("import", archive, "--store", site, "--format", "json").out)
    assert [row["key"] for row in told["rows"] if row["state"] == "taken"] == [scores.parent.name]
    assert scores.read_bytes() == sound
    assert len(list((site / "aside").iterdir())) == 1


def test_a_record_that_is_replaced_by_its_stage_goes(
    run: str, cli: Callable[..., Any], ran: Any, site: Path, tmp_path: Path
) -> None:
    file = tmp_path / "all.tar"
    assert cli("export", run, file, "--what", "all", "--store", ran.store).code == 0
    taken_in(cli, file, site)
    listed = json.loads(cli("gc", "--older-than", "0s", "--store", site, "--format", "json").out)
    records = list((site / "records").glob("*/*.json"))
    assert records
    assert {row["path"] for row in listed["rows"] if row["what"] == "record"} == {
        str(path.relative_to(site)) for path in records
    }


def test_nothing_of_what_was_taken_is_garbage(cli: Callable[..., Any], site: Path) -> None:
    told = cli("gc", "--older-than", "0s", "--store", site)
    assert told.out.startswith("nothing to delete")


def test_output_holds_to_its_schema(
    run: str, cli: Callable[..., Any], ran: Any, archive: Path, tmp_path: Path
) -> None:
    for verb, words in (
        ("export", (run, tmp_path / "again.tar", "--store", ran.store)),
        ("import", (archive, "--store", tmp_path / "new")),
    ):
        told = json.loads(cli(verb, *words, "--format", "json").out)
        schema = json.loads((ROOT / "docs" / "schemas" / f"{verb}.json").read_text())
        jsonschema.validate(told, schema)
        assert told["rows"]


def test_a_corrupt_stage_is_not_packed(
    run: str, cli: Callable[..., Any], copied: Path, tmp_path: Path
) -> None:
    (scores, *_) = (copied / "stages" / "scores").glob("*/scores.npz")
    scores.write_bytes(b"spoilt")
    told = cli("export", run, tmp_path / "rows.tar", "--store", copied)
    assert told.code == 3
    assert f"scores {scores.parent.name[:12]}" in told.err
    assert list(tmp_path.glob("*rows*")) == []


def test_words_that_do_not_go(
    run: str, cli: Callable[..., Any], ran: Any, tmp_path: Path, archive: Path
) -> None:
    for words, said in (
        (("export", tmp_path / "a.tar"), "name a run and then the file"),
        (("export", "0f01b58c", tmp_path / "a.tar"), "no run named '0f01b58c'"),
        (("export", run, tmp_path), "is a folder"),
        (("export", run, tmp_path / "no" / "a.tar"), "cannot write"),
        (("export", run, tmp_path / "a.tar", "--what", "some"), "no choice of --what named"),
        (("import", tmp_path / "none.tar"), "No such file"),
        (("import", archive, "--store", "memory://x"), "needs a folder"),
    ):
        told = cli(*words, *(() if "memory://x" in words else ("--store", ran.store)))
        assert told.code == 2
        assert said in told.err


def test_what_a_run_names_and_is_not_here_is_told(
    cli: Callable[..., Any], copied: Path, run: str, tmp_path: Path
) -> None:
    place = copied / "runs" / f"{run}.json"
    note = json.loads(place.read_text())
    note["requests"][0] |= {"plugins": ["/elsewhere/plugins"], "data": "folder:/elsewhere/data,n=9"}
    note["requests"][0]["attacks"] = ["/elsewhere/mine.py:Mine[k=1]", "loss", "of_a_package"]
    place.write_text(json.dumps(note))
    file = tmp_path / "rows.tar"
    assert cli("export", run, file, "--store", copied).code == 0
    told = cli("import", file, "--store", tmp_path / "site")
    assert told.code == 0
    (line,) = (line for line in told.err.splitlines() if "not here" in line)
    for name in ("/elsewhere/plugins", "/elsewhere/mine.py,", "/elsewhere/data"):
        assert name in line
    assert "loss" not in line
    listed = cli("list", "runs", "--store", tmp_path / "site")
    assert "2/2" in listed.out
    assert cli("report", run, "--store", tmp_path / "site").code == 0


def test_a_killed_import_is_repeated(archive: Path, ran: Any, tmp_path: Path) -> None:
    site = tmp_path / "site"
    words = ("import", archive, "--store", site)
    slow = """
import time
import bench.store as store
take = store.Store.take
def slowly(*given):
    time.sleep(0.2)
    return take(*given)
store.Store.take = slowly
"""
    environment = os.environ | environment_of_bench()
    killed = subprocess.Popen(
        command_line(*words, before=slow), env=environment, stderr=subprocess.PIPE
    )
    end = time.monotonic() + 60
    while not list(site.glob("stages/*/*/record.json")):
        assert killed.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert list(site.glob("work/import/*/unpacked/*"))
    done = subprocess.run(
        command_line(*words, "--format", "json"),
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    states = [row["state"] for row in json.loads(done.stdout)["rows"]]
    assert {"there", "taken"} == set(states)
    assert list((site / "work").iterdir()) == []
    assert Store(site).keys("metrics") == Store(ran.store).keys("metrics")
