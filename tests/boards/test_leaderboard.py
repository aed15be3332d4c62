"""Boards rank by what undefended training would leak, grey what failed, and stay put."""

from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import pytest
from made_entries import entry

from bench.boards.leaderboard import Page, pages, render_pages
from bench.cli.leaderboard import _check
from bench.errors import ValidationError
from bench.schemas import schema

PATH = [
    entry("none", {"loss": 0.3, "clid_th": lift}, kid, at)
    for at, lift, kid in ((10, 0.5, 0.20), (20, 1.0, 0.16), (40, 1.5, 0.14))
] + [entry("none", {"loss": 0.5, "clid_th": 2.2}, 0.12)]
GOOD = entry("good", {"loss": 0.1, "clid_th": 0.6}, 0.12)
SLOW = entry("slow", {"loss": 0.3, "clid_th": 1.0}, 0.16)


def board(*entries):
    return pages([*PATH, *entries])


def defenses(*entries):
    return board(*entries)[0].tables["Defenses"]


def by_name(records):
    return {record["defense"]: record for record in records}


def percent(text):
    return float(text.split()[0])


def test_a_defense_is_held_against_undefended_training_of_equal_utility():
    found = by_name(defenses(GOOD, SLOW))
    assert percent(found["good"]["frontier gain"]) > 30
    assert abs(percent(found["slow"]["frontier gain"])) < 1  # it is none, stopped at epoch 20
    assert percent(found["none"]["frontier gain"]) == 0
    assert defenses(GOOD, SLOW)[0]["defense"] == "good"
    assert found["good"]["rank"] == "1"
    assert found["slow"]["rank"] == "2"
    assert found["good"]["tier"] == "A"


def test_a_defense_stands_by_its_worst_attack():
    found = by_name(defenses(GOOD))
    assert found["good"]["worst attack"] == "clid_th"
    assert percent(found["none"]["TPR@1%FPR"]) > percent(found["good"]["TPR@1%FPR"])


def test_a_row_that_is_added_leaves_all_others_as_they_were():
    before = defenses(GOOD, SLOW)
    for other in (entry("weak", {"loss": 0.5, "clid_th": 3.0}, 0.3),
                  entry("odd", {"clid_th": 0.9}, 0.15)):  # fmt: skip
        after = [one for one in defenses(GOOD, SLOW, other) if one["defense"] != other.name]
        for one in (*before, *after):
            # One that is surely better moves these down, and nothing else does.
            one.pop("rank", None), one.pop("tier", None)
        assert after == before
    weak = entry("weak", {"loss": 0.5, "clid_th": 3.0}, 0.3)
    joined = by_name(defenses(GOOD, SLOW, weak))
    for name, one in by_name(defenses(GOOD, SLOW)).items():
        assert joined[name] == one


def test_what_fails_a_gate_is_greyed_named_and_never_ranked():
    found = by_name(defenses(GOOD, entry("twins", {"clid_th": 0.1}, 0.1, clean=False)))
    assert found["twins"]["rank"] == "-"
    assert "not ranked" in found["twins"]["remarks"]
    assert "3 near-duplicate pictures" in found["twins"]["remarks"]
    assert defenses(GOOD, entry("twins", clean=False))[-1]["defense"] == "twins"


def test_an_undefended_model_that_fails_a_gate_is_no_point_of_the_frontier():
    spoilt = entry("none", {"clid_th": 0.0}, 0.05, 5, clean=False)
    assert by_name(defenses(GOOD, spoilt)) == by_name(defenses(GOOD))


def test_an_attacker_whose_control_fails_counts_for_nothing():
    spoilt = entry("spoilt", {"loss": 0.2, "clid_th": 0.4}, 0.12, base_lift=1.0)
    found = by_name(defenses(spoilt))["spoilt"]
    assert found["rank"] == "-"  # both attackers fail, so the row does
    assert "base control" in found["remarks"]


def test_who_left_out_the_attack_that_is_worst_on_no_defense_is_not_ranked():
    (first, *_) = defenses(GOOD)
    meek = by_name(defenses(GOOD, entry("meek", {"loss": 0.0}, 0.12)))["meek"]
    assert (first["defense"], meek["rank"]) == ("good", "-")
    assert meek["remarks"] == "not ranked: not attacked by clid_th, the worst on no defense"


def test_a_row_of_too_few_pairs_is_not_ranked_and_few_are_told():
    few = [entry("none", pairs=300), entry("good", {"clid_th": 0.5}, pairs=300)]
    (page, *_) = pages(few)
    assert {one["rank"] for one in page.tables["Defenses"]} == {"-"}
    assert "300 hold-outs, too few" in page.tables["Defenses"][0]["remarks"]
    assert page.tables["Defenses"][0]["TPR@1%FPR"] == "refused"
    assert "5 of 500 hold-outs decide it" in board(GOOD)[0].markdown()


def test_rows_stand_by_gain_whoever_is_surely_better_than_whom(monkeypatch):
    """Of two the one that is surer can be surely worse than a third, and the other not."""

    def turned(gains):
        return [1 + int(place) for place in gains.mean(axis=1).argsort().argsort()]

    monkeypatch.setattr("bench.boards.defenses.shared_ranks", turned)
    rows = defenses(GOOD, SLOW, entry("poor", {"loss": 0.3, "clid_th": 2.0}, 0.2))
    gains = [percent(row["frontier gain"]) for row in rows]
    assert gains == sorted(gains, reverse=True)
    assert rows[0]["rank"] == str(len(rows))


def test_another_model_that_calls_itself_none_says_nothing_of_others():
    posing = entry("none", {"loss": 0.3, "clid_th": 1.0}, 0.12, clip=99.0, shipped=False)
    about = posing.about.model_copy(update={"name": "aaa"})  # it would come first
    rows = defenses(GOOD, replace(posing, about=about))
    assert [row["defense"] for row in rows].count("none") == 2
    assert not any("CLIPScore" in row["remarks"] for row in rows)


def test_parameters_stand_beside_the_name():
    rate = entry("learning_rate", kid=0.13, params={"scale": 0.25})
    assert by_name(defenses(rate))["learning_rate"]["parameters"] == "scale=0.25"


def test_chance_is_said_instead_of_a_digit():
    found = by_name(defenses(entry("safe", {"loss": 0.0, "clid_th": 0.0}, 0.12)))
    assert found["safe"]["TPR@1%FPR"] == "≤ chance"


def test_canaries_have_a_column_of_their_own():
    found = by_name(defenses(entry("bare", {"clid_th": 1.0}, 0.12)))
    assert found["bare"]["canary TPR"].endswith(" of 12)")
    (without, *_) = pages([entry("none", canaries=0)])
    assert without.tables["Defenses"][0]["canary TPR"] == "-"


def test_a_lower_clip_score_is_remarked_on():
    found = by_name(defenses(GOOD, entry("mute", {"clid_th": 0.6}, 0.12, clip=18.0)))
    assert "CLIPScore" in found["mute"]["remarks"]
    assert "CLIPScore" not in found["good"]["remarks"]


def test_without_a_frontier_leaks_alone_order_the_board():
    (page, _) = pages([entry("none", {"clid_th": 2.0}), entry("good", {"clid_th": 0.5})])
    assert [one["defense"] for one in page.tables["Defenses"]] == ["good", "none"]
    assert {one["frontier gain"] for one in page.tables["Defenses"]} == {""}


def test_attacks_are_ranked_on_fixed_targets_within_an_access_class():
    (_, page) = board(GOOD, entry("del1", {"loss": 0.3, "clid_th": 1.2}))
    first, second = page.tables["Attacks"]
    assert (first["attack"], second["attack"]) == ("clid_th", "loss")
    assert first["targets"] == 2  # `none` and `del1`; `good` is not on the list
    assert (first["rank"], second["rank"]) == ("1", "2")
    assert first["power-query front"] == second["power-query front"] == "yes"
    assert "not measured: reph-rule, del3, shuffle" in page.markdown()


@pytest.mark.parametrize(
    "other",
    [{"data_label": "scenes", "data_identity": "b" * 64}, {"data_identity": "b" * 64},
     {"base_identity": "b" * 64}, {"augment": "none"}, {"canaries": 0}],
    ids=["data", "content of the data", "content of the base", "augmentation", "canaries"],
)  # fmt: skip
def test_what_does_not_compare_is_on_another_board(other):
    made = board(entry("none", **other))
    names = [page.name for page in made]
    assert len(names) == 4
    assert len(set(names)) == 4


@pytest.mark.parametrize("seeds", [(0,), (2,), (0, 1, 2, 3, 4)])
def test_other_seeds_than_the_board_s_are_not_ranked_and_change_nothing(seeds):
    before = by_name(defenses(GOOD))
    after = by_name(defenses(GOOD, entry("early", {"clid_th": 0.6}, seeds=seeds)))
    early = after.pop("early")
    assert (early["rank"], after) == ("-", before)
    assert "not those of the board" in early["remarks"]


def test_a_board_of_one_seed_is_provisional():
    (page, _) = pages([entry("none", seeds=(0,)), entry("good", {"clid_th": 0.5}, seeds=(0,))])
    assert "Provisional" in page.markdown()
    assert page.tables["Defenses"][0]["rank"] == "1"


def test_a_file_of_one_s_own_that_is_called_none_is_no_point_of_the_frontier():
    posing = entry("none", {"clid_th": 0.0}, 0.05, 5, shipped=False)
    assert by_name(defenses(GOOD, posing)) == by_name(defenses(GOOD))
    target = entry("del1", {"loss": 3.0, "clid_th": 3.0}, shipped=False)
    assert board(GOOD, target)[1].tables == board(GOOD)[1].tables


def test_a_page_can_be_read_alone_and_is_the_same_every_time():
    text = board(GOOD)[0].markdown()
    for word in ("500 members", "chance is", "worst attack", "frontier gain", "cpu"):
        assert word in text
    assert text == board(GOOD)[0].markdown()


def test_names_cannot_write_markup():
    page = Page("x", "<b>a</b>", ["<i>"], {"<u>": [{"defense": "<b>x</b>|y"}]})
    assert not {"<b>", "<i>", "<u>"} & set(page.markdown().split())
    assert "&lt;b&gt;x&lt;/b&gt;\\|y" in page.markdown()


def test_a_page_has_each_figure_once_and_programs_have_all_of_a_row_together():
    page = board(GOOD)[0]
    heads = [line for line in page.markdown().splitlines() if "| defense |" in line]
    first, second = ([cell.strip() for cell in line.strip("|").split("|")] for line in heads)
    assert sorted({*first, *second}) == sorted(page.tables["Defenses"][0])
    assert set(first) & set(second) == {"defense"}
    assert max(len(first), len(second)) <= 10


def test_a_page_with_other_line_ends_is_not_what_the_entries_give(tmp_path, capsys):
    page = Page("x-defenses", "title", ["note"], {"Defenses": [{"defense": "none"}]})
    path = tmp_path / "x-defenses.md"
    path.write_bytes(page.markdown().encode())
    _check([page], tmp_path)
    for spoilt in (page.markdown().replace("\n", "\r\n"), page.markdown().rstrip() + "\x0b"):
        path.write_bytes(spoilt.encode())
        with pytest.raises(ValidationError, match="not what the entries give"):
            _check([page], tmp_path)
        assert r"\r\n" in capsys.readouterr().out or spoilt.endswith("\x0b")


def test_programs_get_all_tables_as_one():
    printed = json.loads(render_pages(board(GOOD), "json"))
    jsonschema.validate(printed, schema("leaderboard"))
    rows = printed["rows"]
    assert {row["table"] for row in rows} >= {"Defenses", "The undefended frontier", "Attacks"}
    assert render_pages(board(GOOD), "csv").startswith("page,table")
