"""Targets and bases that come in half precision alone, or in several variants."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from bench.audits.request import AuditRequest
from bench.errors import UsageError
from bench.models.adopted import adopted


def halved(base: Path, place: Path, variant: str = "fp16", keep: bool = False) -> Path:
    """A copy with its weights in half precision under a variant's name, `keep`: beside the rest."""
    shutil.copytree(base, place, dirs_exist_ok=True)
    for path in place.glob("*/*model.safetensors"):
        weights = {
            name: value.half() if value.is_floating_point() else value
            for name, value in load_file(path).items()
        }
        named = path.with_name(path.name.replace(".safetensors", f".{variant}.safetensors"))
        save_file(weights, named, metadata={"format": "pt"})
        if not keep:
            path.unlink()
    return place


@pytest.fixture
def half(tiny_base, tmp_path):
    return halved(tiny_base, tmp_path / "half")


@pytest.fixture
def planned(sides):
    def plan(**words):
        parts = {side: f"folder:{sides[side]}" for side in ("members", "holdouts")}
        (cell,) = AuditRequest(**parts | words, attacks=["loss"]).plan().cells
        return cell

    return plan


def test_a_target_in_half_precision_alone_is_audited(ask, half):
    ended = ask(half, "--attack", "loss", "--format", "json")
    assert ended.code == 0, ended.err
    notes = " ".join(json.loads(ended.out)["notes"])
    assert "text encoder of its own" not in notes


def test_it_is_audited_by_itself_too(ask, half):
    ended = ask(half, "--attack", "loss", base=None)
    assert ended.code == 0, ended.err


def test_a_base_in_half_precision_alone_is_asked_for_by_variant(ask, half, tiny_base):
    ended = ask(half, "--attack", "loss", base=half)
    assert ended.code == 2
    assert f"base {half} has no plain weights in unet; give --variant fp16" in ended.err
    ended = ask(tiny_base / "unet", "--attack", "loss", base=half, variant="fp16")
    assert ended.code == 0, ended.err


def test_of_several_the_plain_one_is_read_then_the_asked_one(planned, tiny_base, tmp_path):
    both = halved(tiny_base, tmp_path / "both", keep=True)
    words = {"target": str(both), "base": str(tiny_base)}
    assert planned(**words).audited.target.identity == adopted(str(tiny_base)).identity
    two = halved(tiny_base, tmp_path / "two")
    halved(tiny_base, two, "ema", keep=True)
    for path in two.glob("*/*model.safetensors"):
        path.unlink()
    with pytest.raises(UsageError, match="^target .* no plain weights in unet; give --variant ema"):
        planned(target=str(two), base=str(tiny_base))
    cells = [planned(target=str(two), variant=kind) for kind in ("fp16", "ema")]
    assert [cell.variant for cell in cells] == ["fp16", "ema"]
    assert cells[0].audited.target.identity != cells[1].audited.target.identity


def test_a_target_that_is_no_whole_model_is_not_called_a_base(planned, tiny_base, tmp_path):
    place = Path(shutil.copytree(tiny_base, tmp_path / "mine"))
    path = place / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"prediction_type": "sample"}))
    with pytest.raises(UsageError, match=f"^target {place} has the prediction type"):
        planned(target=str(place))
