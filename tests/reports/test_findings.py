"""What a report says, against the figures that the rows and the statistics give."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from made_runs import made_run, request

from bench.boards.rows import Figure
from bench.errors import UsageError
from bench.reports import courses, exposed, histograms, roc, tradeoff
from bench.reports.axes import Axis, around
from bench.reports.gather import Findings, Scored
from bench.reports.page import FOLDER, page
from bench.reports.report import report
from bench.runs import find
from bench.stats import tpr_at_fpr
from bench.stats.estimate import Estimate
from bench.store import Store


@pytest.fixture(scope="module")
def findings(full) -> Findings:
    return Findings(full.store, [full.run])


@pytest.fixture(scope="module")
def setting(findings):
    [one] = findings.settings
    return one


def of(made, name: str):
    [section] = [one for part in made.parts for one in part.sections if one.name == name]
    return section


def test_a_curve_passes_through_the_table_s_figure_with_its_interval(tmp_path):
    store = Store(tmp_path)
    run = made_run(store, request(["none"], ["clid_th"], seeds=[0, 1]))
    found = Findings(store, [run])
    [row] = found.rows
    curve = roc.curve_of(found, found.settings[0], row)
    at = dict(zip(curve.rates, curve.points, strict=True))[0.01]
    assert at[:3] == row.figure("tpr").estimate[:3]
    seeds = [found.scored(row, seed) for seed in (0, 1)]
    for rate, point in zip(curve.rates, curve.points, strict=True):
        mean = np.mean([tpr_at_fpr(one.members, one.holdouts, rate) for one in seeds])
        assert point.value == pytest.approx(mean)
        assert point.low <= point.value <= point.high
    assert [p.value for p in curve.points] == sorted(p.value for p in curve.points)


def test_shares_of_a_histogram_hold_every_score_once():
    rng = np.random.default_rng(0)
    members, holdouts = rng.normal(1, 1, 400), np.append(rng.normal(size=299), 1e9)
    scored = Scored(members, holdouts, [], None)
    edges = histograms.edges_of(scored)
    assert edges[-1] < 10, "one far score does not flatten the plot"
    for side in (members, holdouts):
        assert histograms.shares_of(side, edges).sum() == pytest.approx(1)
    same = Scored(np.ones(5), np.ones(5), [], None)
    assert histograms.shares_of(same.members, histograms.edges_of(same)).sum() == 1


def test_who_stands_out_is_measured_in_spreads_of_the_hold_outs():
    holdouts = np.random.default_rng(0).normal(10, 2, 4001)
    out = exposed.standing_out(Scored(np.array([10.0, 16.0]), holdouts, ["a", "b"], None))
    assert out == pytest.approx([0, 3], abs=0.15)
    flat = Scored(np.array([2.0]), np.ones(9), ["a"], None)
    assert np.isfinite(exposed.standing_out(flat)).all()


def test_the_exposed_are_members_with_their_own_captions(findings, setting, reported):
    [table] = of(reported, "exposed").tables
    record = table.records[0]
    wanted = (record["model"], record["attack"])
    row = next(one for one in setting.rows if (setting.model(one), one.attack) == wanted)
    scored = findings.scored(row, int(record["seed"]))
    place = scored.member_ids.index(record["pair"])
    assert float(record["score"]) == pytest.approx(scored.members[place], rel=1e-3)
    assert float(record["percentile"]) == pytest.approx(
        100 * np.mean(scored.holdouts < scored.members[place]), abs=0.06
    )
    assert record["picture"].alt == record["caption"]
    values = [float(r["standing out"]) for r in table.records
              if (r["model"], r["attack"]) == (record["model"], record["attack"])]  # fmt: skip
    assert values == sorted(values, reverse=True)


def test_the_frontier_is_of_undefended_models_that_no_other_beats(setting):
    def place(name, cost, leak, undefended=True):
        ends = [Estimate(x, x, x, "x") for x in (cost, leak)]
        return tradeoff.Place(name, name, 80, undefended, "loss", *ends)

    places = [place("a", 1, 9), place("b", 2, 4), place("c", 3, 5), place("d", 4, 1),
              place("mine", 2, 1, undefended=False)]  # fmt: skip
    assert tradeoff.frontier(places) == [(1, 9), (2, 4), (4, 1)]
    assert tradeoff.frontier([place("mine", 1, 1, undefended=False)]) == []
    [figure] = tradeoff.section(setting).figures
    against = {r["model"]: r["against the frontier"] for r in figure.table.records}
    assert against["none at epoch 20"] == "on it"
    assert re.fullmatch(r"[\d.]+ points (below|above)", against["del1 at epoch 80"])


def test_the_trajectory_and_the_ablation_follow_what_was_asked(setting):
    along = courses.trajectory(setting)
    first = along.figures[0].table.records
    lines = {record["line"] for record in first}
    assert "none, clid_th" in lines
    none = [r["epochs of training"] for r in first if r["line"] == "none, clid_th"]
    assert none == ["0", "20", "80"]
    asked = courses.ablation(setting).figures[0].table.records
    none = [r for r in asked if r["line"] == "clid_th on none at epoch 80"]
    told = [(r["row"], r["U-Net rows asked a pair"]) for r in none]
    assert told == [("clid_th[m=1]", "5"), ("clid_th", "15")]


def test_what_was_not_asked_is_said_in_a_sentence(tmp_path):
    store = Store(tmp_path)
    made = report(store, [made_run(store, request(["reph"], ["clid_th"]))])
    for name in ("trajectory", "queries"):
        assert of(made, name).figures == ()
        assert "--a" in of(made, name).lead[0]
    assert "no frontier" in " ".join(of(made, "tradeoff").lead)
    assert "--at 0" in " ".join(of(made, "samples").lead)
    assert "<svg" in page(made)


def test_base_and_targets_stand_side_by_side_under_one_caption(reported):
    [table] = of(reported, "samples").tables
    assert table.columns[:3] == ["caption", "real", "base"]
    assert {"none at epoch 80", "del1 at epoch 80"} <= set(table.columns)
    assert all(record["real"].alt == record["caption"] for record in table.records)


def test_without_pictures_no_picture_and_no_caption_of_the_data_is_in_it(full, reported):
    bare = page(report(full.store, [full.run], shows_pictures=False))
    assert "data:image" not in bare
    captions = {r["caption"] for r in of(reported, "samples").tables[0].records}
    assert captions
    assert not any(caption in bare for caption in captions)


def test_what_is_gone_from_the_store_is_said(full, tmp_path):
    root = tmp_path / "store"
    shutil.copytree(full.store.root, root)
    for kind in ("scores", "samples"):
        shutil.rmtree(root / "stages" / kind)
    made = report(Store(root), [find(Store(root), full.run.id)])
    for name in ("roc", "scores", "exposed", "samples"):
        section = of(made, name)
        assert not section.figures
        assert "no longer in the store" in section.lead[0]
    assert of(made, "rows").tables[0].records
    assert "ASR" in page(made)


def test_data_that_is_gone_leaves_words_where_its_pictures_were(full):
    [asked] = full.run.requests
    moved = replace(full.run, requests=(replace(asked, data="folder:/nowhere at all"),))
    made = report(full.store, [moved])
    for name in ("samples", "exposed"):
        assert "cannot be shown: folder:/nowhere at all" in " ".join(of(made, name).lead)
    assert "none at epoch 80" in of(made, "samples").tables[0].columns
    assert "real" not in of(made, "samples").tables[0].columns
    other = replace(full.run, requests=(replace(asked, data="scenes:n=120"),))
    said = " ".join(of(report(full.store, [other]), "exposed").lead)
    assert "scenes:n=120 is not what it was" in said


def test_an_unfinished_run_is_reported_as_far_as_it_is(tmp_path):
    store = Store(tmp_path)
    run = made_run(store, request(["none", "del1"], ["clid_th"]))
    shutil.rmtree(store.folder("metrics", run.metrics[1]))
    made = report(store, [run])
    assert any("1 of 2 cells" in line for line in of(made, "rows").lead)
    shutil.rmtree(store.folder("metrics", run.metrics[0]))
    with pytest.raises(UsageError, match=f"bench resume {run.id}"):
        report(store, [run])


def test_a_failed_gate_stands_first(tmp_path):
    store = Store(tmp_path)
    made = report(store, [made_run(store, request(["none"], ["clid_th"]), clean=False)])
    assert "GATE FAILED" in of(made, "rows").alarms[0]
    [table] = of(made, "gates").tables
    assert table.records[0]["passed"] == "NO"
    assert "3 near-duplicate pictures" in table.records[0]["what it saw"]
    assert 'class="alarm"' in page(made)


def test_settings_that_do_not_compare_stand_apart(tmp_path):
    store = Store(tmp_path)
    runs = [made_run(store, request(["none"], ["clid_th"], **more))
            for more in ({}, {"augment": "none"})]  # fmt: skip
    made = report(store, runs)
    assert len(made.parts) == 2
    assert "augmentation none" in made.parts[1].title
    text = page(made)
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert all(f'id="{link}"' in text for link in re.findall(r'href="#([^"]+)"', text))


def test_the_same_store_gives_the_same_page(full, html):
    assert page(report(full.store, [full.run])) == html


def test_a_hostile_label_of_a_plugin_is_escaped_everywhere(tmp_path):
    store = Store(tmp_path)
    bad = "<img src=x onerror=alert(1)>"
    run = made_run(store, request(["none"], ["clid_th"]), labels={"none": bad})
    text = page(report(store, [run]))
    assert "<img src=x" not in text
    assert "&lt;img src=x onerror=alert(1)&gt;" in text


def test_ticks_are_round_and_inside():
    for axis in (around("x", [0.113, 0.187]), around("x", [0, 7]), Axis("x", 0.002, 1, log=True)):
        values = [value for value, _ in axis.ticks()]
        assert 3 <= len(values) <= 12
        assert all(axis.low * 0.99 <= value <= axis.high * 1.01 for value in values)
    assert around("x", [3.0]).low < around("x", [3.0]).high
    assert Axis("x", 0, 1, percent=True).text(0.075) == "7.5%"


def contrast(one: str, other: str) -> float:
    def light(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_text_and_lines_can_be_told_from_the_ground_in_both_themes():
    style = (FOLDER / "style.css").read_text()
    blocks = re.findall(r"\{[^{}]*--ground: #[0-9a-f]{6}[^{}]*\}", style)
    themes = [dict(re.findall(r"--([\w]+): (#[0-9a-f]{6})", block)) for block in blocks]
    assert len(themes) == 3
    for theme in themes:
        for ground in ("ground", "sheet", "shade"):
            for ink in ("ink", "quiet", "accent"):
                assert contrast(theme[ink], theme[ground]) >= 4.5, (ink, ground)
        for line in range(8):
            assert contrast(theme[f"s{line}"], theme["sheet"]) >= 3, line
    assert themes[1] == themes[2], "by the system or by the button, dark is dark"


def test_a_figure_without_an_interval_is_left_out_of_courses(setting):
    nothing = courses.Kind("none", "none", True, lambda row: None)
    assert courses._drawn({"a": [courses.Stop(1, setting.rows[0])]}, nothing, "x", "y") == []
    assert isinstance(setting.rows[0].figure("auc"), Figure)
