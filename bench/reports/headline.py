"""What the runs found, in one sentence a model and in the rows that `bench run` prints."""

from __future__ import annotations

from bench.boards.doubts import suspicions
from bench.boards.rows import Figure, Row
from bench.boards.summary import notes, tables
from bench.reports.gather import Findings, Setting
from bench.reports.section import Section, Table

TITLE = "What leaks, and what is left"
TITLES = ("What each attack finds", "What each model is worth")


def section(found: Findings, setting: Setting) -> Section:
    """The rows, under the strongest and the weakest of their leaks in words."""
    made = tables(setting.rows)
    names = TITLES if len(made) > 1 else ("Leak and picture quality",)
    told = [Table(name, rows) for name, rows in zip(names, made, strict=True)]
    lead = [*_extremes(setting), *found.lacking]
    alarms = suspicions(setting.rows)
    said = [note for note in notes(setting.rows) if note not in alarms]
    return Section("rows", TITLE, lead, tables=told, notes=said, alarms=alarms)


def _extremes(setting: Setting) -> list[str]:
    """Which model leaks most under its worst attack and which least."""
    by_model: dict[str, tuple[Figure, Row]] = {}
    for row in setting.rows:
        name, auc = setting.model(row), row.figure("auc")
        if auc and (name not in by_model or auc.estimate > by_model[name][0].estimate):
            by_model[name] = (auc, row)
    order = sorted(by_model.items(), key=lambda one: -one[1][0].estimate.value)
    if not order:
        return []
    said = [f"{'Leaks most' if len(order) > 1 else 'The model'}: {_told(*order[0])}."]
    if len(order) > 1:
        said.append(f"Leaks least of {len(order)} models: {_told(*order[-1])}.")
        said.append(
            "Each model is told by the attack that is strongest on it. Whether two models differ "
            "is asked pair by pair, by bench compare; overlapping intervals do not answer it."
        )
    return said


def _told(name: str, found: tuple[Figure, Row]) -> str:
    auc, row = found
    tpr = row.figure("tpr")
    at = (
        f", and finds {tpr.text(100, 1)} % of the members at 1 % of hold-outs accused"
        if tpr
        else ""
    )
    return (
        f"{name}. {row.attack} ranks a member above a hold-out in {auc.text(100, 1)} % of cases "
        f"(guessing: 50){at}"
    )
