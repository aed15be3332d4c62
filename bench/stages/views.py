"""What an attack on a model starts from: the pairs with the captions it knows, and the model.

The stages of one model follow each other in one process; they share its evaluations.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bench.api import Context
from bench.data.pairs import Pairs
from bench.rng import generator
from bench.specs import FOLDS
from bench.stages.held import held
from bench.stages.job import Job

if TYPE_CHECKING:
    from bench.models.evaluations import Evaluations

PARTS = {
    "target": ("members", "holdouts", "canary_members", "canary_holdouts"),
    "shadow": ("shadow_members", "shadow_holdouts"),
    **{f"fold_{k}": (f"shadow_fold_{k}",) for k in range(FOLDS)},
}
_fitting: dict[str, int] = {}
"""Rows a forward by base, as this process found them to fit."""


def viewed_pairs(job: Job) -> list[Pairs]:
    """The pairs of the job's part, with the captions of its view; whose is whose is not told.

    Several times where the attacker replays the defense more than once; of a shard its own pairs.
    """
    replays = _whole_part(job)
    first, end = job.params.get("shard", (0, None))
    return [pairs.select(pairs.ids[first:end]) for pairs in replays]


def _whole_part(job: Job) -> list[Pairs]:
    pairs = job.part(*PARTS[job.params["part"]])
    if job.params["view"] == "pseudo":
        words = job.result_of("captions")["captions"]
        known = tuple(words[id_] for id_ in pairs.ids)
        return [replace(pairs, captions=known, originals=known)]
    if job.params["view"] == "defended":
        # A replay may depend on the whole set: a fold's captions are those of its shadow.
        whole = job.part(*PARTS["shadow"]) if job.params["part"].startswith("fold_") else pairs
        auxiliary, replays = job.part("auxiliary"), range(job.params["replays"])
        return [_replayed(job, whole, auxiliary, number).select(pairs.ids) for number in replays]
    return [pairs]


def _replayed(job: Job, pairs: Pairs, auxiliary: Pairs, number: int) -> Pairs:
    """Captions as the defense would make them: the attacker knows the method, not its seed."""
    keys = (job.params["seed"], "replayed defense", number)
    seed = int(generator(*keys).integers(2**31))
    return job.defense().replay(pairs, Context(seed, auxiliary), number)


def evaluations(job: Job) -> Evaluations:
    """The model of the job, with what was evaluated of it before in this process."""
    from bench.models.evaluations import ROWS, Evaluations

    params = job.params
    about = [params[name] for name in ("at", "base", "seed", "part")]
    about += [str(params.get(name)) for name in ("shard", "precision")]
    key = (job.inputs.get("model"), job.inputs["split"], job.hints.get("weights"), *about)
    rows, precision = _fitting.get(params["base"], ROWS), params.get("precision", "fp32")
    return held(key, lambda: Evaluations(job.model(), params["seed"], rows, precision=precision))


def note_rows(job: Job, shared: Evaluations) -> None:
    """Rows that a forward took in the end: recorded, and where the next model of the kind begins.

    The memory that was too small for one model is too small for the next one of its base.
    """
    _fitting[job.params["base"]] = shared.rows
    job.provenance["rows"] = shared.rows
