"""Who is found: the members whose scores stand out most, with their pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.boards.rows import Row
from bench.reports.gather import Findings, Scored, Setting
from bench.reports.pictures import Gallery
from bench.reports.section import Section, Table

MOST = 8
"""Pairs of a row, over all its seeds."""
ROWS = 240
"""Lines of the table: with many rows each shows fewer."""
MAD = 1.4826
"""A median absolute deviation as a standard deviation, for normal scores."""


def section(found: Findings, setting: Setting, gallery: Gallery | None) -> Section:
    """The most exposed members of every row in one table; `gallery` None: without pictures."""
    title = "The most exposed members"
    each = max(1, min(MOST, ROWS // len(setting.rows)))
    records = [
        record for row in setting.rows for record in _of_row(found, setting, row, each, gallery)
    ]
    if not records:
        return Section("exposed", title, ["The scores are no longer in the store."])
    lead = [
        "Pairs of the training set that an attacker would name first, with full right: each of "
        "these was trained on. Percentile: the share of hold-outs that score lower. Standing out: "
        "by how many robust standard deviations (from the median absolute deviation of the "
        "hold-outs) the score lies above the hold-outs' median; the pairs of a row are ordered "
        "by it, since the scores of two seeds have no common scale."
    ]
    if gallery is not None and (said := gallery.why_closed(setting.card["data_identity"])):
        lead.append(f"Pictures and captions cannot be shown: {said}.")
    elif gallery is not None:
        lead.append("This table shows pictures of the training set: pass the page on with care.")
    return Section("exposed", title, lead, tables=[Table(title, records)],
                   notes=[f"{each} a row, over all its seeds; canaries aside."])  # fmt: skip


def _of_row(
    found: Findings, setting: Setting, row: Row, each: int, gallery: Gallery | None
) -> list[dict[str, Any]]:
    told = []
    for seed in sorted(row.results):
        scored = found.scored(row, seed)
        if scored is None:
            continue
        out = standing_out(scored)
        most = np.argsort(-out, kind="stable")[:each].tolist()
        told += [(float(out[i]), seed, scored, i) for i in most]
    told.sort(key=lambda one: -one[0])
    return [
        _record(setting, row, seed, scored, i, out, gallery) for out, seed, scored, i in told[:each]
    ]


def standing_out(scored: Scored) -> np.ndarray:
    """Robust standard deviations of each member above the hold-outs' median, (m,)."""
    middle = np.median(scored.holdouts)
    spread = MAD * np.median(np.abs(scored.holdouts - middle))
    return (scored.members - middle) / (spread or 1.0)


def _record(
    setting: Setting, row: Row, seed: int, scored: Scored, i: int, out: float,
    gallery: Gallery | None,
) -> dict[str, Any]:  # fmt: skip
    id_, score = scored.member_ids[i], float(scored.members[i])
    below = float(np.mean(scored.holdouts < score))
    record: dict[str, Any] = {}
    if gallery is not None:
        thumb = gallery.thumb(row.card["data_identity"], id_)
        record = {"picture": thumb or "", "caption": thumb.alt if thumb else ""}
    return {
        **record,
        "standing out": f"{out:.2f}",
        "percentile": f"{100 * below:.1f}",
        "score": f"{score:.4g}",
        "model": setting.model(row),
        "attack": row.attack,
        "seed": str(seed),
        "pair": id_,
    }
