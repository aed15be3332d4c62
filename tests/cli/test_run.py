"""The main job from end to end, on a model of a megabyte."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clips import write_clip

BOTH = ("--attack", "loss", "--attack", "clid_th")


def records(store: Path) -> dict[str, Path]:
    return {p.parent.name: p for p in (store / "stages").glob("*/*/record.json")}


def numbers(store: Path) -> dict[str, Any]:
    """Digests and results of all stages."""
    found = {}
    for key, path in records(store).items():
        record = json.loads(path.read_text())
        found[key] = (record["files"], record["result"])
    return found


def test_a_run_prints_its_rows_on_stdout_and_its_progress_on_stderr(ran: Any) -> None:
    assert ran.code == 0
    header, *lines = ran.out.splitlines()
    assert header.split()[:2] == ["defense", "attack"]
    assert [line.split()[:2] for line in lines[:2]] == [["none", "loss"], ["none", "clid_th"]]
    assert "NOT for boards" in ran.out
    assert "[1/" not in ran.out
    assert "[1/" in ran.err
    assert "train target (none, seed 0)" in ran.err
    assert str(ran.store) in ran.err
    assert "\x1b" not in ran.out + ran.err


def test_it_leaves_no_scratch_behind(ran: Any) -> None:
    assert list((ran.store / "work").iterdir()) == []
    assert not (ran.store / "aside").exists()


def test_two_attacks_share_trainings_and_utility(ran: Any) -> None:
    counted = {
        kind: len(list((ran.store / "stages" / kind).iterdir()))
        for kind in ("split", "train", "features", "scores", "samples", "utility", "metrics")
    }
    assert counted == {
        "split": 1,
        "train": 2,
        "features": 6,
        "scores": 4,
        "samples": 1,
        "utility": 1,
        "metrics": 2,
    }


def test_the_second_time_nothing_is_computed(ran: Any, cli: Callable[..., Any]) -> None:
    before = {key: path.stat().st_mtime_ns for key, path in records(ran.store).items()}
    again = cli("run", *ran.words, *BOTH, "--workers", 1, "--store", ran.store)
    assert (again.code, again.out) == (0, ran.out)
    assert "[1/" not in again.err
    assert before == {key: path.stat().st_mtime_ns for key, path in records(ran.store).items()}


def test_neither_workers_nor_the_order_of_attacks_change_a_number(
    ran: Any, shell: Callable[..., Any], tmp_path: Path
) -> None:
    store = tmp_path / "other"
    attacks = ("--attack", "clid_th", "--attack", "loss")
    other = shell("run", *ran.words, *attacks, "--workers", 2, "--store", store)
    assert other.code == 0, other.err
    assert numbers(store) == numbers(ran.store)


def test_an_attack_alone_gives_the_same_numbers(
    ran: Any, cli: Callable[..., Any], copied: Path
) -> None:
    for kind in ("features", "scores", "metrics"):
        for path in (copied / "stages" / kind).glob("*/*"):
            path.unlink()
    alone = cli("run", *ran.words, "--attack", "clid_th", "--workers", 1, "--store", copied)
    assert alone.code == 0
    anew = numbers(copied)
    assert len(anew) == len(numbers(ran.store)) - 6
    assert anew.items() <= numbers(ran.store).items()


def test_json_is_parsed_as_figures(ran: Any, cli: Callable[..., Any]) -> None:
    ended = cli("run", *ran.words, *BOTH, "--store", ran.store, "--format", "json")
    shown = json.loads(ended.out)
    assert [row["attack"] for row in shown["rows"]] == ["loss", "clid_th"]
    for row in shown["rows"]:
        assert 0 <= row["auc_low"] <= row["auc"] <= row["auc_high"] <= 1
        assert row["members"] == row["holdouts"] == 21
        assert row["tpr_at_1fpr"] is None
    assert any("refused" in note for note in shown["notes"])


def test_csv_is_parsed_as_figures(ran: Any, cli: Callable[..., Any]) -> None:
    ended = cli("run", *ran.words, *BOTH, "--store", ran.store, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(ended.out)))
    assert [row["attack"] for row in rows] == ["loss", "clid_th"]
    assert 0 <= float(rows[0]["auc"]) <= 1


def test_markdown_is_a_table(ran: Any, cli: Callable[..., Any]) -> None:
    ended = cli("run", *ran.words, *BOTH, "--store", ran.store, "--format", "md")
    lines = [line for line in ended.out.splitlines() if line.startswith("|")]
    attacks, worth = lines[:4], lines[4:]
    assert len({line.count("|") for line in attacks}) == 1
    assert attacks[0].startswith("| defense | attack | ASR | AUC | TPR@1%FPR | queries |")
    assert len(worth) == 3
    assert worth[0].startswith("| defense | KID |")
    assert "| CLIPScore | precision | recall | held-out loss | seeds |" in worth[0]
    assert "| - |" in worth[2]  # this base brings no CLIP


def test_plan_tells_todo_from_cached(ran: Any, cli: Callable[..., Any], tmp_path: Path) -> None:
    planned = {}
    for place in (ran.store, tmp_path / "empty"):
        ended = cli("plan", *ran.words, *BOTH, "--store", place, "--format", "json")
        assert ended.code == 0
        planned[place] = json.loads(ended.out)
    assert {row["state"] for row in planned[ran.store]["rows"]} == {"cached"}
    assert {row["state"] for row in planned[tmp_path / "empty"]["rows"]} == {"todo"}
    assert "0 of 20 stages to compute" in planned[ran.store]["notes"][0]
    assert not (tmp_path / "empty" / "stages").exists()


def test_plan_knows_what_a_new_attack_shares(ran: Any, cli: Callable[..., Any]) -> None:
    words = ("--attack", "loss[t=100]", "--store", ran.store, "--format", "json")
    rows = json.loads(cli("plan", *ran.words, *words).out)["rows"]
    todo = {row["stage"] for row in rows if row["state"] == "todo"}
    assert todo == {"features", "scores", "metrics"}


def test_a_corrupt_entry_is_told_and_computed_anew(
    ran: Any, cli: Callable[..., Any], copied: Path
) -> None:
    before = numbers(copied)
    for kind in ("scores", "metrics"):
        for path in (copied / "stages" / kind).glob("*/*"):
            path.write_bytes(b"rotten")
    ended = cli("run", *ran.words, *BOTH, "--workers", 1, "--store", copied)
    assert (ended.code, ended.out) == (0, ran.out)
    warnings = [line for line in ended.err.splitlines() if line.startswith("warning:")]
    assert len(warnings) == 6
    assert numbers(copied) == before
    assert len(list((copied / "aside").iterdir())) == 6


@pytest.mark.parametrize("verb", ["plan", "leaderboard", "list"])
def test_reading_verbs_survive_corrupt_records(
    ran: Any, cli: Callable[..., Any], copied: Path, verb: str
) -> None:
    contents = [b"{}", b"[]", b"", b"\xff", b'{"made": 3}']
    for number, path in enumerate((copied / "stages").glob("*/*/record.json")):
        path.write_bytes(contents[number % len(contents)])
    for path in (copied / "runs").iterdir():
        path.write_bytes(b"{}")
    words = {"plan": (*ran.words, *BOTH), "leaderboard": ("--from-store",), "list": ("runs",)}[verb]
    ended = cli(verb, *words, "--store", copied)
    assert ended.code in (0, 2)
    assert "Traceback" not in ended.err


def test_runs_are_listed_and_resumed(ran: Any, cli: Callable[..., Any]) -> None:
    rows = json.loads(cli("list", "runs", "--store", ran.store, "--format", "json").out)["rows"]
    run = next(row for row in rows if row["attacks"] == "loss clid_th")
    assert run["done"] == "2/2"
    resumed = cli("resume", run["run"], "--store", ran.store)
    assert (resumed.code, resumed.out) == (0, ran.out)
    nothing = cli("resume", "--store", ran.store)
    assert nothing.code == 2
    assert "nothing to resume" in nothing.err


def test_a_run_asked_with_relative_paths_is_resumed_from_elsewhere(
    ran: Any,
    cli: Callable[..., Any],
    copied: Path,
    tiny_base: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = (Path(__file__).parents[2] / "attacks" / "loss.py").read_text()
    (tmp_path / "mine.py").write_text(text.replace('"loss"', '"mine"'))
    (tmp_path / "base").symlink_to(tiny_base)
    words = ["base" if word == tiny_base else word for word in ran.words]
    monkeypatch.chdir(tmp_path)
    first = cli(
        "run", *words, "--attack", "./mine.py:Loss[t=300]", "--workers", 1, "--store", copied
    )
    assert first.code == 0, first.err
    id_ = first.err.splitlines()[-1].split()[1]
    monkeypatch.chdir("/")
    resumed = cli("resume", id_, "--store", copied)
    assert (resumed.code, resumed.out) == (0, first.out), resumed.err


def test_checkpoints_of_one_training_are_rows_of_their_own(
    ran: Any, cli: Callable[..., Any], copied: Path
) -> None:
    words = ("--attack", "loss", "--at", "0,6,12", "--workers", 1, "--store", copied)
    ended = cli("run", *ran.words, *words, "--format", "json")
    assert ended.code == 0, ended.err
    rows = json.loads(ended.out)["rows"]
    assert [row["epoch"] for row in rows] == [0, 6, 12]
    plain = json.loads(
        cli("run", *ran.words, "--attack", "loss", "--store", copied, "--format", "json").out
    )["rows"][0]
    assert rows[2]["auc"] == plain["auc"]
    assert rows[0]["auc"] == plain["base_auc"]


def test_the_leaderboard_refuses_rows_of_the_quick_recipe(
    ran: Any, cli: Callable[..., Any], tmp_path: Path
) -> None:
    ended = cli("leaderboard", "--from-store", "--store", ran.store, "--out", tmp_path / "boards")
    assert ended.code == 2
    assert "no rows to rank" in ended.err
    assert not (tmp_path / "boards").exists()


def test_a_clip_adds_its_score_and_trains_nothing(
    ran: Any, cli: Callable[..., Any], copied: Path, tmp_path: Path
) -> None:
    assert "under CLIP" not in ran.out
    folder = write_clip(tmp_path / "clip")
    words = ("--attack", "loss", "--clip", folder, "--workers", 1, "--store", copied)
    before = set(numbers(copied))
    ended = cli("run", *ran.words, *words, "--format", "json")
    assert ended.code == 0, ended.err
    made = {records(copied)[key].parent.parent.name for key in set(numbers(copied)) - before}
    assert made == {"utility", "metrics"}
    (row,) = json.loads(ended.out)["rows"]
    assert row["clip_score_low"] <= row["clip_score"] <= row["clip_score_high"]
    assert row["clip"]
    assert any(f"under CLIP {row['clip'][:8]}" in note for note in json.loads(ended.out)["notes"])
    again = cli("run", *ran.words, "--attack", "loss", "--store", copied, "--format", "json")
    assert json.loads(again.out)["rows"][0]["clip_score"] is None


def test_how_queries_and_samples_are_made_is_said_and_trains_nothing(
    ran: Any, cli: Callable[..., Any], copied: Path
) -> None:
    words = ("--precision", "bf16", "--sampler", "dpm++", "--steps", 3, "--guidance", 2)
    words += ("--samples", 5, "--attack", "loss", "--store", copied, "--workers", 1)
    before = set(numbers(copied))
    ended = cli("run", *ran.words, *words, "--format", "json")
    assert ended.code == 0, ended.err
    shown = json.loads(ended.out)
    (row,) = shown["rows"]
    assert row["attack"] == "loss (asked in bf16)"
    names = ("query_precision", "sampler", "sampling_steps", "guidance", "utility_n", "resolution")
    assert [row[name] for name in names] == ["bf16", "dpm++", 3, 2.0, 5, 16]
    assert any(
        "DPM-Solver++ (2M), 3 steps, guidance 2, 16 x 16 pixels" in note for note in shown["notes"]
    )
    made = {records(copied)[key].parent.parent.name for key in set(numbers(copied)) - before}
    assert made == {"features", "scores", "samples", "utility", "metrics"}
    usual = json.loads(cli("run", *ran.words, *BOTH, "--store", copied, "--format", "json").out)
    assert usual["rows"][0]["held_out_loss"] == row["held_out_loss"]


def test_canaries_are_trained_on_by_half_and_counted_apart(
    tiny_words: Any, copied: Path, cli: Callable[..., Any]
) -> None:
    words = ("run", *tiny_words, "--attack", "loss", "--store", copied)
    ended = cli(*words, "--canaries", 6)
    assert ended.code == 0, ended.err
    rows = [json.loads(p.read_text()) for p in (copied / "stages" / "metrics").glob("*/*.json")]
    (watched,) = (r["result"] for r in rows if r["spec"]["params"]["cell"]["canaries"])
    (usual, *_) = (
        r["result"]
        for r in rows
        if not r["spec"]["params"]["cell"]["canaries"]
        and r["spec"]["params"]["cell"]["attack"]["name"] == "loss"
    )
    assert watched["canaries"]["members"] == watched["canaries"]["holdouts"] == 3
    assert watched["attack"]["members"] == usual["attack"]["members"]
    assert watched["training"]["pairs"] == usual["training"]["pairs"] + 3
    assert "canaries" not in usual
    assert "of 3 mislabelled members score above all 3 mislabelled hold-outs" in ended.out
    refused = cli(*words, "--canaries", 5)
    assert refused.code == 2
    assert "even number" in refused.err
    refused = cli(*words, "--canaries", 6, "--view", "pseudo")
    assert refused.code == 2
    assert "undo mislabelling" in refused.err


def test_a_file_of_requests_is_one_run(
    ran: Any, copied: Path, cli: Callable[..., Any], tmp_path: Path
) -> None:
    common = " ".join(f"'{word}'" for word in ran.words)
    lines = [f"{common} --attack loss", "# and another", f"{common} --attack clid_th"]
    (tmp_path / "asked.txt").write_text("\n".join(lines), encoding="utf-8")
    ended = cli("run", "--requests", tmp_path / "asked.txt", "--store", copied)
    assert (ended.code, ended.out) == (0, ran.out)
