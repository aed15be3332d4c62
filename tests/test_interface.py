"""`bench.run`: the same words, requests and rows as the command line."""

from __future__ import annotations

import dataclasses
import inspect
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

import pytest

import bench
from bench import asking
from bench.cli import asked
from bench.interface import Words

EXECUTING = {"store", "workers", "executor", "address", "slurm", "max_time", "max_memory"}
OF_THE_COMMAND = {"context", "processes", "track", "form", "requests", *EXECUTING}


@pytest.fixture(scope="module")
def own(ran: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the store, since runs of other words are noted in it."""
    return Path(shutil.copytree(ran.store, tmp_path_factory.mktemp("own") / "store"))


@pytest.fixture(scope="module")
def found(ran: Any, own: Path) -> Any:
    data, recipe, base = ran.words[1], ran.words[3], ran.words[5]
    return bench.run(
        "none", ["loss", "clid_th"], data=data, recipe=recipe, base=str(base), store=own
    )


def test_the_public_names_are_these() -> None:
    assert bench.__all__ == [
        "Attack", "BenchError", "Context", "Defense", "Pairs", "ReferenceAttack", "Result",
        "Target", "__version__", "run",
    ]  # fmt: skip
    assert dir(bench) == sorted(bench.__all__)
    assert (Path(bench.__file__).parent / "py.typed").exists()


def test_defaults_are_those_of_the_command_line() -> None:
    typed = {n.strip("_"): p.default for n, p in inspect.signature(asked.read).parameters.items()}
    called = {n: p.default for n, p in inspect.signature(asking.request).parameters.items()}
    typed["sets"] = typed.pop("set")
    typed = {name: usual for name, usual in typed.items() if name not in OF_THE_COMMAND}
    assert typed.keys() == called.keys()
    for name, usual in called.items():
        if name == "seeds":
            assert (typed[name], usual) == ("0", (0,))
        elif name not in ("defense", "attack"):
            assert typed[name] == usual or (typed[name] is None and usual == ()), name
    of_run = {n: p.default for n, p in inspect.signature(bench.run).parameters.items()}
    assert {*of_run, *Words.__annotations__} - {*EXECUTING, "progress", "words"} == {*called}
    assert all(of_run[name] == called[name] for name in of_run.keys() & called.keys())


def test_defaults_of_a_request_are_the_same() -> None:
    from bench.request import Request

    assert asking.request(["none"], ["loss"]) == Request(["none"], ["loss"])
    hints = get_type_hints(bench.run)
    assert hints["return"] is bench.Result


def test_the_rows_are_those_of_the_command_line(
    found: Any, ran: Any, own: Path, cli: Callable
) -> None:
    words = ("--attack", "loss", "--attack", "clid_th", "--store", own)
    shown = json.loads(cli("run", *ran.words, *words, "--format", "json").out)
    assert json.loads(json.dumps(found.rows)) == shown["rows"]
    assert found.notes == shown["notes"]
    assert f"{found.text}\n" == ran.out
    assert repr(found).startswith(f"bench run {found.id} in {own}\ndefense ")
    frame = found.to_pandas()
    assert list(frame["attack"]) == ["loss", "clid_th"]
    assert frame["auc"].between(0, 1).all()
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.id = "other"


def test_curves_are_drawn_from_the_scores(found: Any) -> None:
    import matplotlib as mpl

    mpl.use("agg")
    from bench.stats.roc import auc

    axes = found.plot()
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert [line.get_label() for line in axes.lines] == ["none, loss", "none, clid_th", "chance"]
    for row, (sides,) in zip(found.rows, found._sides().values(), strict=True):
        assert auc(*sides) == row["auc"]
    assert found.plot(axes) is axes


def test_errors_are_raised_and_silence_is_kept(
    tmp_path: Path, ran: Any, own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(bench.BenchError, match="did you mean none"):
        bench.run("nonee", "loss", store=tmp_path)
    with pytest.raises(bench.BenchError, match="no option of bench.run named 'sed'; did you mean"):
        bench.run("none", "loss", sed=1, store=tmp_path)  # type: ignore[call-arg]
    data, recipe, base = ran.words[1], ran.words[3], str(ran.words[5])
    words = {"data": data, "recipe": recipe, "base": base, "store": own}
    bench.run("none", "loss[t=100|200]", **words, workers=1, progress=False)
    assert capsys.readouterr() == ("", "")
    bench.run("none", "loss[t=300]", **words, workers=1)
    said = capsys.readouterr()
    assert said.out == ""
    assert "metrics (none, loss[t=300])" in said.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"seeds": [0.5]}, r"seeds=0\.5: input should be a valid integer"),
        ({"seeds": "x"}, "seeds='x': input should be a valid integer"),
        ({"steps": "x"}, "steps='x': input should be a valid integer"),
        ({"replays": "x"}, "replays='x': input should be a valid integer"),
        ({"defense": 3}, "defense=3: input should be a valid string"),
        ({"data": 4}, "data=4: input should be a valid string"),
        ({"seeds": -1}, "--seeds -1: must be at least 0"),
        ({"steps": 0}, "--steps 0: must be at least 1"),
        ({"workers": 0}, "--workers 0: must be at least 1"),
    ],
)
def test_a_value_of_another_type_is_told_as_the_command_line_would(words, said, tmp_path):
    with pytest.raises(bench.BenchError, match=said) as raised:
        bench.run(**{"defense": "none", "attack": "loss", "store": tmp_path} | words)
    assert raised.value.exit_code == 2
