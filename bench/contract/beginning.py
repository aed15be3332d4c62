"""A plugin to begin from: its file, its test, its card."""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from string import Template

from bench.errors import UsageError
from bench.plugins import Kind, discover

USABLE = re.compile(r"[a-z][a-z0-9_]*")

ATTACK = '''\
"""An attack: gives every pair a score, higher where it was more likely trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bench.api import Attack, FloatArray, Pairs, Target


@dataclass
class $title(Attack):
    """Mean denoising loss at a few timesteps: members are denoised better."""

    name: ClassVar[str] = "$name"
    # Parameters are typed fields: `--attack '$name[timesteps=(100,500)]'` sets this one.
    timesteps: tuple[int, ...] = (300, 500)

    @property
    def queries(self) -> int:
        return len(self.timesteps)  # U-Net rows a pair; held against the count

    def features(self, target: Target, pairs: Pairs) -> FloatArray:
        # All an attack may ask is in bench.api.Target. Shape (n, F), each row from its own pair
        # alone; the first column is the score, unless `fit` and `score` are overridden too.
        losses = target.losses(pairs, self.timesteps)
        return -losses.mean(axis=1, keepdims=True)
'''
DEFENSE = '''\
"""A defense: changes what a model is trained on, or how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from bench.api import Context, Defense, Pairs


@dataclass
class $title(Defense):
    """Leaves out the captions of some pairs, so that fewer are learnt with their picture."""

    name: ClassVar[str] = "$name"
    # Where it does nothing, it must train the weights of `none`: the contract tries it.
    zero: ClassVar[Mapping[str, Any]] = {"share": 0.0}
    # Parameters are typed fields: `--defense '$name[share=0.2]'` sets this one.
    share: float = 0.5

    def prepare(self, pairs: Pairs, context: Context) -> Pairs:
        # Every draw is keyed by the pair: so it depends neither on the order nor on the others.
        drawn = {id_: context.rng(self.name, id_).random() for id_ in pairs.ids}
        without = [id_ for id_, number in drawn.items() if number < self.share]
        context.notes["left_out"] = len(without) / max(len(pairs), 1)
        return pairs.with_captions(dict.fromkeys(without, ""))
'''
TEST = '''\
"""The contract of $name, and what it does."""

from pathlib import Path

from bench.contract import broken

FILE = Path(__file__).with_name("$name.py")


def test_it_keeps_the_contract():
    assert broken("$kind", FILE) == []
'''
CARD = """\
# $name

| | |
|---|---|
| kind | $kind |
| file | `$name.py` |
| paper | (authors, venue, year, arXiv number; equation or section) |
| what it does | (one sentence, as in the docstring) |
$knows
| parameters | (name, type, default, what it changes) |
| differs from the published code in | (what, and why) |

Check it: `bench test ./$name.py`. Use it: `bench run $use`.
"""
KNOWS = {
    "attack": "| access | grey: losses and predictions of the target |\n| queries a pair | 2 |",
    "defense": "| acts on | captions, once before training |\n| strength zero | `share=0` |",
}
USE = {
    "attack": "--defense none --attack ./$name.py",
    "defense": "--defense ./$name.py --attack clid_th",
}


def begin(kind: Kind, name: str, out: Path, folders: Iterable[Path] = ()) -> list[Path]:
    """Writes file, test and card of a plugin that works; UsageError for a name that cannot be."""
    _check_name(kind, name, folders)
    texts = {
        f"{name}.py": ATTACK if kind == "attack" else DEFENSE,
        f"test_{name}.py": TEST,
        f"{name}.md": CARD,
    }
    if there := [out / file for file in texts if (out / file).exists()]:
        raise UsageError(f"{there[0]} exists and is not overwritten; take another name or --out")
    words = {"kind": kind, "name": name, "title": name.title().replace("_", "")}
    words |= {"knows": KNOWS[kind], "use": Template(USE[kind]).substitute(words)}
    try:
        out.mkdir(parents=True, exist_ok=True)
        for file, text in texts.items():
            (out / file).write_text(Template(text).substitute(words), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--out {out} cannot be written to: {error.strerror}") from None
    return [out / file for file in texts]


def _check_name(kind: Kind, name: str, folders: Iterable[Path]) -> None:
    if keyword.iskeyword(name):
        raise UsageError(f"'{name}' is a word of Python itself; take another name")
    if name in sys.stdlib_module_names:
        raise UsageError(
            f"{name}.py would stand before Python's own module of that name; take another name"
        )
    if not USABLE.fullmatch(name):
        raise UsageError(
            f"'{name}' cannot be the name of a plugin; take lower-case letters, digits and '_', "
            "beginning with a letter"
        )
    if name in ("all", "test"):
        raise UsageError(f"'{name}' has a meaning of its own; take another name")
    for plugin in discover(kind, folders, name, load=False):
        if plugin.name == name:
            raise UsageError(f"{kind} '{name}' exists already ({plugin.origin}); take another name")
