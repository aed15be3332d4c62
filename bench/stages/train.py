"""A fine-tuned model: the target (defended) or the shadow (the attacker's own, undefended)."""

from __future__ import annotations

from typing import Any

from bench.api import Context, Defense
from bench.data.pairs import Pairs
from bench.plugins import instantiate
from bench.stages.job import Job
from bench.training.loop import train
from bench.training.recipe import Recipe


def run(job: Job) -> dict[str, Any]:
    """Weights of the end and of kept epochs; the loss curve and the defense's manifest."""
    members = job.part(job.params["part"])
    context = Context(job.params["seed"], job.part("auxiliary"))
    defense: Defense = instantiate("defense", job.component("defense"))
    prepared = defense.prepare(members, context)
    _check_originals(defense.name, members, prepared)
    if not len(prepared):
        raise ValueError(f"defense {defense.name} left no pair to train on")
    recipe = Recipe(**job.params["recipe"])
    figures = train(
        job.model(),
        prepared,
        recipe,
        job.params["augment"],
        job.params["seed"],
        job.work,
        job.out,
        job.progress,
    )
    changed = sum(a != b for a, b in zip(prepared.captions, prepared.originals, strict=True))
    return {
        **figures,
        "captions_changed": changed / len(prepared),
        "notes": context.notes,
    }


def _check_originals(name: str, members: Pairs, prepared: Pairs) -> None:
    given = dict(zip(members.ids, members.originals, strict=True))
    for id_, original in zip(prepared.ids, prepared.originals, strict=True):
        if given.get(id_) != original:
            raise ValueError(f"defense {name} added pair {id_} or overwrote its original caption")
