"""Metrics records of cells that were never run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bench.specs import STAGE_VERSIONS, Stage

CLIP_FIGURES = ("clip", "clip_score", "clip_gain", "clip_score_real", "clip_gain_real")
Record = tuple[Stage, dict[str, Any]]


def estimate(value: float, half: float = 0.02) -> dict[str, Any]:
    low, high = max(0.0, value - half), min(1.0, value + half)
    return {"value": value, "low": low, "high": high, "method": "made up", "level": 0.95}


def points(value: float) -> dict[str, Any]:
    """A figure on the scale of CLIPScore."""
    return {"value": value, "low": value - 1, "high": value + 1, "method": "made up", "level": 0.95}


def figures(auc: float, tpr: float | None) -> dict[str, Any]:
    return {
        "members": 500,
        "holdouts": 500,
        "auc": estimate(auc),
        "asr": estimate(auc),
        "asr_oracle": auc,
        "tpr": None if tpr is None else estimate(tpr),
        "tpr_quality": "refused" if tpr is None else "warned",
        "tpr_null": 0.01,
        "tpr_swapped": 0.01,
    }


def component(name: str, source: str = "1") -> dict[str, Any]:
    return {"name": name, "params": {}, "source": source, "label": name}


def blind_gate(name: str, auc: float) -> dict[str, Any]:
    """A verdict among labellings that reach .56, as a stage would give it."""
    figures = {
        "auc": auc,
        "rule": "rank",
        "auc_others_highest": 0.56,
        "tpr": 0.012,
        "tpr_others_highest": 0.03,
    }
    return {"name": f"blind {name}", "passed": auc <= 0.56, "figures": figures}


@pytest.fixture(scope="session")
def metrics() -> Callable[..., Record]:
    """A metrics stage with its result."""

    def made(
        defense: str = "none",
        attack: str = "loss",
        tpr: float | None = 0.1,
        auc: float = 0.6,
        base_auc: float = 0.5,
        source: str = "1",
        board: bool = True,
        notes: dict[str, Any] | None = None,
        clip: str | None = "c11b",
        clip_score: float = 20.0,
        clip_gain_real: float = 6.0,
        own_text_tower: bool = False,
        precision: float | None = 0.3,
        blind_auc: float = 0.51,
        twins: int = 0,
        **changed: Any,
    ) -> Record:
        cell = {
            "data_label": "tiles",
            "data_identity": "data-1",
            "base_label": "mini-sd",
            "base_identity": "base-1",
            "resolution": 32,
            "recipe": {"name": "mini", "epochs": 80, "board": board},
            "defense": component(defense),
            "augment": "default",
            "attack": component(attack, source),
            "view": "original",
            "replays": 1,
            "pool": "mean",
            "shadow": "disjoint",
            "shadow_defense": "none",
            "seed": 0,
            "at": None,
            "sampling": {"n": 350, "steps": 25, "guidance": 3.0},
            "stage_versions": STAGE_VERSIONS,
        }
        result = {
            "attack": figures(auc, tpr),
            "base_control": figures(base_auc, tpr),
            "utility": {
                "n": 350,
                "fid": None,
                "kid_effnet": estimate(0.05),
                "kid_effnet_floor": estimate(0.0),
                "fd_effnet": 300.0,
                "fd_effnet_floor": 30.0,
                "fd_effnet64": 20.0,
                "fd_effnet64_floor": 2.0,
                "held_out_loss": estimate(0.1, 0.001),
                "precision": precision,
                "recall": 0.1,
                "precision_real": precision and 0.8,
                "recall_real": 0.7,
                **(
                    dict.fromkeys(CLIP_FIGURES)
                    if clip is None
                    else {
                        "clip": {"digest": clip, "own_text_tower": own_text_tower},
                        "clip_score": points(clip_score),
                        "clip_gain": points(5.0),
                        "clip_score_real": points(25.0),
                        "clip_gain_real": points(clip_gain_real),
                    }
                ),
            },
            "queries": {"pairs": 1000, "queries": 1000},
            "training": {"notes": notes or {}},
            "gates": [
                blind_gate("captions", blind_auc),
                blind_gate("pictures", 0.5),
                {
                    "name": "duplicates",
                    "passed": not twins,
                    "figures": {"pictures": twins, "captions": 0, "of_target": 0},
                },
                {"name": "label permutation", "passed": True, "figures": {"mean": 0.5}},
            ],
            "split": "digest",
        }
        card = cell | {"clip_digest": clip} | changed
        return Stage("metrics", {"cell": card}), result

    return made


@pytest.fixture(scope="session")
def as_records() -> Callable[..., Any]:
    """What a store would give of them."""
    return lambda *made: [(stage.key, {"spec": stage.spec, "result": r}) for stage, r in made]
