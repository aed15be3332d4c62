"""Two models on the same pairs: differences are known better than figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_entries import entry
from made_runs import made_run, request

from bench.boards.comparison import ALPHA, compared, summary, verdict
from bench.errors import UsageError
from bench.stats.paired import Difference, auc_difference, holm, mean_difference, tpr_difference
from bench.store import Store

BOARDS = Path(__file__).parents[2] / "leaderboards" / "entries"


def test_a_model_that_leaks_more_is_told_apart_by_every_attacker_both_met():
    first = entry("none", {"loss": 0.3, "clid_th": 1.5})
    second = entry("good", {"clid_th": 1.2, "other": 0.5})
    (line,) = compared(first, second)
    assert line["attacker"] == "clid_th"
    value, low, _ = (float(x.strip("[],")) for x in line["AUC, first - second"].split())
    one, other = first.scores("clid_th", 0), second.scores("clid_th", 0)
    assert value == pytest.approx(100 * auc_difference(one, other).value, abs=1.5)
    assert 0 < low < value
    assert float(line["p (AUC)"]) < 1e-10


def test_a_model_is_not_told_from_itself():
    lines = compared(entry("none"), entry("same"))
    assert all(float(line["p (AUC)"]) == 1 for line in lines)
    assert all(line["AUC, first - second"].startswith("+0.0") for line in lines)


def test_p_values_are_adjusted_for_the_number_of_attackers():
    alone = compared(entry("a", {"loss": 0.30}), entry("b", {"loss": 0.28}))
    lifts = {"loss": 0.30, "clid_th": 1.0, "other": 2.0}
    lower = {"loss": 0.28, "clid_th": 1.0, "other": 2.0}
    among = compared(entry("a", lifts), entry("b", lower))
    assert float(among[0]["p (AUC)"]) > float(alone[0]["p (AUC)"])


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (entry("b", {"other": 1.0}), "no attacker in common"),
        (entry("b", canaries=0), None),
        (entry("b", seeds=(7, 8, 9)), "same pairs"),
    ],
    ids=["attackers", "canaries do not matter", "seeds"],
)
def test_what_cannot_be_compared_is_refused(second, said):
    if said is None:
        assert compared(entry("a", canaries=0), second)
        return
    with pytest.raises(UsageError, match=said):
        compared(entry("a"), second)


def test_the_mean_over_seeds_is_narrower_than_one_of_them():
    one = Difference(0.04, 0.01, 0.08, 0.02, "x")
    mean = mean_difference([one, one, one])
    assert mean.value == pytest.approx(0.04)
    assert mean.low == pytest.approx(0.04 - 0.03 / 3**0.5)
    assert mean.high == pytest.approx(0.04 + 0.04 / 3**0.5)
    assert mean.p < one.p
    assert mean_difference([one]) == one
    with pytest.raises(ValueError, match="none given"):
        mean_difference([])


def test_published_models_are_compared_by_a_command(cli):
    ended = cli("compare", BOARDS / "none", BOARDS / "shuffle", "--format", "csv")
    assert ended.code == 0, ended.err
    assert "ref_align" in ended.out
    assert cli("compare", BOARDS / "none", BOARDS / "nobody").code == 3


def test_the_verdict_names_who_leaks_less_and_by_which_rule():
    lifts = {"loss": 0.3, "clid_th": 1.5}
    (_, line) = compared(entry("good", {"loss": 0.3, "clid_th": 1.0}), entry("none", lifts))
    assert line["verdict"] == "good leaks less"
    (alike, line) = compared(entry("none", lifts), entry("good", {"loss": 0.3, "clid_th": 1.0}))
    assert line["verdict"] == "none leaks more"
    assert alike["verdict"] == "no difference seen at n = 500 + 500, 3 seeds"
    assert summary([alike, line]).startswith("Of 2 attackers: no difference seen")


@pytest.mark.parametrize(
    ("differences", "said"),
    [
        ([(-0.1, 0.05), (0.2, 0.051)], "x leaks less"),
        ([(-0.1, 0.01), (0.2, 0.01)], "mixed"),
        ([(-0.1, 0.051), (0.2, 0.9)], "no difference seen at n = 1"),
        ([(0.1, 0.2), (0.2, 0.0)], "x leaks more"),
    ],
)
def test_the_rule_of_the_verdict(differences, said):
    assert verdict(differences, "x", "n = 1").startswith(said)


def test_among_attackers_who_know_nothing_a_difference_is_rarely_seen():
    """At most 5 % of comparisons, over all attackers and both figures together."""
    rng = np.random.default_rng(5)
    seen = 0
    for _ in range(120):
        ps = []
        for _ in range(3):
            first, second = ((rng.normal(size=200), rng.normal(size=200)) for _ in range(2))
            ps += [auc_difference(first, second).p,
                   tpr_difference(first, second, replicates=400).p]  # fmt: skip
        seen += any(p <= ALPHA for p in holm(ps))
    assert seen <= 13  # 120 x .05 = 6; above 13 in one of 200


def test_runs_are_compared_as_entries_are(cli, tmp_path):
    store = Store(tmp_path)
    run = made_run(store, request(["none", "shuffle"], ["clid_th"], canaries=0))
    words = ("--store", tmp_path, "--format", "csv")
    ended = cli("compare", f"{run.id}:none", f"{run.id}:shuffle", *words)
    assert ended.code == 0, ended.err
    assert "none leaks more" in ended.out
    alone = made_run(store, request(["del1"], ["clid_th"]))
    assert cli("compare", alone.id, f"{run.id}:none", *words).code == 0
    for first, said in ((run.id, f"say which, as {run.id}:none"),
                        (f"{run.id}:shufle", "did you mean shuffle?"),
                        ("12345678", "no run named")):  # fmt: skip
        ended = cli("compare", first, alone.id, *words)
        assert ended.code == 2
        assert said in ended.err
        assert len(ended.err.splitlines()) == 1
