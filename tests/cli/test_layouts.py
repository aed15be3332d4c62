"""Each real layout goes through the whole main job: split, trainings, attack, samples, metrics."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from blips import write_blip
from clips import write_clip
from hubs import COMMIT, write_cache
from layouts import age, write_sd1, write_sd2

SMALLEST = ("--data", "scenes:n=120", "--recipe", "quick", "--defense", "none", "--workers", 1)
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(cli: Callable[..., Any], tmp_path: Path) -> Run:
    """The one row of a run, from nothing."""

    def ask(*words: object) -> dict[str, Any]:
        store = tmp_path / "store"
        ended = cli("run", *SMALLEST, *words, "--store", store, "--format", "json")
        assert ended.code == 0, ended.err
        (row,) = json.loads(ended.out)["rows"]
        assert 0 <= row["auc_low"] <= row["auc"] <= row["auc_high"] <= 1
        assert row["kid_effnet"] is not None
        return row

    return ask


def record(tmp_path: Path, kind: str) -> dict[str, Any]:
    path = next((tmp_path / "store" / "stages" / kind).glob("*/record.json"))
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_sd_1_as_it_was_saved_in_2022(run: Run, tmp_path: Path) -> None:
    base = age(write_sd1(tmp_path / "sd1"))
    row = run("--base", base, "--attack", "clid_th")
    assert row["base"] == "sd1"


def test_sd_2_with_v_prediction_a_written_caption_and_a_clip_of_its_own(
    run: Run, tmp_path: Path
) -> None:
    """Two more parts that come from elsewhere: a BLIP that writes, a CLIP that scores."""
    blip = write_blip(tmp_path / "blip", together=False)
    words = ("--view", "pseudo", "--captioner", blip, "--clip", write_clip(tmp_path / "clip"))
    row = run("--base", write_sd2(tmp_path / "sd2"), "--attack", "loss", *words)
    assert row["view"] == "pseudo"
    assert row["clip_score"] is not None
    said = record(tmp_path, "captions")["result"]["captions"]
    assert len(set(said.values())) > 1, "the pictures do not matter"


def test_a_variant_in_half_precision_by_its_name_on_the_hub(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    write_cache(tmp_path / "hub", "some/sd", write_sd1(tmp_path / "half", "fp16"), ("v1",))
    asked = ("--base", "some/sd@v1", "--variant", "fp16", "--offline")
    row = run(*asked, "--attack", "loss")
    assert row["base"] == f"some/sd@{COMMIT[:8]} (fp16)"
    note = next((tmp_path / "store" / "runs").glob("*.json")).read_text()
    assert f"some/sd@{COMMIT}" in note
