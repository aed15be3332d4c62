"""Ours beside the paper's, and whether the order is the same."""

from __future__ import annotations

from typing import Any

import pytest

from bench.boards.rows import Row
from bench.reproduction import paper
from bench.reproduction.experiments import EXPERIMENTS, Claim, Point, Setting
from bench.reproduction.findings import claims, lines, records, verdict
from bench.reproduction.paper import TH, Printed
from bench.reproduction.truncation import SHARES, gaps, sentences
from bench.reproduction.truncation import records as figure_1
from bench.stages.truncated import truncated


def row(attack: str, auc: float, half: float = 0.01, epoch: int = 80) -> Row:
    estimate = {"value": auc, "low": auc - half, "high": auc + half, "method": "m", "level": 0.95}
    attacked = dict.fromkeys(("auc", "asr", "tpr"), estimate)
    card = {
        "defense": {"label": "none"},
        "attack": {"label": attack},
        "recipe": {"epochs": 80},
        "at": epoch,
    }
    return Row(card, {0: {"attack": attacked | {"tpr_swapped": 0.3}}})


def setting(**printed: float) -> Setting:
    column = {name: Printed(50.0, auc, 1.0) for name, auc in printed.items()}
    return Setting("a table", tuple(printed), printed={"coco": column})


def told(one: Setting, *rows: Row) -> Any:
    labels = {name: name for name in one.names}
    found = lines(one, rows, labels, "coco")
    return found, verdict(one, found, "coco")


def test_lines_stand_in_the_paper_s_order_beside_its_figures() -> None:
    found, _ = told(setting(loss=60.0, mc=65.0), row("mc", 0.7), row("loss", 0.61))
    first, second = records(found, "attack")
    assert [first["attack"], second["attack"]] == ["loss", "mc"]
    assert first["paper: ASR / AUC / TPR"] == "50.00 / 60.00 / 1.00"
    assert (first["AUC - paper"], second["AUC - paper"]) == ("+1.0", "+5.0")
    assert first["AUC"] == "61.0 [60.0, 62.0]"
    assert first["TPR swapped"] == "30.0"


@pytest.mark.parametrize(
    ("auc", "half", "word", "held"),
    [
        (0.75, 0.01, "agrees", 3),
        (0.69, 0.02, "agrees", 2),
        (0.69, 0.2, "not told apart", 2),
        (0.60, 0.01, "disagrees", 2),
    ],
)
def test_the_order_is_judged_by_intervals(auc: float, half: float, word: str, held: int) -> None:
    one = setting(loss=55.0, mc=65.0, th=95.0)
    rows = row("loss", 0.55, half), row("mc", 0.70, half), row("th", auc, half)
    _, found = told(one, *rows)
    assert (found.word, found.held, found.of) == (word, held, 3)
    said = " ".join(found.sentences())
    assert f"{held} of 3 comparisons" in said
    named = held < 3 and word != "not told apart"
    assert ("mc 70.0" in said and "above th" in said) == named
    assert ("as far as these pairs can tell" in said) == (word == "agrees" and held < 3)


def test_equal_figures_of_the_paper_claim_no_order() -> None:
    assert claims(setting(pia=75.12, other=75.12), setting(pia=1.0).column("coco")) == []
    one = setting(pia=75.12, other=75.12)
    assert claims(one, one.column("coco")) == []


def test_a_figure_of_checkpoints_holds_words_against_epochs() -> None:
    one = Setting(
        "a figure", ("th", "loss"), shares=(0.5, 1.0),
        claims=(Claim(Point("th", 0.5), Point("loss")),),
    )  # fmt: skip
    rows = [row("th", 0.8, epoch=40), row("th", 0.9), row("loss", 0.5, epoch=40), row("loss", 0.85)]
    found, judged = told(one, *rows)
    assert [(line.point.name, line.point.share) for line in found] == [
        ("th", 0.5), ("th", 1.0), ("loss", 0.5), ("loss", 1.0),
    ]  # fmt: skip
    assert judged.word == "disagrees"
    assert "loss at epoch 80 85.0 [84.0, 86.0] above th at epoch 40" in " ".join(judged.sentences())
    assert "paper: ASR / AUC / TPR" not in records(found, "attack")[0]


def test_the_paper_s_tables_hold_together() -> None:
    """Rows that it prints twice are the same, and every experiment can name what it asks."""
    assert paper.DEFENSES["none"][:3] == paper.REAL["coco"][TH][:3] == paper.REDUCTIONS[TH][:3]
    assert paper.OVER["flickr"]["pia"] == paper.OVER["coco"]["pia"]  # its error of print
    for experiment in EXPERIMENTS.values():
        for one in experiment.settings:
            assert set(one.column("coco")) in ({*one.names}, set()) or experiment.name == "table4"
            assert one.printed or one.claims


def test_captions_are_cut_to_their_first_words() -> None:
    captions = ("one two three four", "word", "")
    assert truncated(captions, 1.0) == captions
    assert truncated(captions, 2 / 3) == ("one two three", "word", "")
    assert truncated(captions, 1 / 3) == ("one two", "word", "")
    assert truncated(captions, 0.0) == ("", "", "")


def test_figure_1_tells_the_gap_of_each_seed() -> None:
    found = {
        (seed, part, text): {
            "n": 500,
            "kid": {"value": 0.1 + (0.01 * (seed + share)) * (part == "holdouts")},
            "fd64": 10.0 + (share if seed else -share) * (part == "holdouts"),
            "fid": None,
        }
        for seed in (0, 1)
        for part in ("members", "holdouts")
        for text, share in SHARES.items()
    }
    assert gaps(found, "KID", "full") == pytest.approx([0.01, 0.02])
    assert figure_1(found)[0]["KID gap"] == "+0.0150 (+0.0100 to +0.0200)"
    kid, fd, _ = sentences(found)
    assert "6 of 6 comparisons" in kid
    assert "3 of 6 comparisons" in fd
