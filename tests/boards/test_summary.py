"""What a run prints beside its figures: every reason to doubt them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bench.boards.rows import collect, common_clip
from bench.boards.summary import figures, notes, tables
from bench.specs import Stage

Make = Callable[..., Any]


def rows_of(*made: Any) -> Any:
    return collect((stage.params["cell"], result) for stage, result in made)


def test_seeds_of_one_combination_are_one_row(metrics: Make) -> None:
    rows = rows_of(metrics(seed=0, auc=0.6), metrics(seed=1, auc=0.7), metrics("good", seed=0))
    assert [(row.defense, len(row.results)) for row in rows] == [("none", 2), ("good", 1)]
    auc = rows[0].figure("auc")
    assert auc.estimate.value == pytest.approx(0.65)
    assert auc.seed_sd == pytest.approx(0.0707, abs=1e-4)
    assert rows[1].figure("auc").seed_sd is None


def test_figures_for_programs_are_shares_and_for_eyes_percentages(metrics: Make) -> None:
    rows = rows_of(metrics(auc=0.625, tpr=0.1))
    assert figures(rows)[0]["auc"] == 0.625
    assert tables(rows)[0][0]["AUC"] == "62.5 [60.5, 64.5]"
    assert tables(rows)[0][0]["TPR@1%FPR"] == "10.0 [8.0, 12.0]"


def test_a_refused_figure_is_said_to_be_refused(metrics: Make) -> None:
    rows = rows_of(metrics(tpr=None))
    assert "refused" in tables(rows)[0][0]["TPR@1%FPR"]
    assert figures(rows)[0]["tpr_at_1fpr"] is None
    assert any("refused" in note for note in notes(rows))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, "chance: AUC 50"),
        ({}, "real against real"),
        ({}, "Fewer than three seeds"),
        ({"board": False}, "NOT for boards"),
        (
            {"base_auc": 0.6},
            "GATE FAILED none/loss: base control: the base, which saw no pair, gives AUC 60.0",
        ),
        ({"base_auc": 0.525}, "WARNING none/loss: the base model"),
        (
            {},
            "CLIP c11b, above other captions by 5.00 [4.00, 6.00] (none). Real pictures: 25.0",
        ),
        ({"own_text_tower": True}, "the model's own text encoder"),
        ({"clip_gain_real": 1.0}, "a higher CLIPScore is not shown to be better"),
        ({}, "Samples: DDIM, 25 steps, guidance 3, 32 x 32 pixels; same prompts"),
        (
            {"sampling": {"n": 350, "steps": 20, "guidance": 7.5, "sampler": "dpm++"}},
            "Samples: DPM-Solver++ (2M), 20 steps, guidance 7.5, 32 x 32 pixels",
        ),
        ({"notes": {"reph": {"changed": 0.98765}}}, "reph: changed 0.988."),
    ],
)
def test_what_a_reader_must_know_is_told(metrics: Make, changed: dict[str, Any], told: str) -> None:
    assert any(told in note for note in notes(rows_of(metrics(**changed))))


def test_a_sound_run_is_not_suspected(metrics: Make) -> None:
    said = notes(rows_of(*(metrics(seed=seed) for seed in range(3))))
    doubts = ("WARNING", "GATE", "NOT", "Fewer", "text tower", "not shown")
    assert not any(doubt in note for note in said for doubt in doubts)


def test_a_failed_gate_is_named_once_with_its_figure_and_its_rows(metrics: Make) -> None:
    rows = rows_of(metrics(blind_auc=0.7), metrics("good", blind_auc=0.7), metrics("odd", twins=3))
    assert [note for note in notes(rows) if "GATE" in note] == [
        "GATE FAILED none/loss, good/loss: seed 0, blind captions: AUC 70.0 without any model "
        "(other labellings at most 56.0), TPR@1%FPR 1.2 (others at most 3.0).",
        "GATE FAILED odd/loss: seed 0, duplicates: 3 near-duplicate pictures and 0 equal captions "
        "in two parts of the split.",
    ]
    told = [note for note in notes(rows[:2]) if "GATE" in note]
    assert [line.partition(":")[0] for line in told] == ["GATE FAILED all rows"]


def test_gates_are_figures_for_programs(metrics: Make) -> None:
    rows = rows_of(metrics(seed=0), metrics(seed=1, blind_auc=0.61))
    (found,) = figures(rows)
    assert found["blind_captions_auc"] == pytest.approx(0.56)
    assert found["blind_pictures_auc"] == 0.5
    assert found["gates_failed"].startswith("seed 1, blind captions: AUC 61.0")
    assert found["control_holds"] is True
    clean, bad = figures(rows_of(metrics(), metrics("odd", base_auc=0.7)))
    assert (clean["gates_failed"], clean["control_holds"]) == ("", True)
    assert bad["gates_failed"].startswith("base control: the base, which saw no pair, gives AUC 70")
    assert bad["control_holds"] is False


def test_epochs_are_shown_where_there_are_several(metrics: Make) -> None:
    rows = rows_of(metrics(), metrics(at=10), metrics(at=0))
    assert [record["epoch"] for record in tables(rows)[0]] == [80, 10, 0]
    assert "epoch" not in tables(rows[:1])[0][0]


def test_one_attack_is_one_table_and_precision_stays_out_of_it(metrics: Make) -> None:
    (first,) = tables(rows_of(metrics(clip_score=20.0)))
    assert first[0]["CLIPScore"] == "20.00 [19.00, 21.00]"
    assert not {"precision", "recall"} & first[0].keys()
    assert not any("nearest neighbours" in note for note in notes(rows_of(metrics())))
    several = rows_of(metrics(), metrics(attack="mc"))
    _, worth = tables(several)
    assert (worth[0]["precision"], worth[0]["recall"]) == ("30.0", "10.0")
    assert any("real against real: 80.0, 70.0" in note for note in notes(several))


def test_alignment_and_overlap_are_figures_for_programs(metrics: Make) -> None:
    (found,) = figures(rows_of(metrics(seed=0, clip_score=20), metrics(seed=1, clip_score=22)))
    assert (found["clip_score"], found["clip_score_low"], found["clip_score_high"]) == (21, 20, 22)
    assert (found["clip_gain"], found["clip_score_real"], found["clip_gain_real"]) == (5, 25, 6)
    assert found["clip"] == "c11b"
    shares = ("precision", "recall", "precision_real", "recall_real")
    assert [found[name] for name in shares] == pytest.approx([0.3, 0.1, 0.8, 0.7])


def test_without_a_clip_and_with_too_few_pictures_there_is_a_dash(metrics: Make) -> None:
    rows = rows_of(metrics(clip=None, precision=None), metrics(attack="mc", clip=None))
    _, worth = tables(rows)
    assert (worth[0]["CLIPScore"], worth[0]["precision"]) == ("-", "-")
    assert figures(rows)[0]["clip_score"] is figures(rows)[0]["clip"] is None
    assert figures(rows)[0]["precision"] is None
    assert not any("CLIP" in note or "nearest" in note for note in notes(rows))


def test_scores_of_two_clips_are_never_averaged_nor_compared(metrics: Make) -> None:
    """Seed 0 by two CLIPs, seed 1 by one of them; the other row only by the other."""
    rows = rows_of(
        metrics(seed=0, clip="aaaa", clip_score=10),
        metrics(seed=1, clip="aaaa", clip_score=12),
        metrics(seed=0, clip="bbbb", clip_score=90),
        metrics("good", seed=0, clip="aaaa", clip_score=14),
        metrics("other", seed=0, clip="bbbb", clip_score=80),
    )
    assert [(row.defense, len(row.results)) for row in rows] == [
        ("none", 2), ("good", 1), ("other", 1),
    ]  # fmt: skip
    assert common_clip(rows) == "aaaa"
    assert [found["clip_score"] for found in figures(rows)] == [11, 14, None]
    assert rows[0].clip_score("bbbb") is None


def test_of_two_clips_that_scored_alike_many_rows_the_later_counts(metrics: Make) -> None:
    rows = rows_of(metrics(clip="aaaa"), metrics(clip="bbbb", clip_score=30))
    assert common_clip(rows) == "bbbb"
    assert figures(rows)[0]["clip_score"] == 30
    assert common_clip(rows_of(metrics(clip=None))) is None


def proper(fid: float, n: int) -> dict[str, Any]:
    """As the utility stage gives it where Inception's weights were given."""
    kid = {"value": 0.03, "low": 0.02, "high": 0.04, "method": "m", "level": 0.95}
    one = {"fid": fid, "fid_floor": 60.0, "kid": kid, "kid_floor": kid}
    return {"tf1": one, "aa": one | {"fid": fid - 1}, "rank_deficient": n <= 2048}


@pytest.mark.parametrize(("n", "marked"), [(350, True), (5000, False)])
def test_both_ways_of_resizing_have_a_name_and_too_few_pictures_are_marked(
    metrics: Make, n: int, marked: bool
) -> None:
    stage, result = metrics()
    result["utility"] |= {"fid": proper(80.5, n), "n": n}
    rows = rows_of((stage, result))
    (line,) = [note for note in notes(rows) if "Inception" in note]
    assert f"n = {n}: fid_tf1 80.50 (resized as in TensorFlow 1; real against real 60.00)" in line
    assert "fid_aa 79.50" in line
    assert ("RANK-DEFICIENT" in line) == marked
    told = figures(rows)[0]
    names = ("fid_tf1", "fid_tf1_floor", "fid_aa", "kid_aa", "kid_aa_floor")
    assert [told[name] for name in names] == [80.5, 60.0, 79.5, 0.03, 0.03]
    assert figures(rows_of(metrics()))[0]["fid_tf1"] is None


def test_a_lower_precision_of_queries_is_said_with_the_attack(metrics: Make) -> None:
    stage, result = metrics()
    lower = Stage("metrics", {"cell": stage.params["cell"] | {"precision": "bf16"}})
    rows = rows_of((stage, result), (lower, result))
    assert [row.attack for row in rows] == ["loss", "loss (asked in bf16)"]
    assert [told["query_precision"] for told in figures(rows)] == ["fp32", "bf16"]
