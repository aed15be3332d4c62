"""Pictures of a report: opened where the data still is, made small, written into the page."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.boards.rows import Row
from bench.data.pairs import Pairs
from bench.data.sources import open_source
from bench.errors import BenchError
from bench.reports.gather import Findings, Setting
from bench.reports.section import Section, Table, Thumb
from bench.specs import canonical

SIDE = 128
"""Pixels of the longer side of a picture that is larger."""
PROMPTS = 12
MOST = 300
"""Samples on a page: with many models each shows fewer."""
PALETTE_SIDE = 64
"""Up to this many pixels a picture is kept without loss."""


class Shown(NamedTuple):
    """A data set that could be opened, and its captions by id."""

    pairs: Pairs
    captions: Mapping[str, str]


class Gallery:
    """The pairs of the data sets of a report, as far as they can be opened on this machine."""

    def __init__(self, found: Findings) -> None:
        self.found = found
        self._opened = cache(self._open)
        self._thumbs: dict[tuple[str, str], Thumb | None] = {}

    def why_closed(self, identity: str) -> str | None:
        """Why the pictures of this data cannot be shown; None where they can."""
        return None if isinstance(found := self._opened(identity), Shown) else found

    def thumb(self, identity: str, id_: str) -> Thumb | None:
        """The picture of a pair, with its caption; None where it cannot be read."""
        key = (identity, id_)
        if key not in self._thumbs:
            self._thumbs[key] = self._thumb(*key)
        return self._thumbs[key]

    def _open(self, identity: str) -> Shown | str:
        names = dict.fromkeys(one.data for run in self.found.runs for one in run.requests)
        said = ["no run names its data"]
        for name in names:
            try:
                source = open_source(name, offline=True)
            except BenchError as error:
                said.append(f"{name}: {error}")
                continue
            if source.identity == identity:
                pairs = source.pairs()
                return Shown(pairs, dict(zip(pairs.ids, pairs.originals, strict=True)))
            said.append(f"{name} is not what it was when the run was made")
        return said[-1]

    def _thumb(self, identity: str, id_: str) -> Thumb | None:
        shown = self._opened(identity)
        if isinstance(shown, str) or id_ not in shown.captions:
            return None
        try:
            pixels = np.asarray(shown.pairs.image(id_).convert("RGB"))
        except (BenchError, OSError):
            return None
        return thumb(pixels, shown.captions[id_])


def thumb(pixels: NDArray[np.uint8], alt: str) -> Thumb:
    """A picture (h, w, 3) as a `data:` address: PNG while small, WebP beyond."""
    from PIL import Image

    image = Image.fromarray(pixels)
    small = max(image.size) <= PALETTE_SIDE
    image.thumbnail((SIDE, SIDE))
    buffer = io.BytesIO()
    image.save(buffer, "PNG" if small else "WEBP", **({"optimize": True} if small else {}))
    kind = "png" if small else "webp"
    text = base64.b64encode(buffer.getvalue()).decode()
    return Thumb(f"data:image/{kind};base64,{text}", alt, max(image.size))


def samples(found: Findings, setting: Setting, gallery: Gallery) -> Section:
    """What each model makes of the same captions from the same noise, beside base and original."""
    title = "Samples, caption by caption"
    models = {setting.model(row): row for row in reversed(setting.rows)}
    made = {name: sampled for name, row in reversed(models.items())
            if (sampled := _sampled(found, _utility_of(row)))}  # fmt: skip
    if not made:
        return Section("samples", title, ["The samples are no longer in the store."])
    base, lead = _base(found, setting.rows[0]), []
    lead.append(
        "The same captions, none of them trained on, and the same start noise for every model: "
        "what differs is what training did."
    )
    if base is None:
        lead.append(
            "The base's own samples are not in this store; bench run --defense none --attack loss "
            "--at 0 with the same data and base makes them."
        )
    identity = setting.card["data_identity"]
    if said := gallery.why_closed(identity):
        lead.append(f"The original pictures and captions cannot be shown: {said}.")
    shown = max(2, min(PROMPTS, MOST // (len(made) + 1)))
    first = next(iter(made.values()))
    whose = {**({"base": base} if base else {}), **made}
    records = [_record(gallery, identity, id_, whose) for id_ in _spread(list(first), shown)]
    notes = [f"{len(records)} of {len(first)} captions, evenly from the list; of each model its "
             "first seed."]  # fmt: skip
    return Section("samples", title, lead, tables=[Table(title, records)], notes=notes)


def _spread(ids: Sequence[str], most: int) -> list[str]:
    places = np.linspace(0, len(ids) - 1, min(most, len(ids))).round().astype(int)
    return [ids[int(place)] for place in places]


def _record(
    gallery: Gallery, identity: str, id_: str, whose: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """A caption with its own picture, if that can be shown, and what each model made of it."""
    original = gallery.thumb(identity, id_)
    caption = original.alt if original else f"(of pair {id_})"
    record: dict[str, Any] = {"caption": caption, **({"real": original} if original else {})}
    for name, some in whose.items():
        record[name] = thumb(some[id_], f"{name}: {caption}") if id_ in some else ""
    return record


def _utility_of(row: Row) -> str:
    return str(row.results[min(row.results)]["stages"]["utility"])


def _sampled(found: Findings, utility: str) -> dict[str, NDArray[np.uint8]] | None:
    """Pictures by the id of their caption, of the model that this utility stage measured."""
    record = found.record("utility", utility)
    if record is None:
        return None
    return _read(found, record["spec"]["inputs"]["samples"])


def _read(found: Findings, key: str) -> dict[str, NDArray[np.uint8]] | None:
    path = found.file("samples", key, "samples.npz")
    if path is None:
        return None
    with np.load(path, allow_pickle=False) as stored:
        return dict(zip(stored["ids"].tolist(), stored["pictures"], strict=True))


def _base(found: Findings, row: Row) -> dict[str, NDArray[np.uint8]] | None:
    """The base's samples for the same captions: the stage that differs in nothing but the model."""
    record = found.record("utility", _utility_of(row))
    of_target = record and found.record("samples", record["spec"]["inputs"]["samples"])
    if not of_target:
        return None
    spec = of_target["spec"]
    inputs = {role: key for role, key in spec["inputs"].items() if role != "model"}
    asked = spec | {"inputs": inputs, "params": spec["params"] | {"at": 0}}
    return _read(found, hashlib.sha256(canonical(asked).encode()).hexdigest())
