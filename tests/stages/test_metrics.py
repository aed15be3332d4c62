"""A row's attack figures, recomputed from `scores.npz` by sklearn and by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve


@pytest.fixture
def scores(write):
    """A stage of scores: members a little higher, with ties; the shadow's threshold is 0.3."""

    def make(name, n, gain, threshold=0.3):
        rng = np.random.default_rng(n)
        is_member = rng.permutation(2 * n) < n
        values = (rng.normal(size=2 * n) + gain * is_member).round(2)
        folder = write(name, {"threshold": threshold, "learned": {"alpha": 0.9}})
        ids = np.array([f"p{i}" for i in range(2 * n)])
        np.savez(folder / "scores.npz", ids=ids, scores=values, is_member=is_member)
        return folder

    return make


@pytest.fixture
def row(run, write, scores):
    def make(n=500, gain=1.0, **more):
        inputs = {
            "split": write("split", {"digest": "abc"}),
            "features": write("features", {"queries": 15}),
            "scores": scores("scores", n, gain),
        }
        return run("metrics", inputs | more, cell={}).result

    return make


def stored(n, gain):
    rng = np.random.default_rng(n)
    is_member = rng.permutation(2 * n) < n
    return (rng.normal(size=2 * n) + gain * is_member).round(2), is_member


@pytest.mark.parametrize(("n", "gain"), [(500, 1.0), (500, 0.0), (2600, 2.5), (40, 1.0)])
def test_figures_are_those_of_the_stored_scores(row, n, gain):
    figures = row(n, gain)["attack"]
    values, is_member = stored(n, gain)
    assert figures["members"] == figures["holdouts"] == n
    assert figures["auc"]["value"] == pytest.approx(roc_auc_score(is_member, values), abs=1e-12)
    right = (values > 0.3) == is_member
    assert figures["asr"]["value"] == pytest.approx(right.mean(), abs=1e-12)
    fpr, tpr, thresholds = roc_curve(is_member, values, drop_intermediate=False)
    best = max(((values >= t) == is_member).mean() for t in thresholds)
    assert figures["asr_oracle"] == pytest.approx(best, abs=1e-12)
    assert figures["asr_oracle"] >= figures["asr"]["value"]
    quality = "refused" if n < 437 else "warned" if n < 2500 else "board"
    assert figures["tpr_quality"] == quality
    if quality == "refused":
        assert figures["tpr"] is None
    else:
        assert figures["tpr"]["value"] == pytest.approx(tpr[fpr <= 0.01].max(), abs=1e-12)
    fpr, tpr, _ = roc_curve(~is_member, -values, drop_intermediate=False)
    assert figures["tpr_swapped"] == pytest.approx(tpr[fpr >= 0.01][0], abs=1e-12)


def test_every_figure_has_its_interval(row):
    figures = row()["attack"]
    for name in ("auc", "asr", "tpr"):
        figure = figures[name]
        assert 0 <= figure["low"] <= figure["value"] <= figure["high"] <= 1
        assert figure["level"] == 0.95
        assert figure["method"]


def test_members_are_the_positive_class(row, run, write, scores):
    """Scores that are higher for members give more than one half."""
    assert row(500, 1.0)["attack"]["auc"]["value"] > 0.7
    assert row(500, -1.0)["attack"]["auc"]["value"] < 0.3


def model(write, touched):
    folder = write("model", {"steps": 3})
    (folder / "touched.json").write_text(json.dumps(touched))
    return folder


def test_members_with_a_changed_caption_are_told_from_the_others(row, write):
    values, is_member = stored(500, 1.0)
    members = np.flatnonzero(is_member)
    touched = [f"p{i}" for i in members[:200]]
    made = row(model=model(write, touched))["attack"]
    assert made["touched"] == 200
    for name, some in (("auc_touched", members[:200]), ("auc_untouched", members[200:])):
        chosen = np.concatenate([values[some], values[~is_member]])
        labels = np.arange(len(chosen)) < len(some)
        assert made[name]["value"] == pytest.approx(roc_auc_score(labels, chosen), abs=1e-12)
    for all_or_none in ([], [f"p{i}" for i in members]):
        assert "auc_touched" not in row(model=model(write, all_or_none))["attack"]


def test_control_utility_and_training_stand_beside_the_attack(row, write, scores):
    made = row(
        control=scores("control", 300, 0.0, threshold=99),
        utility=write("utility", {"n": 7}),
        model=model(write, ["p1", "p2"]),
    )
    values, is_member = stored(300, 0.0)
    control = made["base_control"]
    assert control["auc"]["value"] == pytest.approx(roc_auc_score(is_member, values))
    # With the threshold of the attack's own shadow, not of the control.
    assert control["asr"]["value"] == pytest.approx(((values > 0.3) == is_member).mean())
    assert made["utility"] == {"n": 7}
    assert made["training"] == {"steps": 3}
    assert made["split"] == "abc"
    assert made["learned"] == {"alpha": 0.9}
    assert made["queries"]["queries"] == 15


def test_verdicts_on_the_split_and_on_permuted_labels_are_in_the_row(row, write):
    verdicts = {
        name: [{"name": name, "passed": False, "figures": {"auc": 0.6}}]
        for name in ("blind", "duplicates")
    }
    made = row(**{name: write(name, {"gates": gates}) for name, gates in verdicts.items()})
    *given, own = made["gates"]
    assert given == verdicts["blind"] + verdicts["duplicates"]
    assert own["name"] == "label permutation"
    assert own["passed"] is True
    values, is_member = stored(500, 1.0)
    assert own["figures"]["auc"] == pytest.approx(roc_auc_score(is_member, values))


def test_the_base_itself_has_no_control_and_no_training(row):
    made = row()
    assert "base_control" not in made
    assert made["training"] is None
