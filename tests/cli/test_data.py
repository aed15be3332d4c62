"""The main job from end to end through every loader, on photographs that the tests make."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pictured import photos, write_coco, write_folder, write_parquet

LOADERS: dict[str, Callable[[Path, list], str]] = {
    "folder-jsonl": lambda root, taken: f"folder:{write_folder(root, taken)}",
    "folder-csv": lambda root, taken: f"folder:{write_folder(root, taken, 'csv')}",
    "coco": lambda root, taken: f"coco:{write_coco(root, taken)},captions=all,n=64",
    "parquet": lambda root, taken: f"parquet:{write_parquet(root, taken)}",
    "hub": lambda root, taken: f"hub:{write_folder(root / 'train', taken).parent}",
}


@pytest.mark.parametrize(
    "loader",
    [
        pytest.param(name, marks=pytest.mark.slow if name in ("folder-csv", "hub") else ())
        for name in LOADERS
    ],
)
def test_the_main_job_runs_through_every_loader(
    loader: str, tmp_path: Path, tiny_base: Path, cli: Callable[..., Any]
) -> None:
    spec = LOADERS[loader](tmp_path / "own", photos(70))
    words = ("--data", spec, "--base", tiny_base, "--recipe", "quick", "--defense", "none")
    ended = cli("run", *words, "--attack", "loss", "--workers", 1, "--store", tmp_path / "store",
                "--format", "json")  # fmt: skip
    assert ended.code == 0, ended.err
    (row,) = json.loads(ended.out)["rows"]
    assert row["members"] == row["holdouts"] == (22 if loader == "coco" else 12)
    assert 0 <= row["auc_low"] <= row["auc"] <= row["auc_high"] <= 1
    assert ("intervals are too narrow" in ended.err) == (loader == "coco")
    again = cli("run", *words, "--attack", "loss", "--workers", 1, "--store", tmp_path / "store",
                "--format", "json")  # fmt: skip
    assert again.out == ended.out
    assert "[1/" not in again.err, "opened anew, it is the same data"
