"""ROC curves of rows, drawn with matplotlib: both axes logarithmic, since the left end matters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

from bench.stats.roc import roc

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    Sides = tuple[NDArray[Any], NDArray[Any]]
    """Scores of members (m,) and of hold-outs (n,)."""


def draw(curves: Mapping[str, Sequence[Sides]], axes: Axes | None = None) -> Axes:
    """A colour a row, a line a seed, and what guessing gives; returns the axes.

    The axes begin at one pair: a rate below that cannot be seen.
    """
    from matplotlib import pyplot as plt

    axes = axes or plt.figure(layout="constrained").add_subplot()
    least = 1.0
    colours = cycle(plt.rcParams["axes.prop_cycle"].by_key()["color"])
    for (name, seeds), colour in zip(curves.items(), colours, strict=False):
        for number, (members, holdouts) in enumerate(seeds):
            curve = roc(members, holdouts)
            least = min(least, 1 / curve.n_holdouts, 1 / curve.n_members)
            label = name if number == 0 else None
            axes.plot(curve.fpr, curve.tpr, color=colour, label=label, drawstyle="steps-post")
    axes.plot([least, 1], [least, 1], color="grey", linestyle=":", label="chance")
    axes.set(xscale="log", yscale="log", xlim=(least, 1), ylim=(least, 1))
    axes.set(xlabel="false positive rate", ylabel="true positive rate")
    axes.legend()
    return axes
