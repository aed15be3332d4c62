"""What an attack on a model starts from: the pairs with the captions it knows, and the model.

The stages of one model follow each other in one process; they share its evaluations.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bench.api import Context, Defense
from bench.data.pairs import Pairs
from bench.plugins import instantiate
from bench.rng import generator
from bench.specs import FOLDS
from bench.stages.held import held
from bench.stages.job import Job

if TYPE_CHECKING:
    from bench.models.evaluations import Evaluations

PARTS = {
    "target": ("members", "holdouts"),
    "shadow": ("shadow_members", "shadow_holdouts"),
    **{f"fold_{k}": (f"shadow_fold_{k}",) for k in range(FOLDS)},
}


def viewed_pairs(job: Job) -> Pairs:
    """The pairs of the job's part, with the captions of its view; whose is whose is not told."""
    pairs = job.part(*PARTS[job.params["part"]])
    if job.params["view"] == "pseudo":
        words = job.result_of("captions")["captions"]
        known = tuple(words[id_] for id_ in pairs.ids)
        return replace(pairs, captions=known, originals=known)
    if job.params["view"] == "defended":
        return _replayed(job, pairs)
    return pairs


def _replayed(job: Job, pairs: Pairs) -> Pairs:
    """Captions as the defense would make them: the attacker knows the method, not its seed."""
    defense: Defense = instantiate("defense", job.component("defense"))
    seed = int(generator(job.params["seed"], "replayed defense").integers(2**31))
    prepared = defense.prepare(pairs, Context(seed, job.part("auxiliary")))
    return pairs.with_captions(dict(zip(prepared.ids, prepared.captions, strict=True)))


def evaluations(job: Job) -> Evaluations:
    """The model of the job, with what was evaluated of it before in this process."""
    from bench.models.evaluations import Evaluations

    params = job.params
    about = [params[name] for name in ("at", "base", "seed", "part")]
    key = (job.inputs.get("model"), job.inputs["split"], job.hints.get("weights"), *about)
    return held(key, lambda: Evaluations(job.model(), params["seed"]))
