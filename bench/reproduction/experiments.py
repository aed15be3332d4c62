"""What each table and figure of Zhai et al. 2024 asks, as settings that a run can answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, NamedTuple

from bench.reproduction import paper
from bench.reproduction.paper import ATTACKS, AUGMENTED, TH, Column

Training = Literal["over", "real", "pretrained"]
"""Three times as long as fine-tuning usually takes, as long, or not at all."""


class Point(NamedTuple):
    """A row of a setting: what was met, and after which share of the training."""

    name: str
    share: float = 1.0


class Claim(NamedTuple):
    """What the paper says in words: the AUC of one row is above another's."""

    above: Point
    below: Point


@dataclass(frozen=True)
class Setting:
    """One column group of a table, or a figure: what is trained, attacked and compared."""

    title: str
    attacks: tuple[str, ...] = (TH,)
    defenses: tuple[str, ...] = ("none",)
    printed: Mapping[str, Column] = field(default_factory=dict)
    """The paper's rows by data set, where it prints figures."""
    training: Training = "real"
    augment: str = "default"
    view: str = "original"
    shares: tuple[float, ...] = (1.0,)
    """Of the training, after which is attacked."""
    claims: tuple[Claim, ...] = ()
    """Where the paper prints no figures."""

    @property
    def names(self) -> tuple[str, ...]:
        """What tells its rows apart: the attacks, or the defenses."""
        return self.defenses if len(self.defenses) > 1 else self.attacks

    def column(self, data: str) -> Column:
        """The paper's figures for this data set; those for MS-COCO, if it had none."""
        return self.printed.get(data) or self.printed.get("coco") or {}


@dataclass(frozen=True)
class Experiment:
    """A table or a figure."""

    name: str
    title: str
    settings: tuple[Setting, ...]
    """None for `fig1`, which attacks nothing (`truncation`)."""
    about: str = ""
    """What a reader of its figures must know."""


def _coco(column: Column) -> Mapping[str, Column]:
    return MappingProxyType({"coco": column})


_DRAWS = ((1, 0), (5, 0), (0, 1), (1, 1), (2, 2), (3, 3), (5, 5))
"""Monte-Carlo draws (M, N) of Figure 3; the paper names (1,0), (0,1), (1,1) and (5,0)."""


def _draws(m: int, n: int) -> str:
    return f"clid_th[reduction=importance,m={m},n={n}]"


_FIGURE_3 = (*(_draws(m, n) for m, n in _DRAWS), "secmi")
_RIVALS = ("loss", "pia", "mc", "secmi", "pfami")

EXPERIMENTS = {
    one.name: one
    for one in (
        Experiment(
            "table1",
            "Over-training",
            (Setting("over-training", ATTACKS, printed=paper.OVER, training="over",
                     augment="script"),),
            "Trained three times as long as usual, with random crops and without flips: what the "
            "published command does.",
        ),
        Experiment(
            "table2",
            "Real-world training",
            (Setting("real-world training", ATTACKS, printed=paper.REAL),),
        ),
        Experiment(
            "table3",
            "Pre-training",
            (Setting("the base as it is", paper.ATTACKS[:-1], training="pretrained",
                     printed=_coco(paper.PRETRAINED)),),
            "The base itself is attacked. Members must be pairs that it was pre-trained on "
            "(`--data` with the card laion-mi); on any other data all figures must be chance.",
        ),
        Experiment(
            "table4",
            "Augmentation",
            (Setting("without augmentation", AUGMENTED, augment="none",
                     printed=_coco(paper.NO_AUGMENTATION)),
             Setting("crop and flip", AUGMENTED, printed=paper.REAL)),
        ),
        Experiment(
            "table5",
            "Defenses",
            (Setting("CLiD_th", (TH,), tuple(paper.DEFENSES), printed=_coco(paper.DEFENSES)),),
        ),
        Experiment(
            "table6",
            "Pseudo-captions",
            (Setting("over-training, captions of a captioner", ATTACKS, training="over",
                     augment="script", view="pseudo", printed=_coco(paper.PSEUDO_OVER)),
             Setting("real-world training, captions of a captioner", ATTACKS, view="pseudo",
                     printed=_coco(paper.PSEUDO_REAL))),
            "The attacker has the picture alone: a captioner's words stand for the caption.",
        ),
        Experiment(
            "fig1",
            "What captions draw of members and hold-outs",
            (),
            "Distance between a set's pictures and those drawn for its captions, whole or cut to "
            "their first words. The paper prints curves without numbers.",
        ),
        Experiment(
            "fig2",
            "Effectiveness along the training",
            (Setting("real-world training", (*_RIVALS, TH), shares=(0.25, 0.5, 0.75, 1.0),
                     claims=tuple(Claim(Point(TH, 0.5), Point(rival)) for rival in _RIVALS)),),
            "The paper prints a figure without numbers: CLiD_th after half of the training is "
            "said to find more than the others at its end (they get there after three times as "
            "long).",
        ),
        Experiment(
            "fig3",
            "Monte-Carlo draws",
            (Setting("CLiD_th with M losses and N differences", _FIGURE_3,
                     claims=(Claim(Point(_draws(1, 1)), Point(_draws(1, 0))),
                             Claim(Point(_draws(1, 1)), Point(_draws(5, 0))),
                             Claim(Point(_draws(1, 1)), Point(_draws(0, 1))),
                             Claim(Point(_draws(1, 1)), Point("secmi")))),),
            "The paper prints a figure without numbers, and says in words what is claimed here; "
            "and that more than M = N = 3 gains little.",
        ),
        Experiment(
            "d1",
            "Reductions of the caption",
            (Setting("CLiD_th", tuple(paper.REDUCTIONS), printed=_coco(paper.REDUCTIONS)),),
        ),
    )
}  # fmt: skip
