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
from bench.entries.schema import Provenance
from bench.entries.sealing import text_of
from bench.runs import Run, saved
from bench.store import Store
from bench.training.recipe import named_recipe


def all_entries(folder: Path) -> list[Entry]:
    """By name; EntryError for the first that does not hold together."""
    if not folder.is_dir():
        return []
    return [load(path) for path in sorted(folder.iterdir()) if path.is_dir()]


def of_store(store: Store, say: Callable[[str], None]) -> list[Entry]:
    """Of every model in a finished run of a recipe for boards; nothing is written.

    An attacker that lacks a seed of its model is left out, and told.
    """
    runs = []
    for run in saved(store):
        if not all(named_recipe(request.recipe).board for request in run.requests):
            continue
        if run.finished(store) < len(run.metrics):
            say(f"left out run {run.id}: not finished (`bench resume {run.id}`)")
        else:
            runs.append(run)
    models = gathered(store, runs)
    for model in models:
        _complete(model, say)
    code, whole = provenance(), [model for model in models if model.attackers]
    return [_entry(model, name, code) for name, model in named(whole, None).items()]


def of_run(store: Store, run: Run) -> list[Entry]:
    """Of every model that a finished run attacked, whatever its recipe; nothing is written.

    ValidationError where the run is not finished, or a plugin is not what it was.
    """
    code = provenance()
    return [
        _entry(model, f"{run.id}-{number}", code)
        for number, model in enumerate(gathered(store, [run]))
    ]


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
