"""Entries made from real runs of the smallest model, and tools to spoil copies of them.

The recipe `tiny` is known to the suite for as long as these tests run, since those that are shipped
and may be ranked take minutes.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from bench.entries import arrays, sealing
from bench.entries.build import Wording, build
from bench.entries.collect import Model, models
from bench.entries.load import load
from bench.entries.places import write
from bench.entries.schema import Provenance
from bench.runs import find, saved
from bench.store import Store
from bench.training.recipe import RECIPES, SUMMARIES, Recipe

TINY = Recipe(name="tiny", epochs=2, keep=(1,), crop_margin=2)
MINE = '''
"""A defense of one's own."""
from dataclasses import dataclass
from typing import ClassVar

from bench.api import Defense


@dataclass
class Loud(Defense):
    """Shouts."""

    name: ClassVar[str] = "loud"
    factor: int = 2

    def prepare(self, pairs, context):
        return pairs.with_captions([text.upper() * self.factor for text in pairs.captions])
'''


class Runs(NamedTuple):
    """Finished runs: their store, and their ids."""

    store: Path
    board: str
    """Three seeds of two attacks on `none`."""
    later: str
    """Another attack on the same models."""
    own: str
    """One seed of a defense that is not shipped."""


@pytest.fixture(scope="session")
def tiny_recipe() -> Iterator[Recipe]:
    RECIPES["tiny"], SUMMARIES["tiny"] = TINY, "of tests"
    yield TINY
    del RECIPES["tiny"], SUMMARIES["tiny"]


@pytest.fixture(scope="session")
def runs(cli, tiny_base, tiny_recipe, tmp_path_factory) -> Runs:
    store = tmp_path_factory.mktemp("stores") / "entries"
    mine = tmp_path_factory.mktemp("mine") / "loud.py"
    mine.write_text(MINE)
    words = ["--data", "scenes:n=120", "--recipe", "tiny", "--base", tiny_base, "--workers", 1]
    words += ["--store", store]
    none = ["--defense", "none", "--seeds", "0,1,2"]
    ids = []
    for more in ([*none, "--attack", "loss", "--attack", "clid_th"],
                 [*none, "--attack", "ref_loss[reference=base]"],
                 ["--defense", mine, "--attack", "loss"]):  # fmt: skip
        ended = cli("run", *words, *more)
        assert ended.code == 0, ended.err
        ids += [run.id for run in saved(Store(store)) if run.id not in ids]
    return Runs(store, *ids)


@pytest.fixture(scope="session")
def measured(runs) -> dict[str, Model]:
    """The two models of those runs, by the names of their entries."""
    store = Store(runs.store)
    every = [find(store, run) for run in (runs.board, runs.later, runs.own)]
    found = models(store, every, partial=True)
    names = ("none", "loud")
    assert len(found) == 2
    return dict(zip(names, found, strict=True))


@pytest.fixture(scope="session")
def clean() -> Provenance:
    """Code that is committed, whatever the state of this checkout."""
    return Provenance(bench="0.1.0", commit="a" * 40, dirty=False)


@pytest.fixture(scope="session")
def sound(measured, clean, tmp_path_factory) -> Path:
    """A folder with both entries, as clean code would have written them."""
    folder = tmp_path_factory.mktemp("boards") / "entries"
    for name, model in measured.items():
        write(folder, *build(model, name, Wording(), clean))
    return folder


class Spoilt:
    """A copy of an entry that a test does something to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.document = folder / "entry.json"
        self.scores = folder / "scores.npz"

    def edit(self, change: Callable[[dict[str, Any]], Any], *, seal: bool = True) -> None:
        """Changes the document; a hostile author makes the digests fit again."""
        document = json.loads(self.document.read_text())
        change(document)
        if seal:
            document = sealing.sealed(document)
        self.document.write_text(json.dumps(document, indent=1) + "\n")

    def replace(self, old: str, new: str) -> None:
        """Changes the text of the document once, digests as they were."""
        text = self.document.read_text()
        assert old in text
        self.document.write_text(text.replace(old, new, 1))

    def put(self, data: bytes) -> None:
        """Other bytes as scores.npz, with a digest that fits."""
        self.scores.write_bytes(data)
        digest = arrays.file_sha256(data)
        self.edit(lambda document: document["files"].update({"scores.npz": digest}))

    def repack(self, change: Callable[[dict[str, Any]], Any]) -> None:
        """Changes the arrays, all digests fit."""
        with np.load(self.scores, allow_pickle=False) as stored:
            found = dict(stored)
        change(found)
        self.put(arrays.write_scores(found))


@pytest.fixture
def spoilt(sound, tmp_path) -> Spoilt:
    """The entry `none`, alone in a folder of entries."""
    return Spoilt(Path(shutil.copytree(sound / "none", tmp_path / "entries" / "none")))


@pytest.fixture
def own(sound, tmp_path) -> Spoilt:
    """The entry `loud`, of a defense that is not shipped."""
    return Spoilt(Path(shutil.copytree(sound / "loud", tmp_path / "entries" / "loud")))


@pytest.fixture
def entry(sound):
    return load(sound / "none")
