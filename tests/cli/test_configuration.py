"""Where the values of flags come from: command line, environment, file, default, in this order."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Bench = Callable[..., Any]
Write = Callable[..., Path]
SMALL = ("--defense", "none", "--attack", "loss", "--data", "scenes:n=120")


@pytest.fixture
def bench(cli: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """`bench` in an empty folder and an environment that says nothing."""
    for name in [name for name in os.environ if name.startswith("BENCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_STORE", str(tmp_path / "store"))
    return cli


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def file(text: str, name: str = "bench.toml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return file


def shown(bench: Bench, *words: str) -> dict[str, tuple[Any, str]]:
    ended = bench("config", "--show-origin", "--format", "json", *words)
    assert ended.code == 0, ended.err
    return {r["flag"]: (r["value"], r["origin"]) for r in json.loads(ended.out)["rows"]}


def refused(ended: Any, told: str) -> None:
    assert (ended.code, ended.out) == (2, ""), ended
    (line,) = ended.err.splitlines()
    assert line.startswith("error: ")
    assert told in line


def test_each_place_gives_way_to_the_one_before(
    bench: Bench, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shown(bench)["steps"] == (25, "default")
    write("[run]\nsteps = 7\n")
    assert shown(bench)["steps"] == (7, "file bench.toml:2")
    monkeypatch.setenv("BENCH_RUN_STEPS", "8")
    assert shown(bench)["steps"] == (8, "environment BENCH_RUN_STEPS")
    assert shown(bench, "run", "--", "--steps", "9")["steps"] == (9, "command line")


def test_the_run_itself_sees_what_config_shows(bench: Bench, write: Write) -> None:
    write('[run]\ndata = "scenes:n=120"\ndefense = ["none"]\nset.loss.t = 3\nseeds = [1, 2]\n')
    ended = bench("plan", "--attack", "loss", "--format", "json")
    assert ended.code == 0, ended.err
    said = [row["what"] for row in json.loads(ended.out)["rows"]]
    assert "metrics (none, loss[t=3])" in said
    assert "train target (none, seed 1)" in said
    assert "train target (none, seed 2)" in said
    assert not any("seed 0)" in one for one in said if one.startswith("train"))


def test_plan_reads_what_run_reads_and_its_own_first(
    bench: Bench, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("steps = 3\n[plan]\nseeds = 5\n[run]\nsteps = 4\nseeds = 6\n")
    assert shown(bench, "plan")["seeds"] == ("5", "file bench.toml:3")
    assert shown(bench, "plan")["steps"] == (4, "file bench.toml:5")
    monkeypatch.setenv("BENCH_RUN_SEEDS", "7")
    assert shown(bench, "plan")["seeds"] == ("7", "environment BENCH_RUN_SEEDS")
    monkeypatch.setenv("BENCH_PLAN_SEEDS", "8")
    assert shown(bench, "plan")["seeds"] == ("8", "environment BENCH_PLAN_SEEDS")
    assert shown(bench, "run")["seeds"] == ("7", "environment BENCH_RUN_SEEDS")


def test_names_that_were_there_before_go_on_working(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_CLIP", "clip-folder")
    monkeypatch.setenv("BENCH_INCEPTION", "weights.pth")
    found = shown(bench)
    assert found["store"] == (str(tmp_path / "store"), "environment BENCH_STORE")
    assert found["clip"] == ("clip-folder", "environment BENCH_CLIP")
    assert found["inception"] == ("weights.pth", "environment BENCH_INCEPTION")
    monkeypatch.setenv("BENCH_RUN_CLIP", "other")
    assert shown(bench)["clip"] == ("other", "environment BENCH_RUN_CLIP")


def test_places_in_a_file_are_seen_from_the_file(
    bench: Bench, write: Write, tmp_path: Path
) -> None:
    text = (
        'plugins = ["./mine", "more"]\n[run]\ndefense = "./d.py:D[path=./x]"\ndata = "folder:./p"'
    )
    named = write(text, "elsewhere/other.toml")
    there = tmp_path / "elsewhere"
    found = shown(bench, "--config", str(named.relative_to(tmp_path)))
    assert found["plugins"][0] == [str(there / "mine"), str(there / "more")]
    assert found["defense"][0] == [f"{there}/d.py:D[path={there}/x]"]
    assert found["data"][0] == f"folder:{there}/p"


def test_a_plugin_folder_of_the_file_is_searched(bench: Bench, write: Write) -> None:
    write('plugins = ["./mine"]\n')
    write(
        "from dataclasses import dataclass\nfrom typing import ClassVar\n"
        "from bench.api import Defense\n\n@dataclass\nclass Mine(Defense):\n"
        '    """Nothing."""\n    name: ClassVar[str] = "mine"\n',
        "mine/mine.py",
    )
    ended = bench("list", "defenses")
    assert "\nmine " in ended.out, ended.err
    ended = bench("plan", *SMALL[2:], "--defense", "mine")
    assert ended.code == 0, ended.err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[run]\n\ndat = "x"', "bench.toml:3: no key in [run] named 'dat'; did you mean data"),
        ("[rum]\nseeds = 1", "bench.toml:1: no key or section named 'rum'; did you mean run"),
        ("seds = 1", "bench.toml:1: no key or section named 'seds'; did you mean seeds"),
        ("[audit]\nsed = 1", "bench.toml:2: no key in [audit] named 'sed'; did you mean seed"),
        ("[run]\nsteps = 'x'", "bench.toml:2: Invalid value for '--steps'"),
        ("[run]\nsteps = 0", "bench.toml:2: Invalid value for '--steps'"),
        ("[run]\nseeds = 'x'", "bench.toml:2: --seeds x: write whole numbers"),
        ("[run]\nrecipe = {a = 1}", "bench.toml:2: --recipe takes no table"),
        ("[run]\nset.loss = 1", "bench.toml:2: write set.loss.PARAM = VALUE"),
        ("[run]\nrecipe = 'quik'", "bench.toml:2: no recipe named 'quik'; did you mean quick"),
        ("[run.set.loss]\ntt = 1", "bench.toml:1: no parameter of loss named 'tt'; did you mean t"),
        ("[run]\nx = ", "bench.toml:2: no TOML: Invalid value"),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_line(
    bench: Bench, write: Write, text: str, told: str
) -> None:
    write(text)
    refused(bench("plan", *SMALL), told)


def test_nothing_heavy_is_loaded_for_an_error(write: Write, shell: Bench, tmp_path: Path) -> None:
    write('[run]\ndat = "x"')
    heavy = "import atexit, sys\natexit.register(lambda: print('torch' in sys.modules))"
    ended = shell("run", *SMALL, before=heavy, cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "False\n")


def test_a_file_that_is_not_there(bench: Bench) -> None:
    refused(bench("plan", *SMALL, "--config", "absent.toml"), "--config absent.toml cannot be read")


def test_the_environment_is_named_in_errors(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_RUN_PRECISION", "bf17")
    refused(bench("plan", *SMALL), "BENCH_RUN_PRECISION: no precision named 'bf17'; did you mean")
    monkeypatch.setenv("BENCH_RUN_DTA", "x")
    refused(bench("plan", *SMALL), "named 'BENCH_RUN_DTA'; did you mean BENCH_RUN_DATA")


def test_lines_of_a_file_of_requests_say_it_all(
    bench: Bench, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a board is made of depends on no other file; the options of the whole run do."""
    asked = write("--defense none --attack loss --data scenes:n=120 --set loss.t=100", "asked.txt")
    alone = bench("plan", "--requests", asked, "--format", "json")
    assert alone.code == 0, alone.err
    write('[run]\nseeds = 4\nset.loss.t = 9\nformat = "json"\n')
    monkeypatch.setenv("BENCH_RUN_RECIPE", "quick")
    beside = bench("plan", "--requests", asked)
    assert beside.out == alone.out
    refused(bench("plan", "--requests", asked, "--seeds", "4"), "leave out --seeds")
    refused(bench("plan", "--requests", asked, "--set", "loss.t=4"), "leave out --set")


def test_a_run_is_resumed_without_file_or_environment(
    bench: Bench, write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from bench.cli.computing import open_store
    from bench.runs import find, save

    file = write('[run]\nattack = "loss"\nset.loss.t = "3|4"\ndata = "scenes:n=120"\n')
    monkeypatch.setenv("BENCH_RUN_DEFENSE", "none")
    seen = {}
    monkeypatch.setattr(
        "bench.cli.answering.compute", lambda store, ends, *rest: seen.update(a=ends) or []
    )
    assert bench("run").code == 0
    file.unlink()
    monkeypatch.delenv("BENCH_RUN_DEFENSE")
    first = [end.key for end in seen.pop("a")]
    assert len(first) == 2
    assert bench("resume").code == 0
    assert [end.key for end in seen["a"]] == first
    store = open_store(tmp_path / "store")
    run = find(store, None)
    assert [*run.requests[0].attacks] == ["loss[t=3]", "loss[t=4]"]
    assert save(store, run.requests, seen["a"]).id == run.id


def test_a_list_of_the_file_may_be_a_parameter(bench: Bench, write: Write) -> None:
    write('[run]\ndata = "scenes:n=120"\ndefense = "none"\nattack = "mc"\n'
          "set.mc.timesteps = [100, 200]\n")  # fmt: skip
    told = bench("plan")
    assert told.code == 0, told.err
    assert "mc[timesteps=(100, 200)]" in told.out
