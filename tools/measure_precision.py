"""What a lower precision of the U-Net does to attacks: statistics pair by pair, AUC, TPR@1%FPR.

Undefended targets (fine-tuned unless the store holds them) are asked in fp32 and in each other
precision at the same noise. What an attack learns it learns on the shadow in fp32, so that the
figures differ by the target's answers alone. Prints Markdown.

    python tools/measure_precision.py --store STORE --seeds 0,1,2 --precision bf16,fp16
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.boards.tables import markdown
from bench.executors.local import run
from bench.pipeline import cell_stage, label
from bench.plan import missing
from bench.plugins import instantiate
from bench.request import Request
from bench.specs import Cell, Stage
from bench.stats.paired import auc_difference, mean_difference, tpr_difference
from bench.stats.roc import auc, tpr_at_fpr
from bench.store import Store

ATTACKS = "loss mc clid_th ref_loss[reference=base] ref_align[reference=base]"
FPR = 0.01


class Answers(NamedTuple):
    """Of one attack, seed and precision: a statistic of each pair, and scores of both sides."""

    statistic: NDArray[np.float64]
    sides: tuple[NDArray[np.float64], NDArray[np.float64]]


class Lines:
    """Says which stage has ended."""

    def started(self, together: Any) -> None:
        pass

    def finished(self, stage: Stage, seconds: float) -> None:
        print(f"{label(stage)}: {seconds:.0f} s", file=sys.stderr, flush=True)

    def failed(self, stage: Stage, error: str) -> None:
        raise SystemExit(f"{label(stage)} failed: {error}")

    def tick(self) -> None:
        pass


def main() -> None:
    """Asks, compares, prints."""
    given = _arguments()
    store, seeds = Store(given.store), tuple(map(int, given.seeds.split(",")))
    found: dict[tuple[str, str, int], Answers] = {}
    attacks, precisions = given.attacks.split(), ["fp32", *given.precision.split(",")]
    for precision in precisions:
        request = Request(["none"], attacks, given.data, given.base, given.recipe, seeds=seeds,
                          precision=precision)  # fmt: skip
        cells = request.cells()
        ends = [cell_stage(cell).inputs["features"] for cell in cells]
        run(missing(store, [*ends, *_shadows(cells)], print), store, 1, Lines())
        for cell in cells:
            found[precision, cell.attack.label, cell.seed] = _answers(store, cell)
    for precision in precisions[1:]:
        lines = [_line(found, precision, name, seeds) for name in attacks]
        print(
            f"\n{precision}\n\n" + markdown(list(lines[0]), [list(one.values()) for one in lines])
        )


def _shadows(cells: list[Cell]) -> list[Stage]:
    """The shadow's features, in fp32, of attacks that learn their score from them."""
    usual = [cell.model_copy(update={"precision": "fp32"}) for cell in cells if _learns(cell)]
    return [cell_stage(cell).inputs["scores"].inputs["shadow"] for cell in usual]


def _learns(cell: Cell) -> bool:
    return cell.attack.name.startswith("clid")


def _answers(store: Store, cell: Cell) -> Answers:
    """CLiD's statistic is its mean difference, every other attack's its mean feature."""
    metrics = cell_stage(cell)
    ids, features = _features(store, metrics.inputs["features"])
    attack, statistic = instantiate("attack", cell.attack), features
    if _learns(cell):
        (shadow,) = _shadows([cell])
        asked, seen = _features(store, shadow)
        attack.fit(seen, np.isin(asked, _members(store, shadow, "shadow_members")))
        statistic = features[:, 1:]
    scores = attack.score(features)
    inside = np.isin(ids, _members(store, metrics, "members"))
    return Answers(statistic.mean(axis=1), (scores[inside], scores[~inside]))


def _features(store: Store, stage: Stage) -> tuple[NDArray[np.str_], NDArray[np.float64]]:
    path = store.folder(stage.kind, stage.key) / "features.npz"
    with np.load(path, allow_pickle=False) as stored:
        return stored["ids"], stored["features"][0]


def _members(store: Store, stage: Stage, part: str) -> list[str]:
    split = stage.inputs["split"]
    record = store.folder(split.kind, split.key) / "record.json"
    members: list[str] = json.loads(record.read_text(encoding="utf-8"))["result"][part]
    return members


def _line(
    found: dict[tuple[str, str, int], Answers], precision: str, name: str, seeds: tuple[int, ...]
) -> dict[str, str]:
    """One attack: its statistic's error beside its spread, and what that does to the figures."""
    pairs = [[found[p, name, seed] for p in (precision, "fp32")] for seed in seeds]
    errors = [
        (lower.statistic - usual.statistic).std() / usual.statistic.std() for lower, usual in pairs
    ]
    alike = [np.corrcoef(lower.statistic, usual.statistic)[0, 1] for lower, usual in pairs]
    areas = mean_difference([auc_difference(lower.sides, usual.sides) for lower, usual in pairs])
    rates = mean_difference(
        [tpr_difference(lower.sides, usual.sides, FPR) for lower, usual in pairs]
    )
    area = np.mean([auc(*usual.sides) for _, usual in pairs])
    rate = np.mean([tpr_at_fpr(*usual.sides, FPR) for _, usual in pairs])
    return {
        "attack": f"`{name}`",
        "error / spread": f"{np.mean(errors):.4f} ({min(errors):.4f} to {max(errors):.4f})",
        "correlation": f"{np.mean(alike):.5f}",
        "AUC in fp32": f"{100 * area:.2f}",
        "difference": _told(areas),
        "TPR@1%FPR in fp32": f"{100 * rate:.1f}",
        "its difference": _told(rates),
    }


def _told(difference: Any) -> str:
    value, low, high = (f"{100 * x:+.2f}" for x in difference[:3])
    return f"{value} [{low}, {high}]"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--precision", default="bf16")
    parser.add_argument("--attacks", default=ATTACKS, help="names with blanks between")
    parser.add_argument("--data", default="tiles")
    parser.add_argument("--base", default="mini-sd")
    parser.add_argument("--recipe", default="mini")
    return parser.parse_args()


if __name__ == "__main__":
    main()
