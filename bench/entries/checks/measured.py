"""Was it measured as boards ask for: seeds, recipe, base, utility?"""

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
LEVEL = 0.95
LARGEST = 1e5
"""What no distance, score or loss of a working model comes near to."""


def check(entry: Entry) -> Iterator[Flaw]:
    """Flaws of the circumstances."""
    yield from _seeds(entry)
    yield from _recipe(entry)
    yield from _base(entry)
    yield from _utility(entry)
    yield from _shadow(entry)


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
        where, utility = f"seed {seed.seed}", seed.utility
        for name, figure in utility:
            if isinstance(figure, Measure) and (flaw := _measure(figure)):
                yield where, f"utility.{name} {flaw}", AGAIN
            elif name.startswith("fd_") and not 0 <= figure <= LARGEST:
                yield where, f"utility.{name} is {figure:g}, no distance", AGAIN
        if utility.n > entry.about.target.sampling.n:
            yield where, f"utility of {utility.n} of {entry.about.target.sampling.n} samples", AGAIN
        judged = utility.clip and utility.clip.digest
        if seed.clip_digest != judged:
            yield where, "clip_digest is not that of the CLIP in utility", AGAIN
        if (seed.training is None) != (entry.about.target.at == 0):
            yield where, "training does not go with target.at", AGAIN


def _measure(figure: Measure) -> str | None:
    """A figure with an interval that a stage can have given."""
    if not figure.low <= figure.value <= figure.high:
        return "lies outside its interval"
    if figure.level != LEVEL:
        return f"has an interval at {figure.level:g}, not {LEVEL}"
    if max(abs(figure.low), abs(figure.high)) > LARGEST or figure.low == figure.high:
        return "has no credible interval"
    return None


def _shadow(entry: Entry) -> Iterator[Flaw]:
    for attacker in entry.about.attackers:
        if attacker.shadow == "resplit":
            what = "its shadow was dealt from the target's own pairs"
            yield f"attacker {attacker.label}", what, "for comparison only: leave it out"
