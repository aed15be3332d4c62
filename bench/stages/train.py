"""A fine-tuned model: the target (defended) or one of the attacker's own."""

from __future__ import annotations

from typing import Any

from bench.stages.job import Job
from bench.stages.together import train_together
from bench.stages.trained import trained
from bench.training.peers import check_shareable
from bench.training.recipe import Recipe


def run(job: Job) -> dict[str, Any]:
    """Trained here, or by several processes together."""
    processes = job.means.get("processes", 1)
    if processes == 1:
        return trained(job)
    recipe, defense = Recipe(**job.params["recipe"]), job.defense()
    members = job.part(job.params["part"])
    check_shareable(defense.recipe(recipe, len(members)), defense, processes)
    job.provenance["processes"] = processes
    return train_together(job, processes)
