"""Several defenses together: their order, their refusals, and that none disturbs another."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pytest
import torch

from bench.composition import Composition, ordered
from bench.data import scenes
from bench.defending import Batch, Context, Defense
from bench.errors import UsageError
from bench.plugins import resolve

PAIRS = scenes.pairs().select(scenes.pairs().ids[:4])


@dataclass
class Step(Defense):
    """Writes its letter into everything it is handed."""

    name: ClassVar[str] = "step"
    letter: str = "s"
    factor: float = 1.0
    told: list[str] = field(default_factory=list)

    def prepare(self, pairs, context):
        context.notes["draw"] = context.rng(self.name).random()
        return pairs.with_captions([c + self.letter for c in pairs.captions])

    def caption(self, pair, caption, rng):
        return f"{caption}{self.letter}{rng.integers(10**6)}"

    def weigh(self, errors, batch, training):
        return None if self.factor == 1.0 else torch.full((len(errors),), self.factor)

    def stops(self, epoch, training):
        self.told.append(self.letter)
        return self.letter == "x"


def step(name: str, level: str = "data", **params):
    cls = type(name, (Step,), {"name": name, "level": level})
    return cls(letter=name, **params)


def test_levels_act_in_their_order_and_equals_as_they_were_named():
    named = [step("p", "procedure"), step("b", "batch"), step("d"), step("e"), step("v", "visit")]
    assert [named[i].name for i in ordered(named)] == ["d", "e", "v", "b", "p"]
    texts = Composition(named).prepare(PAIRS, Context(0, PAIRS)).captions
    assert texts == tuple(c + "devbp" for c in PAIRS.captions)


def test_a_part_draws_the_same_whoever_stands_beside_it():
    context = Context(3, PAIRS)
    alone, beside = Composition([step("a")]), Composition([step("b"), step("a")])
    for composed in (alone, beside):
        composed.prepare(PAIRS, context)
    assert alone.notes["a"] == beside.notes["a"] != beside.notes["b"]
    own = alone.caption("id", "", 1, context)
    assert beside.caption("id", "", 1, context).endswith(own)
    assert alone.caption("id", "", 2, context) != own


def test_weights_multiply_and_none_is_one():
    errors = torch.zeros(3, 1)
    batch = Batch(("a", "b", "c"), 0, errors, errors, errors, errors)
    two = Composition([step("a", factor=2.0), step("b"), step("c", factor=5.0)])
    two._views = [None] * 3
    assert two.weigh(errors, batch).tolist() == [10.0] * 3
    none = Composition([step("a"), step("b")])
    none._views = [None] * 2
    assert none.weigh(errors, batch) is None


def test_everybody_hears_the_end_of_an_epoch_even_if_one_stops():
    composed = Composition([step("x"), step("y")])
    composed._views = [None] * 2
    assert composed.stops(1)
    assert [part.told for part in composed.parts] == [["x"], ["y"]]


def test_what_cannot_go_together_is_refused_with_its_reason():
    one = step("a")
    type(one).excludes = {"b": "both turn the same screw"}
    for parts in ([one, step("b")], [step("b"), one]):
        with pytest.raises(UsageError, match="cannot go together: both turn the same screw"):
            Composition(parts)
    with pytest.raises(UsageError, match="the same defense twice"):
        Composition([step("c"), step("c")])


def test_joined_names_are_one_defense_in_the_order_they_act():
    both = resolve("defense", "caption_dropout[p=0.2]+del1")
    assert both.label == "del1+caption_dropout[p=0.2]"
    assert both.identity() == resolve("defense", "del1 + caption_dropout[p=0.2]").identity()
    assert [part.name for part in both.parts] == ["del1", "caption_dropout"]
    assert len(both.paths()) == 2
    with pytest.raises(UsageError, match=r"did you mean del1"):
        resolve("defense", "del11+gn")
    for text in ("del1+del3", "none+gn"):
        with pytest.raises(UsageError, match="cannot go together"):
            resolve("defense", text)


def test_a_plus_in_a_file_s_name_joins_nothing(tmp_path: Path):
    path = tmp_path / "c++" / "a+b.py"
    path.parent.mkdir()
    path.write_text(
        "from bench import Defense\nclass Mine(Defense):\n    '''Mine.'''\n    name = 'mine'\n"
    )
    for text in (str(path), f"{path}:Mine"):
        assert resolve("defense", text).name == "mine"
    assert resolve("defense", f"{path}+del1").name == "mine+del1"
