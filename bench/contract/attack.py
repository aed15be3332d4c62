"""What an attack must keep to."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from bench.api import Access, Attack, FloatArray, Pairs, ReferenceAttack
from bench.contract.common import Case
from bench.contract.memory import memorising
from bench.contract.outcome import BrokenError, Check, NotApplicableError
from bench.models.base import Base, load_base
from bench.models.target import ModelTarget
from bench.stats.roc import auc

FEW = 4
NEAR = 1e-2
"""Of a feature's spread: what another batch may change by rounding."""
TOLD_APART = 0.75
"""AUC from which members of a model that knows them by heart are taken to be told apart."""


@dataclass
class Asked:
    """Features of a few pairs, and what was asked for them."""

    pairs: Pairs
    features: FloatArray
    queries: float
    """U-Net rows a pair."""
    reference_queries: float


@cache
def _plain(folder: Path) -> Base:
    return load_base(folder)


def ask(made: Attack, base: Base, case: Case, pairs: Pairs, rows: int = 64) -> Asked:
    """One that compares does so with the base as it was before training."""
    target, reference = ModelTarget(base, 0, rows), ModelTarget(_plain(case.base), 0, rows)
    if isinstance(made, ReferenceAttack) and made.reads_reference:
        features = made.compare(target, pairs, made.observe(reference, pairs))
    else:
        features = made.features(target, pairs)
    n = len(pairs)
    return Asked(pairs, features, target.queries / n, reference.queries / n)


def first(case: Case) -> Asked:
    """Its answer about a few members and hold-outs, asked once for all checks."""
    if "asked" not in case.memory:
        members, others = (case.given[name].pairs for name in ("members", "holdouts"))
        some = _joined(members.select(members.ids[:FEW]), others.select(others.ids[:FEW]))
        base = load_base(case.base)
        before = _weights(base)
        case.memory["asked"] = ask(case.make(), base, case, some)
        case.memory["weights kept"] = _weights(base) == before
    found: Asked = case.memory["asked"]
    return found


def says(case: Case) -> None:
    """Access is one of three."""
    access = case.make().access
    if access not in get_args(Access):
        raise BrokenError(f"access is {access!r}, none of {', '.join(get_args(Access))}")


def shaped(case: Case) -> None:
    """(n, F) features, all finite; as many scores as pairs."""
    made, features, n = case.make(), first(case).features, len(first(case).pairs)
    if not isinstance(features, np.ndarray) or features.ndim != 2 or len(features) != n:
        shape = getattr(features, "shape", type(features).__name__)
        raise BrokenError(f"features gives {shape} for {n} pairs; give an array (n, F)")
    if not np.isfinite(features).all():
        raise BrokenError("features are not finite; look for a division by 0 or an overflow")
    handed = features.copy()
    if made.learns:
        made = made.fit(handed, np.arange(n) < FEW)
    scores = np.asarray(made.score(handed))
    case.memory["features kept"] = np.array_equal(handed, features)
    if scores.shape != (n,) or not np.isfinite(scores).all():
        raise BrokenError(f"score gives {scores.shape}; give one finite score a pair, (n,)")


def counted(case: Case) -> None:
    """As many U-Net rows as declared."""
    made, asked = case.make(), first(case)
    if made.queries is None:
        raise NotApplicableError("it declares no number of queries")
    _same_count("queries", made.queries, asked.queries)
    if isinstance(made, ReferenceAttack) and made.reads_reference:
        _same_count("reference_queries", made.reference_queries, asked.reference_queries)


def _same_count(name: str, declared: int, made: float) -> None:
    if declared != made:
        raise BrokenError(
            f"{name} says {declared} a pair, it made {made:g}; correct one of the two"
        )


def determined(case: Case) -> None:
    """The same bits twice."""
    again = ask(case.make(), _plain(case.base), case, first(case).pairs)
    if not np.array_equal(first(case).features, again.features):
        raise BrokenError(
            "the same question twice gives two answers; draw from bench.rng.generator"
        )


def alone(case: Case) -> None:
    """A pair's features depend neither on the other pairs nor on their order, nor on batches."""
    pairs, usual, base = first(case).pairs, first(case).features, _plain(case.base)
    spread = np.maximum(usual.std(axis=0), 1e-9)
    order = np.random.default_rng(0).permutation(len(pairs))
    for what, rows, chosen in (
        ("in another order and in batches of 5", 5, order),
        ("asked about two of them", 64, np.arange(2)),
    ):
        picked = pairs.select([pairs.ids[i] for i in chosen])
        found = ask(case.make(), base, case, picked, rows).features
        if np.any(abs(found - usual[chosen]) > NEAR * spread):
            raise BrokenError(f"{what}, pairs get other features; take each from its pair alone")


def clean(case: Case) -> None:
    """Neither pairs and pictures, nor the model, nor features are written to."""
    first(case)
    for name in ("members", "holdouts"):
        if what := case.given[name].changed():
            raise BrokenError(f"it writes into {what}; work on a copy")
    if not case.memory["weights kept"]:
        raise BrokenError("it changes weights of the model, which other attacks are asking too")
    if not case.memory.get("features kept", True):
        raise BrokenError("fit or score writes into the features; work on a copy")


def signed(case: Case) -> None:
    """Members of a model that knows them by heart score higher."""
    made, parts = case.make(), case.given
    if made.learns:
        made = made.fit(_of(made, case, "shadow_members", "shadow_holdouts"), _labels(case))
    scores = np.asarray(made.score(_of(made, case, "members", "holdouts")))
    n = len(parts["members"].pairs)
    found = auc(scores[:n], scores[n:])
    if found <= 1 - TOLD_APART:
        raise BrokenError(
            f"members score lower (AUC {found:.2f}); higher must mean member: turn it"
        )
    if found < TOLD_APART:
        raise NotApplicableError(
            f"cannot be decided here: AUC {found:.2f} on a model of a megabyte"
        )


def _of(made: Attack, case: Case, members: str, others: str) -> FloatArray:
    known, strange = case.given[members].pairs, case.given[others].pairs
    base = memorising(case.base, known)
    return ask(made, base, case, _joined(known, strange)).features


def _labels(case: Case) -> NDArray[np.bool_]:
    sizes = [len(case.given[name].pairs) for name in ("shadow_members", "shadow_holdouts")]
    return np.repeat([True, False], sizes)


def _joined(one: Pairs, other: Pairs) -> Pairs:
    def open_image(id_: str) -> Any:
        return (one if id_ in one.ids else other).open_image(id_)

    texts = (one.captions + other.captions, one.originals + other.originals)
    return Pairs(one.ids + other.ids, *texts, open_image)


def _weights(base: Base) -> str:
    digest = hashlib.sha256()
    for value in base.unet.state_dict().values():
        digest.update(value.cpu().numpy().tobytes())
    return digest.hexdigest()


ATTACK: tuple[Check[Case], ...] = (
    ("it says what access it needs", says),
    ("features and scores are finite and of the right shape", shaped),
    ("as many queries as declared", counted),
    ("the same answer twice", determined),
    ("no pair depends on the others", alone),
    ("nothing it is handed is written to", clean),
    ("members score higher", signed),
)
