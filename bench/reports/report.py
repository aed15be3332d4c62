"""From finished runs to the sections of a report, in the order they are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.reports import courses, exposed, headline, histograms, pictures, roc, tradeoff, trust
from bench.reports.gather import Findings, Setting
from bench.reports.section import Part, Section
from bench.runs import Run
from bench.store import Store


@dataclass(frozen=True)
class Report:
    """Parts that do not compare with each other, and what is said of all of them."""

    runs: Sequence[str]
    parts: Sequence[Part]
    ending: Sequence[Section]


def report(store: Store, runs: Sequence[Run], *, shows_pictures: bool = True) -> Report:
    """Everything that these runs found; UsageError where nothing of them is finished.

    `shows_pictures` False: no picture and no caption of the data is in it.
    """
    found = Findings(store, runs)
    gallery = pictures.Gallery(found) if shows_pictures else None
    parts = [Part(setting.title, _sections(found, setting, gallery)) for setting in found.settings]
    return Report([run.id for run in runs], parts, [trust.provenance(found), trust.again(found)])


def _sections(found: Findings, setting: Setting, gallery: pictures.Gallery | None) -> list[Section]:
    return [
        headline.section(found, setting),
        roc.section(found, setting),
        tradeoff.section(setting),
        histograms.section(found, setting),
        courses.trajectory(setting),
        courses.ablation(setting),
        *([pictures.samples(found, setting, gallery)] if gallery else []),
        exposed.section(found, setting, gallery),
        trust.gates(setting),
    ]
