"""One training in this process, which may be one of several that train together."""

from __future__ import annotations

import json
import time
from typing import Any

from bench.api import Context
from bench.data.pairs import Pairs
from bench.stages.job import Job
from bench.training.loop import Task, train
from bench.training.means import Means
from bench.training.recipe import Recipe


def trained(job: Job) -> dict[str, Any]:
    """Weights of the end and of kept epochs; the loss curve and the defense's manifest."""
    canaries = ["canary_members"] if job.params["part"] == "members" else []
    members = job.part(job.params["part"], *canaries)
    auxiliary = job.part("auxiliary")
    defense = job.defense()
    prepared = defense.prepare(members, Context(job.params["seed"], auxiliary))
    named = "+".join(part.name for part in defense.parts)
    _check_originals(named, members, prepared)
    if not len(prepared):
        raise ValueError(f"defense {named} left no pair to train on")
    recipe = Recipe(**job.params["recipe"])
    task = Task(prepared, recipe, job.params["augment"], job.params["seed"], auxiliary, defense)
    started = time.monotonic()
    means = Means.of(job.means)
    figures = train(job.model(), task, job.work, job.out, job.progress, means)
    job.provenance["training_seconds"] = round(time.monotonic() - started, 1)
    touched = _touched(members, prepared)
    if means.peers.first:
        (job.out / "touched.json").write_text(json.dumps(touched), encoding="utf-8")
    return {
        **figures,
        "captions_changed": len(touched) / len(members),
        "notes": {title: notes for title, notes in defense.notes.items() if notes},
    }


def _touched(members: Pairs, prepared: Pairs) -> list[str]:
    """Members that were trained on with another caption than their own, or left out."""
    read = dict(zip(prepared.ids, prepared.captions, strict=True))
    return [
        id_ for id_, own in zip(members.ids, members.originals, strict=True) if read.get(id_) != own
    ]


def _check_originals(name: str, members: Pairs, prepared: Pairs) -> None:
    given = dict(zip(members.ids, members.originals, strict=True))
    for id_, original in zip(prepared.ids, prepared.originals, strict=True):
        if given.get(id_) != original:
            raise ValueError(f"defense {name} added pair {id_} or overwrote its original caption")
