"""Makes the entry of one model from what a store holds of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.entries import arrays
from bench.entries.collect import Measured, Model
from bench.entries.document import checked, parse
from bench.entries.entry import parted, usual
from bench.entries.gates import SPLIT_GATES
from bench.entries.labels import KNOWN, attacker_label
from bench.entries.problems import FlawError
from bench.entries.schema import SCHEMA, SCORES, SEEDS, Provenance
from bench.entries.sealing import sealed, text_of
from bench.errors import ValidationError
from bench.plugins import instantiate, shipped_folder, source_digests
from bench.specs import Component, canonical
from bench.stages.metrics import attack_figures
from bench.stats import auc
from bench.trust.permutation import permutation_gate

TOLD = 1e-4
"""How far rounding scores to single precision may move an AUC."""


@dataclass(frozen=True)
class Wording:
    """What a person adds to what was measured."""

    licence: str = "Apache-2.0"
    title: str | None = None
    paper: str | None = None
    authors: Sequence[str] = ()


def build(
    model: Model, name: str, wording: Wording, code: Provenance
) -> tuple[dict[str, Any], bytes]:
    """`entry.json` as a sealed document, and the bytes of `scores.npz`.

    All figures of attacks are computed anew from the scores as they are stored.
    """
    attackers = [_attacker(model, of_seed) for of_seed in model.attackers.values()]
    stored: dict[str, NDArray[Any]] = {}
    seeds = [_seed(model, seed, stored) for seed in model.seeds]
    scores = arrays.write_scores(stored)
    document = sealed(
        {
            "schema_version": SCHEMA,
            "name": name,
            "title": wording.title or model.label,
            "licence": wording.licence,
            "paper": wording.paper,
            "authors": list(wording.authors),
            "provisional": not {*SEEDS} <= {*model.seeds},
            "target": _target(model),
            "attackers": attackers,
            "seeds": seeds,
            "provenance": code.model_dump(),
            "files": {SCORES: arrays.file_sha256(scores)},
        }
    )
    try:
        checked(parse(text_of(document).encode()))
    except FlawError as flaw:
        where, what, _ = flaw.told
        raise ValidationError(f"{model.label}: {where}: {what}; no entry can say that") from None
    return document, scores


def _target(model: Model) -> dict[str, Any]:
    card = model.card
    parts = card["defense"].get("parts", [card["defense"]])
    defense = {
        "label": card["defense"]["label"],
        "parts": [_plugin(model, "defense", part)[0] for part in parts],
    }
    return {"data": model.data, **card, "defense": defense, "canaries": card["canaries"] or 0}


def _attacker(model: Model, of_seed: Mapping[int, Measured]) -> dict[str, Any]:
    first = next(iter(of_seed.values()))
    plugin, made = _plugin(model, "attack", first.card["attack"])
    known = {name: first.card[name] for name in KNOWN}
    asked = first.result["queries"]
    return {
        "label": attacker_label(plugin["label"], **known),
        "attack": plugin,
        **known,
        "access": made.access,
        "queries": asked["queries"] // asked["pairs"],
        "reference_queries": asked.get("reference_queries", 0) // asked["pairs"],
    }


def _plugin(model: Model, kind: Any, identity: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
    """The plugin as an entry tells it, and the object itself."""
    wanted = {key: identity[key] for key in ("name", "params", "source")}
    component: Component | None = model.plugins.get(canonical(wanted))
    if component is None:
        raise ValidationError(
            f"{model.label}: {kind} {identity['name']} has been changed since; run again"
        )
    path, made = Path(component.path), instantiate(kind, component)
    file, reads = source_digests(path, made)
    shipped = path.parent == shipped_folder(kind).resolve()
    told = {
        **wanted,
        "label": component.label,
        "file": file,
        "reads": reads,
        "shipped": shipped,
        "text": None if shipped else path.read_bytes().decode(),
    }
    return told, made


def _seed(model: Model, seed: int, stored: dict[str, NDArray[Any]]) -> dict[str, Any]:
    measured = [of_seed[seed] for of_seed in model.attackers.values()]
    judged = max(measured, key=lambda one: one.card["clip_digest"] is not None)
    shared = [gate for gate in measured[0].result.get("gates") or [] if gate["name"] in SPLIT_GATES]
    return {
        "seed": seed,
        "split": judged.result["split"],
        "attackers": [
            _outcome(model, one, f"seed{seed}", number, stored)
            for number, one in enumerate(measured)
        ],
        "utility": judged.result["utility"],
        **{name: judged.card[name] for name in ("inception_digest", "clip_digest")},
        "training": judged.result["training"],
        "gates": shared,
        "made": judged.made,
    }


def _outcome(
    model: Model, one: Measured, seed: str, number: int, stored: dict[str, NDArray[Any]]
) -> dict[str, Any]:
    start = f"{seed}-attacker{number}"
    sets = {f"{start}-target": one.scores} | ({f"{start}-base": one.control} if one.control else {})
    figures = [
        _stored(model, name, path, seed, stored, one.threshold) for name, path in sets.items()
    ]
    _, made = _plugin(model, "attack", one.card["attack"])
    return {
        "threshold": one.threshold,
        "threshold_from": "shadow" if made.threshold is None else "fixed",
        "metrics": figures[0],
        "base_control": figures[1] if one.control else None,
        "gates": [_permuted(model, stored, seed, f"{start}-target")],
    }


def _stored(
    model: Model,
    name: str,
    path: Path,
    seed: str,
    stored: dict[str, NDArray[Any]],
    threshold: float,
) -> dict[str, Any]:
    """Puts the scores of one file among the arrays; the figures of what is there then."""
    with np.load(path, allow_pickle=False) as found:
        ids, scores, member = found["ids"], found["scores"], found["is_member"]
    for what, array in (("ids", ids), ("members", member)):
        if not np.array_equal(stored.setdefault(f"{seed}-{what}", array), array):
            raise ValidationError(f"{model.label}: attackers of {seed} were run on other pairs")
    stored[name] = _short(scores, member)
    scored = parted(stored[name], ids, member, model.card["canaries"] or 0)
    return attack_figures(*scored, threshold)


def _permuted(
    model: Model, stored: Mapping[str, NDArray[Any]], seed: str, name: str
) -> dict[str, Any]:
    """The gate of permuted labels on the scores as they are stored."""
    pairs = (stored[f"{seed}-ids"], stored[f"{seed}-members"])
    return permutation_gate(*usual(stored[name], *pairs, model.card["canaries"] or 0))._asdict()


def _short(scores: NDArray[np.float64], member: NDArray[np.bool_]) -> NDArray[Any]:
    """Single precision where nobody could tell the difference."""
    with np.errstate(over="ignore"):
        short = scores.astype("<f4")
    if np.isfinite(short).all():
        told = auc(short[member], short[~member]) - auc(scores[member], scores[~member])
        if abs(told) <= TOLD:
            return short
    return scores.astype("<f8")
