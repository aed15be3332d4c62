"""Several values at once, and values set from beside a component."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.parameters import parse
from bench.plugins import components
from bench.request import Request
from bench.sweeps import apply_sets, named, read_sets, swept


@pytest.mark.parametrize(
    ("parts", "meant"),
    [
        (["del"], ["del"]),
        (["del[rate=0.1]"], ["del[rate=0.1]"]),
        (["del[rate=0.1|0.3]"], ["del[rate=0.1]", "del[rate=0.3]"]),
        (["a[p=1|2,q=x|y]"], ["a[p=1,q=x]", "a[p=1,q=y]", "a[p=2,q=x]", "a[p=2,q=y]"]),
        (["a[p=1|2]", "b[q=3|4]"], ["a[p=1]+b[q=3]", "a[p=1]+b[q=4]", "a[p=2]+b[q=3]",
                                    "a[p=2]+b[q=4]"]),
        (["mc[ts=(1,2)|(3,4),k=2]"], ["mc[ts=(1,2),k=2]", "mc[ts=(3,4),k=2]"]),
        (["reph[path='a|b,c.jsonl']"], ["reph[path='a|b,c.jsonl']"]),
        (['a[p="x|y",q=1|2]'], ['a[p="x|y",q=1]', 'a[p="x|y",q=2]']),
        (["a[p=it's|he's]"], ["a[p=it's]", "a[p=he's]"]),
    ],
)  # fmt: skip
def test_a_bar_stands_for_several_components(parts: list[str], meant: list[str]) -> None:
    assert swept(parts) == meant


def test_quotes_keep_a_value_as_it_stands() -> None:
    assert parse("x", "path='a|b, (c', k=2") == {"path": "a|b, (c", "k": "2"}
    assert parse("x", 'path="0.1"') == {"path": "0.1"}


def test_values_set_from_outside_join_those_in_brackets() -> None:
    sets = read_sets(["del.rate=0.2|0.4", "loss.t=3", "mine.k=v=1"])
    assert sets == {"del": {"rate": "0.2|0.4"}, "loss": {"t": "3"}, "mine": {"k": "v=1"}}
    assert apply_sets(["none", "del"], sets) == ["none", "del[rate=0.2|0.4]"]
    assert apply_sets(["./mine.py[a=1]"], sets) == ["./mine.py[a=1,k=v=1]"]
    assert [named(p) for p in ("del[rate=1]", "./x/mine.py", "./mine.py:Mine[a=1]")] == [
        "del", "mine", "Mine",
    ]  # fmt: skip
    with pytest.raises(UsageError, match="in brackets and by --set"):
        apply_sets(["loss[t=1]"], sets)


@pytest.mark.parametrize("text", ["del", "del=1", "del.=1", ".rate=1", "del.rate"])
def test_what_is_not_component_parameter_and_value_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"write COMPONENT\.PARAM=VALUE"):
        read_sets([text])


def test_sets_and_sweeps_reach_components_and_all() -> None:
    found = components("defense", ["del+caption_dropout"], sets={"del": {"rate": "0.2|0.3"}})
    assert [one.parts[0].params["rate"] for one in found] == [0.2, 0.3]
    several = components("attack", ["all"], sets={"loss": {"t": "100|200"}})
    assert [one.params["t"] for one in several if one.name == "loss"] == [100, 200]
    assert len({one.name for one in several}) == len(several) - 1


def test_a_stored_request_says_it_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    asked = Request(
        ["del[rate=0.1|0.3]"],
        ["ref_loss"],
        sets=["ref_loss.reference=./w.safetensors"],
        data="scenes",
    )
    full = asked.absolute()
    assert full.defenses == ["del[rate=0.1]", "del[rate=0.3]"]
    assert full.attacks == [f"ref_loss[reference={tmp_path}/w.safetensors]"]
    assert full.sets == []
    every = Request(["none"], ["all"], sets=["ref_loss.reference=./w"]).absolute()
    assert every.attacks == ["all"]
    assert every.sets == [f"ref_loss.reference={tmp_path}/w"]
