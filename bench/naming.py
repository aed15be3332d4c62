"""Stages in a few words, for progress, plans and errors."""

from __future__ import annotations

from bench.shards import told
from bench.specs import Stage

ROLES = {"members": "target", "shadow_members": "shadow", "shadow_all": "reference"}

PLAIN = {
    "real": "features of real pictures",
    "blind": "blind gates of the split",
    "duplicates": "duplicate gate of the split",
}


def label(stage: Stage) -> str:
    """A stage in a few words: `train members (reph)`."""
    params, named = stage.params, stage.hints.get("label")
    some = told(params.get("shard"))
    if stage.kind == "train":
        role = ROLES.get(params["part"], "reference of one half")
        return f"train {role} ({params['defense']['name']}, seed {params['seed']})"
    if stage.kind == "reference":
        return f"{named}: reference on {params['part']}{some} (seed {params['seed']})"
    if stage.kind == "features":
        on = "base" if params["at"] == 0 else params["part"]
        return f"{named} on {on}{some} (seed {params['seed']})"
    if stage.kind in ("scores", "adopt", "truncated"):
        return f"{stage.kind} ({named})"
    if stage.kind == "metrics":
        cell = params["cell"]
        return f"metrics ({cell['defense']['label']}, {cell['attack']['label']})"
    return PLAIN.get(stage.kind, stage.kind) + some
