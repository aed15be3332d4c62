"""Draws worst-case AUC against KID from entries: the undefended path, and where defenses stand.

python tools/plot_frontier.py leaderboards/entries docs/frontier.svg
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from bench.boards.standing import Standing, sizes, standing
from bench.entries.gather import all_entries
from bench.stats.worst import Resamples

RATES = {
    "none": "recipe's rate",
    "learning_rate": "a quarter of it",
    "learning_rate[scale=4.0]": "four times it",
}
WORST = 0.2
"""KID at which the plot ends; what is beyond stands at its edge."""


def main(entries: Path, out: Path) -> None:
    """One figure; defenses with the 95 % intervals of the board."""
    found = [standing(one, Resamples.of(sizes(one)), one.seeds) for one in all_entries(entries)]
    plt.rcParams.update({"svg.hashsalt": "frontier", "font.size": 9})
    figure, axes = plt.subplots(figsize=(9, 7))
    for label, told in RATES.items():
        _path(axes, [one for one in found if one.label == label], f"undefended, {told}")
    axes.axhline(50, color="grey", lw=0.8, ls=":")
    axes.set_xlim(WORST, 0.108)
    _defenses(axes, [one for one in found if not one.undefended])
    axes.set_xlabel("KID to unseen real pictures (better to the right)")
    axes.set_ylabel("AUC of the worst attack (chance 50)")
    axes.set_title("Does a defense leak less than undefended training as good as it?", size=10)
    axes.legend(loc="upper left", frameon=False, title="numbers: epochs", title_fontsize=8)
    figure.tight_layout()
    figure.savefig(out, metadata={"Date": None})


def _path(axes: plt.Axes, standings: list[Standing], name: str) -> None:
    """Checkpoints of one undefended training."""
    standings = sorted(standings, key=lambda one: one.epoch)
    places = [(one.cost().value, 100 * one.worst.auc.value) for one in standings]
    axes.plot(*zip(*places, strict=True), "o-", ms=4, lw=1, label=name)
    for one, place in zip(standings, places, strict=True):
        axes.annotate(str(one.epoch), place, xytext=(4, -9), textcoords="offset points", size=7)


def _defenses(axes: plt.Axes, standings: list[Standing]) -> None:
    """Crosses of both intervals; their names down the margin, in the order of their AUC."""
    ordered = sorted(standings, key=lambda one: -one.worst.auc.value)
    for one, height in zip(ordered, np.linspace(0.99, 0.01, len(ordered)), strict=True):
        cost, leak = one.cost(), 100 * one.worst.auc.value
        low, high = np.quantile(100 * one.worst.auc.draws, [0.025, 0.975])
        spread = {"xerr": [[cost.value - cost.low], [cost.high - cost.value]],
                  "yerr": [[leak - low], [high - leak]]}  # fmt: skip
        beyond = cost.value > WORST
        place = (WORST if beyond else cost.value, leak)
        if beyond:
            axes.plot(*place, "k<", ms=5, clip_on=False)
        else:
            axes.errorbar(*place, **spread, fmt="ks", ms=3, lw=0.5, alpha=0.6)
        axes.annotate(
            one.label + (f" (KID {cost.value:.2f})" if beyond else ""), place, (1.02, height),
            textcoords="axes fraction", va="center", size=8,
            arrowprops={"arrowstyle": "-", "lw": 0.3, "color": "grey", "shrinkA": 0,
                        "relpos": (0, 0.5)},
        )  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
