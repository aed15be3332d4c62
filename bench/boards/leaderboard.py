"""Boards: defenses ranked by the worst attack on them, attacks by what they find on all targets.

One board for each (data, base, recipe, augmentation), since only those rows compare. Rows of
recipes that are not for boards, and of checkpoints before the end, stay out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

from bench.boards.frontier import COSTS, gains, undefended
from bench.boards.rows import Figure, Row, collect, common_clip
from bench.boards.summary import alignment_notes, overlap_notes
from bench.boards.tables import Format, markdown, render
from bench.specs import STAGE_VERSIONS

SEEDS_OF_A_BOARD = 3
COLUMNS = ["defense", "attack", "tpr", "TPR@1%FPR", "AUC", "auc", "ASR", "base AUC", "KID", "FD64",
           "CLIPScore", "precision", "recall", "held-out loss", *COSTS, "seeds", "queries",
           "usual"]  # fmt: skip


@dataclass(frozen=True)
class Board:
    """The rows of one comparable group, as a data frame in rank order."""

    name: str
    title: str
    defenses: pd.DataFrame
    attacks: pd.DataFrame
    notes: tuple[str, ...]

    def markdown(self) -> str:
        """The page: what was measured first, then the two rankings."""
        parts = [f"# {escape(self.title)}", *map(escape, self.notes)]
        parts += ["## Defenses, best first", _table(self.defenses)]
        parts += ["## Attacks, strongest first", _table(self.attacks)]
        return "\n\n".join(parts) + "\n"


def render_boards(made: Sequence[Board], form: Format) -> str:
    """The tables of all boards as one, for programs."""
    records = [
        {"board": board.name, "table": table, **_words(record)}
        for board in made
        for table, frame in (("defenses", board.defenses), ("attacks", board.attacks))
        for record in frame.to_dict("records")
    ]
    columns = list(dict.fromkeys(column for record in records for column in record))
    notes = [f"{board.name}: {note}" for board in made for note in board.notes]
    return render([{c: r.get(c) for c in columns} for r in records], form, notes)


def _words(record: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(key): value for key, value in record.items()}


def _table(frame: pd.DataFrame) -> str:
    cells = [[escape(str(value)) for value in line] for line in frame.itertuples(index=False)]
    return markdown(list(frame.columns), cells)


def boards(records: Iterable[tuple[str, Mapping[str, Any]]]) -> list[Board]:
    """The boards that a store's metrics records give, oldest first."""
    rows = collect((r["spec"]["params"]["cell"], r["result"]) for _, r in records)
    groups: dict[tuple[str, ...], dict[tuple[str, str], Row]] = {}
    paths: dict[tuple[str, ...], dict[tuple[str, str, int], Row]] = {}
    for row in rows:
        card = row.card
        current = card.get("stage_versions") == STAGE_VERSIONS
        usual = current and card.get("shadow") == "disjoint" and card["recipe"]["board"]
        if not usual or not row.figure("tpr"):
            continue
        key = (
            card["data_label"], card["base_label"], card["recipe"]["name"], card["augment"],
            card["data_identity"], card["base_identity"],
        )  # fmt: skip
        # A plugin that was edited since has a row of its own; it replaces the older one.
        if card.get("at") is None:
            groups.setdefault(key, {})[row.defense, row.attack] = row
        if undefended(row):
            paths.setdefault(key, {})[row.defense, row.attack, row.epoch] = row
    names = [key[:4] for key in groups]
    return [
        _board(
            key, list(group.values()), list(paths.get(key, {}).values()), names.count(key[:4]) > 1
        )
        for key, group in groups.items()
    ]


def _board(key: tuple[str, ...], rows: list[Row], path: list[Row], ambiguous: bool) -> Board:
    data, base, recipe, augment, *identities = key
    ranked = [row for row in rows if not row.failed]
    clip = common_clip(rows)
    records = [_figures(row, clip) | gains(row, path) for row in ranked]
    frame = pd.DataFrame(records, columns=COLUMNS)
    title = f"{data}: base {base}, recipe {recipe}, augmentation {augment}"
    name = "-".join(_slug(part) for part in (data, base, recipe, augment))
    if ambiguous:  # other content under the same label
        name += "".join(f"-{identity[:8]}" for identity in identities)
    return Board(name, title, _defenses(frame), _attacks(frame), _notes(rows))


def _slug(text: str) -> str:
    return "".join(c if c.isalnum() or c in "._" else "-" for c in text).strip("-.").lower() or "x"


def _figures(row: Row, clip: str | None) -> dict[str, Any]:
    tpr = row.figure("tpr")
    loss, kid = row.utility("held_out_loss"), row.utility("kid_effnet")
    score, shares = row.clip_score(clip), {k: row.share(k) for k in ("precision", "recall")}
    return {
        "defense": row.defense,
        "attack": row.attack,
        "tpr": _value(tpr),
        "TPR@1%FPR": _percent(tpr),
        "AUC": _percent(row.figure("auc")),
        "auc": _value(row.figure("auc")),
        "ASR": _percent(row.figure("asr")),
        "base AUC": _percent(row.figure("auc", "base_control")),
        "KID": kid.text(1, 4) if kid else "",
        "FD64": f"{row.mean('fd_effnet64'):.2f}",
        "CLIPScore": score.text(1, 2) if score else "-",
        **{k: "-" if share is None else f"{100 * share:.1f}" for k, share in shares.items()},
        "held-out loss": loss.text(1, 4) if loss else "",
        "seeds": len(row.results),
        "queries": row.queries,
        "usual": row.card["view"] == "original" and not row.adaptive,
    }


def _percent(figure: Figure | None) -> str:
    return figure.text(100, 1) if figure else ""


def _value(figure: Figure | None) -> float:
    return figure.estimate.value if figure else float("nan")


def _defenses(frame: pd.DataFrame) -> pd.DataFrame:
    """One line a defense: its worst attack by TPR@1%FPR, then AUC; the least exposed first."""
    worst = frame.sort_values(["tpr", "auc"], ascending=False).drop_duplicates("defense")
    counts = frame.groupby("defense").size()
    worst = worst.sort_values(["tpr", "auc"]).assign(attacks=lambda f: f.defense.map(counts))
    shown = ["defense", "TPR@1%FPR", "AUC", "ASR", "base AUC", "attack", "attacks", "KID", "FD64",
             "CLIPScore", "precision", "recall", "held-out loss", *COSTS, "seeds"]  # fmt: skip
    return _ranked(worst[shown].rename(columns={"attack": "worst attack"}))


def _attacks(frame: pd.DataFrame) -> pd.DataFrame:
    """One line an attack: mean over the defenses that every attack was run on.

    With the pictures' own captions: attackers who know the defense, or no caption, are run on some
    only, and stand in the table of defenses.
    """
    frame = frame[frame.usual.astype(bool)]
    defenses = frame.groupby("defense").attack.nunique()
    common = defenses[defenses == frame.attack.nunique()].index
    shared = frame[frame.defense.isin(common)]
    means = shared.groupby("attack").agg(tpr=("tpr", "mean"), auc=("auc", "mean"),
                                         queries=("queries", "first"))  # fmt: skip
    means = means.sort_values(["tpr", "auc"], ascending=False).reset_index()
    return _ranked(
        pd.DataFrame(
            {
                "attack": means.attack,
                "mean TPR@1%FPR": [f"{100 * x:.1f}" for x in means.tpr],
                "mean AUC": [f"{100 * x:.1f}" for x in means.auc],
                "queries": means.queries,
                "targets": len(common),
            }
        )
    )


def _ranked(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.reset_index(drop=True)
    frame.insert(0, "rank", range(1, len(frame) + 1))
    return frame


def _notes(rows: list[Row]) -> tuple[str, ...]:
    first = rows[0]
    members, holdouts = first.n
    utility = next(iter(first.results.values()))["utility"]
    few = min(len(row.results) for row in rows)
    notes = [
        f"Percentages; 95 % intervals within seeds; n = {members} members + {holdouts} hold-outs a "
        "seed. Chance: AUC 50, ASR 50, TPR@1%FPR "
        f"{100 * next(iter(first.results.values()))['attack']['tpr_null']:.2f}.",
        "A defense stands by the worst of the attacks run on it (column `attacks`: how many). Rows "
        "whose intervals overlap are not told apart by this board.",
        f"KID and FD64: {utility['n']} samples on EfficientNet-Lite0 features, no FID; real "
        f"against real: KID {utility['kid_effnet_floor']['value']:.4f}, "
        f"FD64 {utility['fd_effnet64_floor']:.2f}.",
        "`equal loss`, `equal KID`: points of AUC that undefended training, stopped earlier or "
        "slower, leaks more at the same utility under the same attack. At 0 or below: stop earlier "
        "instead.",
        *alignment_notes(rows),
        *overlap_notes(rows),
        *(
            f"Not ranked: {row.defense} under {row.attack}, gate failed: {'; '.join(row.failed)}."
            for row in rows
            if row.failed
        ),
    ]
    if few < SEEDS_OF_A_BOARD:
        notes.append(f"Provisional: some rows have fewer than {SEEDS_OF_A_BOARD} seeds.")
    return tuple(notes)
