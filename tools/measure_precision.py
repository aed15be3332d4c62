"""What a lower precision of the U-Net does to attacks: features pair by pair, AUC and TPR@1%FPR.

Fine-tunes undefended targets, shadows and references unless the store holds them, asks them in fp32
and in each other precision at the same noise, and compares. Prints Markdown.

    python tools/measure_precision.py --store STORE --seeds 0,1,2 --precision bf16,fp16
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.boards.tables import markdown
from bench.executors.local import run
from bench.pipeline import cell_stage, label
from bench.plan import missing
from bench.request import Request
from bench.specs import Stage
from bench.stats.paired import auc_difference, mean_difference, tpr_difference
from bench.stats.roc import auc, tpr_at_fpr
from bench.store import Store

ATTACKS = (
    "loss mc pia secmi clid_th[reduction=null] clid_th clid_vec ref_loss[reference=base] "
    "ref_align[reference=base]"
)
"""Of which none needs a training beyond target and shadow."""
FPR = 0.01


class Lines:
    """Says which stage has ended."""

    def started(self, together: Any) -> None:
        pass

    def finished(self, stage: Stage, seconds: float) -> None:
        print(f"{label(stage)}: {seconds:.0f} s", file=sys.stderr, flush=True)

    def failed(self, stage: Stage, error: str) -> None:
        print(f"{label(stage)} failed: {error}", file=sys.stderr, flush=True)

    def tick(self) -> None:
        pass


def main() -> None:
    """Asks, compares, prints."""
    given = _arguments()
    store, seeds = Store(given.store), tuple(map(int, given.seeds.split(",")))
    attacks = given.attacks.split()
    precisions = ["fp32", *given.precision.split(",")]
    ends: dict[tuple[str, str, int], Stage] = {}
    for precision in precisions:
        request = Request(["none"], attacks, given.data, given.base, given.recipe, seeds=seeds,
                          precision=precision)  # fmt: skip
        for cell in request.cells():
            ends[precision, cell.attack.label, cell.seed] = cell_stage(cell).inputs["scores"]
    began = time.monotonic()
    failed = run(missing(store, ends.values(), print), store, 1, Lines())
    print(f"asked in {time.monotonic() - began:.0f} s, {len(failed)} failed", file=sys.stderr)
    for precision in precisions[1:]:
        lines = [_line(store, ends, precision, name, seeds) for name in attacks]
        print(
            f"\n{precision}\n\n" + markdown(list(lines[0]), [list(one.values()) for one in lines])
        )


def _line(
    store: Store, ends: dict[Any, Stage], precision: str, name: str, seeds: tuple[int, ...]
) -> dict[str, str]:
    """One attack: its score's error beside its spread, and what that does to the figures."""
    shares, agreed, areas, rates, by_auc, by_tpr = [], [], [], [], [], []
    for seed in seeds:
        usual, lower = (_found(store, ends[p, name, seed]) for p in ("fp32", precision))
        moved = lower["statistic"] - usual["statistic"]
        shares.append(moved.std() / usual["statistic"].std())
        agreed.append(np.corrcoef(lower["statistic"], usual["statistic"])[0, 1])
        sides = [(one["members"], one["holdouts"]) for one in (lower, usual)]
        areas.append([auc(*side) for side in sides])
        rates.append([tpr_at_fpr(*side, FPR) for side in sides])
        by_auc.append(auc_difference(*sides))
        by_tpr.append(tpr_difference(*sides, FPR))
    area, rate = (100 * np.mean(found, axis=0) for found in (areas, rates))
    return {
        "attack": f"`{name}`",
        "error / spread": f"{np.mean(shares):.4f} ({min(shares):.4f} to {max(shares):.4f})",
        "correlation": f"{np.mean(agreed):.5f}",
        "AUC fp32": f"{area[1]:.2f}",
        f"AUC {precision} - fp32": _told(mean_difference(by_auc)),
        "TPR@1%FPR fp32": f"{rate[1]:.1f}",
        f"TPR {precision} - fp32": _told(mean_difference(by_tpr)),
    }


def _found(store: Store, scores: Stage) -> dict[str, Any]:
    """The target's statistic before anything is learned, and scores of members and hold-outs.

    The statistic is CLiD's mean difference, and of the other attacks their mean feature.
    """
    with np.load(_file(store, scores, "scores"), allow_pickle=False) as stored:
        values, inside = stored["scores"], stored["is_member"]
    features = scores.inputs["target"]
    with np.load(_file(store, features, "features"), allow_pickle=False) as stored:
        columns = stored["features"][0]
    if features.params["attack"]["name"].startswith("clid"):
        columns = columns[:, 1:]
    return {"statistic": columns.mean(axis=1), "members": values[inside],
            "holdouts": values[~inside]}  # fmt: skip


def _file(store: Store, stage: Stage, name: str) -> Path:
    return store.folder(stage.kind, stage.key) / f"{name}.npz"


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
