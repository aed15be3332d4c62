"""The contract holds for what is shipped, and every check fails where it should."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.contract import broken, outcomes
from bench.plugins import shipped

QUICK = [("attack", "loss"), ("attack", "clid_vec"), ("defense", "shuffle")]
EVERY = [(kind, one.name) for kind in ("attack", "defense") for one in shipped(kind)]

ATTACK = '''
import numpy as np
from dataclasses import dataclass
from typing import Any, ClassVar
from bench import Attack

calls = []


@dataclass
class Odd(Attack):
    """Something is odd about it."""

    name: ClassVar[str] = "odd"
    queries = 1

    def features(self, target, pairs):
        found = -target.losses(pairs, [400])
        {features}
        return found

    def score(self, features):
        {score}
        return features[:, 0]
'''
ATTACKS = {
    "it has a card": {'"""Something is odd about it."""': "pass"},
    "it says what access it needs": {"queries = 1": 'queries = 1; access = "pink"'},
    "as many queries as declared": {"queries = 1": "queries = 2"},
    "features and scores are finite and of the right shape": {"{score}": "features *= np.inf"},
    "the same answer twice": {"{features}": "calls.append(1); found += len(calls)"},
    "no pair depends on the others": {"{features}": "found -= found.mean()"},
    "nothing it is handed is written to": {"{score}": "features += 1"},
    "members score higher": {"{features}": "found = -found"},
}
PICTURES = {
    "attack": "for pair in pairs: pair.image.putpixel((0, 0), (1, 2, 3))",
    "defense": "pairs.image(pairs.ids[0]).putpixel((0, 0), (1, 2, 3))",
}
DEFENSE = '''
from dataclasses import dataclass
from typing import ClassVar
from bench import Defense

calls = []


@dataclass
class Odd(Defense):
    """Something is odd about it."""

    name: ClassVar[str] = "odd"
    {declared}
    p: float = 0.5

    def prepare(self, pairs, context):
        captions = list(pairs.captions)
        {prepare}
        return pairs.with_captions(captions)

    def stops(self, epoch, training):
        {stops}
'''
DEFENSES = {
    "it prepares members and nothing else": {"{prepare}": "return list(pairs)"},
    "no pair depends on the order": {"{prepare}": 'captions[0] = ""'},
    "the same weights twice": {"{prepare}": 'calls.append(1); captions[-1] = "x" * len(calls)'},
    "killed half-way, the same weights": {
        "{stops}": "return False\n\n"
        "    def on_batch(self, batch, training):\n"
        "        self.seen = getattr(self, 'seen', 0) + 1\n"
        "        batch.clean = batch.clean * self.seen\n"
        "        return batch"
    },
    "at strength zero, the weights of none": {
        "{declared}": 'zero: ClassVar = {"p": 0.0}',
        "{prepare}": 'captions[0] = ""',
    },
    "the same replay twice": {"{prepare}": 'calls.append(1); captions[0] = str(len(calls))'},
    "hold-outs are not looked at": {
        "{prepare}": "from bench.data import scenes; pairs.image(scenes.pairs().ids[13])"
    },
    "nothing it is handed is written to": {"{prepare}": PICTURES["defense"]},
}  # fmt: skip


def written(folder: Path, text: str, changes: dict[str, str]) -> Path:
    for old, new in changes.items():
        text = text.replace(old, new)
    for place in ("features", "score", "prepare", "stops", "declared"):
        text = text.replace(f"{{{place}}}", "return False" if place == "stops" else "pass")
    path = folder / "odd.py"
    path.write_text(text)
    return path


def state(kind: Any, path: Path, check: str) -> str:
    """How this check ends; those behind it are not run."""
    return next(one.state for one in outcomes(kind, str(path)) if one.check == check)


@pytest.mark.parametrize(("kind", "name"), QUICK)
def test_shipped_plugins_keep_it(kind: Any, name: str) -> None:
    assert broken(kind, name) == []


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_every_shipped_plugin_keeps_it(kind: Any, name: str) -> None:
    assert broken(kind, name) == []


@pytest.mark.parametrize("check", ATTACKS)
def test_an_attack_that_breaks_it_is_found(tmp_path: Path, check: str) -> None:
    path = written(tmp_path, ATTACK, ATTACKS[check])
    assert state("attack", path, check) == "failed"


def test_an_attack_that_paints_is_found(tmp_path: Path) -> None:
    path = written(tmp_path, ATTACK, {"{features}": PICTURES["attack"]})
    assert state("attack", path, "nothing it is handed is written to") == "failed"


@pytest.mark.parametrize("check", DEFENSES)
def test_a_defense_that_breaks_it_is_found(tmp_path: Path, check: str) -> None:
    path = written(tmp_path, DEFENSE, DEFENSES[check])
    assert state("defense", path, check) == "failed"


def test_what_cannot_be_decided_is_not_called_right(tmp_path: Path) -> None:
    path = written(tmp_path, ATTACK, {"{features}": "found *= 0"})
    [sign] = [one for one in outcomes("attack", str(path)) if one.check == "members score higher"]
    assert (sign.state, "cannot be decided" in sign.said) == ("not applicable", True)


def test_the_command_says_what_is_wrong_and_exits_1(
    cli: Callable[..., Any], tmp_path: Path
) -> None:
    path = written(tmp_path, ATTACK, ATTACKS["as many queries as declared"])
    ended = cli("test", path)
    assert ended.code == 1
    [line] = [line for line in ended.out.splitlines() if "failed" in line]
    assert line.endswith("queries says 2 a pair, it made 1; correct one of the two")
    assert ended.err.splitlines()[-1].startswith("error: ")


def test_the_command_tells_that_there_is_no_such_plugin(cli: Callable[..., Any]) -> None:
    ended = cli("test", "shufle")
    assert (ended.code, ended.out) == (2, "")
    assert "did you mean shuffle" in ended.err
    assert cli("test", "./nope.py").err.startswith("error: no file nope.py; ")
