"""Draws privacy and utility along the training, from the JSON of one run over checkpoints.

    bench run --defense none --attack loss --attack clid_th --seeds 0,1,2 \\
        --at 0,5,10,20,40,60,80 --format json > trajectory.json
    python tools/plot_trajectory.py trajectory.json docs/trajectory.svg
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("trajectory", type=Path, help="JSON of bench run --at ... --format json")
    parser.add_argument("picture", type=Path, help="SVG or PNG to write")
    given = parser.parse_args()
    rows = json.loads(given.trajectory.read_text(encoding="utf-8"))["rows"]
    mpl.rcParams["svg.hashsalt"] = "trajectory"
    figure, (privacy, loss, kid) = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
    for colour, attack in zip(COLOURS, dict.fromkeys(row["attack"] for row in rows), strict=False):
        _line(privacy, [r for r in rows if r["attack"] == attack], "auc", attack, colour, 100)
    privacy.axhline(50, color="grey", linewidth=0.8, linestyle=":")
    privacy.set(title="Privacy: AUC of the attack", ylabel="AUC, %")
    privacy.legend(frameon=False)
    one = [row for row in rows if row["attack"] == rows[0]["attack"]]
    _line(loss, one, "held_out_loss", "", "black", 1)
    loss.set(title="Utility: loss on reference pairs", ylabel="denoising loss")
    _line(kid, one, "kid_effnet", "", "black", 1)
    kid.set(title="Utility: KID of samples", ylabel="KID (EfficientNet-Lite0)")
    for axes in (privacy, loss, kid):
        axes.set_xlabel("epochs of fine-tuning")
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(
        given.picture, metadata={"Date": None} if given.picture.suffix == ".svg" else None
    )


def _line(
    axes: Any, rows: list[dict[str, Any]], name: str, label: str, colour: str, scale: float
) -> None:
    rows = sorted(rows, key=lambda row: row["epoch"])
    epochs = [row["epoch"] for row in rows]
    value, low, high = (
        [scale * row[f"{name}{end}"] for row in rows] for end in ("", "_low", "_high")
    )
    axes.fill_between(epochs, low, high, color=colour, alpha=0.18, linewidth=0)
    axes.plot(epochs, value, color=colour, marker="o", markersize=3.5, label=label)


if __name__ == "__main__":
    main()
