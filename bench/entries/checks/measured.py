"""Was it measured as boards ask for: seeds, recipe, base, gates, utility?"""

from __future__ import annotations

from collections.abc import Iterator

from bench.entries.entry import Entry
from bench.entries.figures import Measure
from bench.entries.problems import AGAIN, shown
from bench.entries.schema import SEEDS
from bench.errors import BenchError
from bench.models.base import EMBEDDED, base_folder, base_identity
from bench.training.recipe import RECIPES, Recipe, variants

Flaw = tuple[str, str, str]


def check(entry: Entry) -> Iterator[Flaw]:
    """Flaws of the circumstances."""
    yield from _seeds(entry)
    yield from _recipe(entry)
    yield from _base(entry)
    yield from _utility(entry)
    yield from _gates(entry)


def _seeds(entry: Entry) -> Iterator[Flaw]:
    missing = [str(seed) for seed in SEEDS if seed not in entry.seeds]
    if missing and not entry.about.provisional:
        yield "seeds", f"lacks {', '.join(missing)}", "run them, or submit with --partial"
    if entry.about.provisional and not missing:
        yield "provisional", "is true though no seed is missing", AGAIN


def _recipe(entry: Entry) -> Iterator[Flaw]:
    given = entry.about.target.recipe
    try:
        recipe = Recipe(**given)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        yield "target.recipe", "is no recipe of this bench", AGAIN
        return
    if not recipe.board:
        yield "target.recipe", f"{shown(recipe.name)} is not for boards", "run another --recipe"
    elif recipe.name not in RECIPES:
        yield "target.recipe", f"{shown(recipe.name)} is not shipped", "run a shipped --recipe"
    elif given not in [known.model_dump(mode="json") for known in variants(recipe.name).values()]:
        yield "target.recipe", f"differs from the shipped {recipe.name}", AGAIN
    elif entry.about.target.at not in (None, 0, *recipe.keep):
        at = entry.about.target.at
        yield "target.at", f"{recipe.name} keeps no checkpoint at epoch {at}", AGAIN


def _base(entry: Entry) -> Iterator[Flaw]:
    target = entry.about.target
    if target.base_label != EMBEDDED:
        return
    try:
        shipped = base_identity(base_folder(EMBEDDED))
    except BenchError as error:
        yield "target.base_identity", "cannot be compared", str(error)
        return
    if target.base_identity != shipped:
        yield "target.base_identity", f"is not that of the shipped {EMBEDDED}", "run again with it"


def _utility(entry: Entry) -> Iterator[Flaw]:
    for seed in entry.about.seeds:
        where = f"seed {seed.seed}"
        for name, figure in seed.utility:
            if isinstance(figure, Measure) and not figure.low <= figure.value <= figure.high:
                yield where, f"utility.{name} lies outside its interval", AGAIN
        judged = seed.utility.clip and seed.utility.clip.digest
        if seed.clip_digest != judged:
            yield where, "clip_digest is not that of the CLIP in utility", AGAIN
        if (seed.training is None) != (entry.about.target.at == 0):
            yield where, "training does not go with target.at", AGAIN


def _gates(entry: Entry) -> Iterator[Flaw]:
    todo = "the row cannot be ranked; look at what the gate says of data and attack"
    for seed in entry.about.seeds:
        failed = [(f"seed {seed.seed}", gate.name) for gate in seed.gates if not gate.passed]
        for label, outcome in zip(entry.attackers, seed.attackers, strict=True):
            where = f"seed {seed.seed}, attacker {label}"
            failed += [(where, gate.name) for gate in outcome.gates if not gate.passed]
        for where, name in failed:
            yield where, f"gate {name} failed", todo
