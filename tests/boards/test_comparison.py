"""Two models on the same pairs: differences are known better than figures."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_entries import entry

from bench.boards.comparison import compared
from bench.errors import UsageError
from bench.stats.paired import Difference, auc_difference, mean_difference

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
