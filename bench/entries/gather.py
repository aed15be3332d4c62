"""All entries of a folder, or those that a store's finished runs would give."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bench.entries import arrays
from bench.entries.build import Wording, build
from bench.entries.code import provenance
from bench.entries.collect import Model, gathered
from bench.entries.document import checked, parse
from bench.entries.entry import Entry
from bench.entries.load import load, names
from bench.entries.places import named
from bench.entries.schema import DOCUMENT, Provenance
from bench.entries.sealing import text_of
from bench.runs import saved
from bench.store import Store
from bench.training.recipe import named_recipe


def all_entries(folder: Path) -> list[Entry]:
    """By name; EntryError for the first that does not hold together."""
    return [load(path.parent) for path in sorted(folder.glob(f"*/{DOCUMENT}"))]


def of_store(store: Store, say: Callable[[str], None]) -> list[Entry]:
    """Of every model in a finished run of a recipe for boards; nothing is written.

    An attacker that lacks a seed of its model is left out, and told.
    """
    runs = [
        run
        for run in saved(store)
        if run.finished(store) == len(run.metrics)
        and all(named_recipe(request.recipe).board for request in run.requests)
    ]
    models = gathered(store, runs)
    for model in models:
        _complete(model, say)
    code = provenance()
    return [_entry(model, name, code) for name, model in named(models, None).items()]


def _complete(model: Model, say: Callable[[str], None]) -> None:
    due = {*model.seeds}
    for key, of_seed in list(model.attackers.items()):
        if due - set(of_seed):
            label = next(iter(of_seed.values())).card["attack"]["label"]
            say(f"left out {label} on {model.label}: other seeds than other attackers")
            del model.attackers[key]


def _entry(model: Model, name: str, code: Provenance) -> Entry:
    document, scores = build(model, name, Wording(), code)
    about = checked(parse(text_of(document).encode()))
    return Entry(Path(name), about, arrays.read_scores(scores, names(about)))
