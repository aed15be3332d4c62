"""What lives in a store: what goes on, why a key is what it is, what may go, what was said."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.cli.computing import open_store
from bench.errors import UsageError
from bench.runs import saved

Cli = Callable[..., Any]
BOTH = ("--attack", "loss", "--attack", "clid_th")


def rows(ended: Any) -> list[dict[str, Any]]:
    assert ended.code == 0, ended.err
    found: list[dict[str, Any]] = json.loads(ended.out)["rows"]
    return found


def keys(store: Path, kind: str) -> list[str]:
    return sorted(path.name for path in (store / "stages" / kind).iterdir())


def unfinish(store: Path) -> str:
    """Takes the rows and one scores stage away, as if the run had been stopped; its key."""
    shutil.rmtree(store / "stages" / "metrics")
    key = keys(store, "scores")[0]
    shutil.rmtree(store / "stages" / "scores" / key)
    return key


def test_a_finished_store_is_at_rest(cli: Cli, copied: Path) -> None:
    ended = cli("status", "--store", copied)
    assert ended.out == f"nothing is running in {copied}; finished runs: 1\n"
    assert rows(cli("status", "--store", copied, "--format", "json")) == []


def test_status_tells_how_far_a_run_is(cli: Cli, copied: Path) -> None:
    key = unfinish(copied)
    all_of_it = len(saved(open_store(copied))[0].stages)
    (row,) = rows(cli("status", "--store", copied, "--format", "json"))
    assert (row["state"], row["rows"]) == ("stopped", "0/2")
    assert row["stages"] == f"{all_of_it - 3}/{all_of_it}"
    assert row["now"] is row["failed"] is row["problem"] is None
    work = copied / "work" / key
    work.mkdir(parents=True)
    (work / "progress.json").write_text('{"done": 3, "total": 4, "unit": "pairs"}')
    with open_store(copied).lock(key):
        (row,) = rows(cli("status", "--store", copied, "--format", "json"))
        shown = cli("status", "--store", copied).out
    assert row["state"] == "running"
    assert row["now"].startswith("scores (")
    assert row["now"].endswith("): 3/4 pairs")
    assert "3/4 pairs" in shown
    assert "\x1b" not in shown
    # Nobody is computing any more: the last look ends it.
    assert cli("status", "--watch", "--store", copied).out.splitlines()[1].split()[1] == "stopped"


def test_status_tells_what_failed_and_what_cannot_be_told(
    cli: Cli, copied: Path, tiny_words: Any, tmp_path: Path
) -> None:
    plugin = tmp_path / "bad.py"
    plugin.write_text(
        "from dataclasses import dataclass\nfrom typing import ClassVar\n"
        "from bench.api import Attack\n\n@dataclass\nclass Bad(Attack):\n"
        '    """Fails."""\n    name: ClassVar[str] = "bad"\n    queries = 1\n'
        '    def features(self, target, pairs):\n        raise ValueError("broken here")\n'
    )
    ended = cli("run", *tiny_words, "--attack", plugin, "--store", copied, "--workers", 1)
    assert ended.code == 1
    (row,) = rows(cli("status", "--store", copied, "--format", "json"))
    assert row["state"] == "stopped"
    assert "ValueError: broken here" in row["failed"]
    plugin.unlink()
    (row,) = rows(cli("status", "--store", copied, "--format", "json"))
    assert "no attack file" in row["problem"]
    assert row["stages"] is None


def test_why_tells_what_a_key_is_a_hash_of(cli: Cli, ran: Any) -> None:
    (key,) = keys(ran.store, "real")
    told = {r["what"]: r["value"] for r in
            rows(cli("why", key[:10], "--store", ran.store, "--format", "json"))}  # fmt: skip
    assert (told["kind"], told["params.resolution"]) == ("real", 16)
    assert told["inputs.split"].startswith("split ")
    assert told["made.seconds"] >= 0
    shown = cli("why", key[:10], "--store", ran.store)
    assert f"real {key}" in shown.out


def test_why_two_keys_differ(cli: Cli, ran: Any) -> None:
    one, other = keys(ran.store, "metrics")
    found = {r["what"]: r for r in
             rows(cli("why", one, other, "--store", ran.store, "--format", "json"))}  # fmt: skip
    assert found["params.cell.attack.name"]["first"] != found["params.cell.attack.name"]["second"]
    # The features of both are of other attacks; of the split below there is nothing to tell.
    assert any(name.startswith("inputs.features: params.attack") for name in found)
    assert not any("split" in name or name.startswith("made") for name in found)
    same = cli("why", one, one, "--store", ran.store)
    assert same.out.endswith("no difference\n")


@pytest.mark.parametrize("key", ["0xyz", "", "nothing-of-the-kind"])
def test_why_of_no_key_says_what_to_do(cli: Cli, ran: Any, key: str) -> None:
    ended = cli("why", key, "--store", ran.store)
    assert (ended.code, ended.out) == (2, "")
    assert "begins with" in ended.err or "begin with" in ended.err


def kept(store: Path) -> set[str]:
    return {str(path.relative_to(store)) for path in store.rglob("*")}


def test_nothing_of_a_finished_run_is_garbage(cli: Cli, copied: Path) -> None:
    shutil.rmtree(copied / "cache", ignore_errors=True)
    before = kept(copied)
    ended = cli("gc", "--store", copied, "--older-than", "0s", "--yes")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("nothing to delete in ")
    assert kept(copied) - before <= {"locks/runs.lock"}
    assert before <= kept(copied)


def test_what_nobody_refers_to_goes_and_nothing_else(cli: Cli, copied: Path, ran: Any) -> None:
    shutil.rmtree(copied / "cache", ignore_errors=True)
    real = copied / "stages" / "real"
    shutil.copytree(real / keys(copied, "real")[0], real / ("0" * 64))
    (copied / "work" / ("1" * 64)).mkdir(parents=True)
    (copied / "aside" / "scores-abc").mkdir(parents=True)
    (copied / "cache" / "some").mkdir(parents=True)
    asked = ("gc", "--store", copied, "--format", "json", "--older-than")
    assert rows(cli(*asked, "1d")) == [], "all of it is too young"
    shown = rows(cli(*asked, "0s"))
    assert {(r["what"], r["path"].rpartition("/")[2]) for r in shown} == {
        ("stage", "0" * 64), ("work", "1" * 64), ("aside", "scores-abc"), ("cache", "some"),
    }  # fmt: skip
    assert all((copied / r["path"]).exists() for r in shown), "shown only"
    assert rows(cli(*asked, "0s", "--yes")) == shown
    assert not any((copied / r["path"]).exists() for r in shown)
    again = cli("run", *ran.words, *BOTH, "--store", copied)
    assert (again.code, again.out) == (0, ran.out)
    assert "[1/" not in again.err


def test_a_superseded_run_goes_with_what_only_it_has(cli: Cli, copied: Path) -> None:
    shutil.rmtree(copied / "cache", ignore_errors=True)
    (note,) = (copied / "runs").glob("*.json")
    said = json.loads(note.read_text())
    old = {**said, "asked": "2020-01-01T00:00:00Z", "metrics": ["2" * 64], "stages": ["2" * 64]}
    (copied / "runs" / "0ld.json").write_text(json.dumps(old))
    shutil.copytree(
        copied / "stages" / "metrics" / keys(copied, "metrics")[0],
        copied / "stages" / "metrics" / ("2" * 64),
    )
    gone = rows(cli("gc", "--store", copied, "--older-than", "0s", "--yes", "--format", "json"))
    assert [(r["what"], r["path"]) for r in gone] == [
        ("run", "runs/0ld.json"), ("stage", f"stages/metrics/{'2' * 64}"),
    ]  # fmt: skip
    assert note.exists()


def test_what_a_run_in_progress_needs_stays(cli: Cli, copied: Path) -> None:
    key = unfinish(copied)
    (copied / "work" / key).mkdir(parents=True)
    (copied / "cache" / "some").mkdir(parents=True)
    asked = ("gc", "--store", copied, "--older-than", "0s", "--yes", "--format", "json")
    with open_store(copied).lock(key):
        assert rows(cli(*asked)) == []
    assert (copied / "work" / key).exists()
    # Nobody noted this one: an audit's, whose other stages are not known.
    other = "3" * 64
    (copied / "work" / other).mkdir()
    with open_store(copied).lock(other):
        ended = cli(*asked)
    assert (ended.code, ended.out) == (2, "")
    assert "nothing was deleted" in ended.err


def test_the_log_of_a_run_says_it_all(cli: Cli, ran: Any, copied: Path) -> None:
    (note,) = (ran.store / "runs").glob("*.json")
    log = (ran.store / "logs" / f"{note.stem}.log").read_text()
    assert "command: bench run --data scenes:n=120" in log
    for kind in ("train", "metrics"):
        for key in keys(ran.store, kind):
            assert f"({kind} {key})" in log
    assert log.splitlines()[0][:2] == "20"
    quiet = cli("run", *ran.words, *BOTH, "--store", copied, "-q")
    assert (quiet.out, quiet.err) == (ran.out, "")
    loud = cli("run", *ran.words, *BOTH, "--store", copied, "--verbose")
    assert "requests: " in loud.err


def test_a_store_that_cannot_keep_a_log_is_told(cli: Cli, ran: Any, copied: Path) -> None:
    shutil.rmtree(copied / "logs")
    (copied / "logs").write_text("in the way")
    ended = cli("run", *ran.words, *BOTH, "--store", copied)
    assert (ended.code, ended.out) == (2, "")
    assert "cannot make folder" in ended.err
    assert "--store" in ended.err


def test_who_reads_makes_no_store(cli: Cli, tmp_path: Path) -> None:
    typo = tmp_path / "strore"
    for words in (["report", "x"], ["status"], ["list", "runs"], ["why", "x"], ["gc"],
                  ["export", "x", str(tmp_path / "x.tar")], ["submit", "x"]):  # fmt: skip
        ended = cli(*words, "--store", typo)
        assert ended.code == 2, words
        assert f"--store {typo}: no such folder" in ended.err
    assert not typo.exists()


def test_who_reads_needs_no_right_to_write(
    cli: Cli, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run,) = saved(open_store(copied))
    monkeypatch.setattr("os.access", lambda *_: False)
    assert cli("report", run.id, "--store", copied).code == 0
    assert cli("status", "--store", copied).code == 0
    with pytest.raises(UsageError, match="may not be written"):
        open_store(copied)
    doctor = cli("doctor", "--store", copied)
    assert doctor.code == 1
    assert f"the store {copied} may not be written" in doctor.out


def test_a_damaged_note_is_told_of_and_nothing_is_deleted(cli: Cli, copied: Path) -> None:
    unfinish(copied)
    (run,) = saved(open_store(copied))
    note = copied / "runs" / f"{run.id}.json"
    note.write_bytes(note.read_bytes()[:40])
    before = sorted(copied.glob("stages/*/*"))
    assert f"{note}: not a run's note" in cli("list", "runs", "--store", copied).err
    ended = cli("gc", "--store", copied, "--older-than", "0s", "--yes")
    assert (ended.code, sorted(copied.glob("stages/*/*"))) == (2, before)
    assert f"{note}: not a run's note" in ended.err
