"""From words to cells: what is refused at once, and what a path means from another folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from clips import write_clip
from safetensors.torch import save_file

from bench.errors import OfflineError, UsageError
from bench.models.base import embedded_folder
from bench.plugins import shipped_folder
from bench.request import Request


@pytest.fixture
def ask(tiny_base, tmp_path, monkeypatch):
    import torch

    monkeypatch.chdir(tmp_path)
    save_file({"w": torch.zeros(1)}, tmp_path / "unet.safetensors")

    def make(*attacks, **more):
        return Request(["none"], attacks, data="scenes:n=120", base=str(tiny_base),
                       recipe="quick", **more)  # fmt: skip

    return make


def test_a_path_means_the_same_from_every_folder_and_in_every_spelling(ask, tmp_path):
    near = ask("ref_loss[reference=./unet.safetensors,count=11]")
    far = near.absolute()
    assert far.attacks == [f"ref_loss[reference={tmp_path}/unet.safetensors,count=11]"]
    (ours,), (theirs,) = near.cells(), far.cells()
    assert ours.attack.identity() == theirs.attack.identity()
    assert ours.attack.reference == str(tmp_path / "unet.safetensors")


def test_a_captioner_s_folder_means_the_same_from_every_folder(ask, tmp_path):
    (tmp_path / "cap").mkdir()
    for name, full in (
        ("clip:cap", f"clip:{tmp_path}/cap"),
        ("cap", f"{tmp_path}/cap"),
        ("org/blip@main", "org/blip@main"),
        (None, None),
    ):
        assert ask("loss", captioner=name).absolute().captioner == full


def test_names_of_references_are_no_paths(ask):
    for name in ("shadow", "base"):
        assert ask(f"ref_loss[reference={name}]").absolute().attacks == [
            f"ref_loss[reference={name}]"
        ]


def test_what_cannot_be_run_is_left_out_of_all_and_refused_by_name(ask):
    said = []
    names = {cell.attack.name for cell in ask("all", shadow="resplit").cells(said.append)}
    assert {"loss", "clid_th", "pfami"} <= names
    assert not names & {"ref_loss", "ref_align"}
    assert [line.split(":")[0] for line in said] == ["left out ref_align", "left out ref_loss"]
    with pytest.raises(UsageError, match="ref_loss declines"):
        ask("ref_loss", shadow="resplit").cells()
    ask("ref_loss[reference=base]", shadow="resplit").cells()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"view": "defendd"}, "did you mean defended"),
        ({"shadow": "resplt"}, "did you mean resplit"),
        ({"pool": "maximum"}, "no pool"),
        ({"shadow_defense": "sme"}, "did you mean same"),
        ({"pool": "max"}, "nothing to pool"),
        ({"replays": 3}, "--replays belongs to --view defended"),
        ({"captioner": "mini-clip"}, "--captioner belongs to --view pseudo"),
    ],
)
def test_wrong_options_are_one_line(ask, changed, told):
    with pytest.raises(UsageError, match=told):
        ask("loss", **changed).cells()


def test_a_reference_that_is_no_file_of_weights_is_refused(ask):
    for bad in ("nope", "./nope.safetensors", str(Path.cwd())):
        with pytest.raises(UsageError, match="neither shadow nor base nor a file"):
            ask(f"ref_loss[reference={bad}]").cells()


def test_a_clip_is_the_base_s_own_unless_another_is_named(ask, tmp_path):
    (bare,) = ask("loss").cells()
    assert (bare.clip, bare.clip_digest) == (None, None)
    (own,) = replace(ask("loss"), base="mini-sd").cells()
    assert own.clip == str(embedded_folder() / "clip")
    write_clip(tmp_path / "other")
    near = ask("loss", clip="other")
    (other,), (far,) = near.cells(), near.absolute().cells()
    assert near.absolute().clip == far.clip == other.clip == str(tmp_path / "other")
    assert other.clip_digest == far.clip_digest
    assert len(other.clip_digest) == len(own.clip_digest) == 64
    assert other.clip_digest != own.clip_digest


def test_what_is_no_clip_is_refused_before_anything_is_computed(ask, tiny_base):
    with pytest.raises(OfflineError, match="no CLIP folder at"):
        ask("loss", clip="gone").cells()
    with pytest.raises(UsageError, match="is no CLIP"):
        ask("loss", clip=str(tiny_base / "unet")).cells()


def test_a_file_among_joined_defenses_is_found_from_every_folder(ask, tmp_path):
    near = ["gn[lam=0.5]+./mine.py[words=3]", "./a+b.py[x=1]", "./c++/mine.py:Mine+del1"]
    far = [
        f"gn[lam=0.5]+{tmp_path}/mine.py[words=3]",
        f"{tmp_path}/a+b.py[x=1]",
        f"{tmp_path}/c++/mine.py:Mine+del1",
    ]
    asked = replace(ask("loss"), defenses=near).absolute()
    assert asked.defenses == asked.absolute().defenses == far


@pytest.mark.parametrize(
    ("recipe", "augment", "said"),
    [
        ("paper-overtraining", "default", True),
        ("mini-overtraining", "strong", True),
        ("paper-overtraining", "script", False),
        ("mini-overtraining", "none", False),
        ("paper-realworld", "default", False),
    ],
)
def test_over_training_that_is_not_the_paper_s_is_said(ask, recipe, augment, said):
    told = []
    replace(ask("loss"), recipe=recipe, augment=augment).cells(told.append)
    assert [line for line in told if "Table 1 is `--augment script`" in line] == told
    assert bool(told) == said


def test_what_a_foreign_attack_calls_t_may_be_no_timestep(ask, tmp_path):
    with pytest.raises(UsageError, match=r"loss\[t=1000\]: t 1000 is outside"):
        ask("loss[t=1000]").cells()
    shipped = (shipped_folder("attack") / "loss.py").read_text(encoding="utf-8")
    (tmp_path / "mine.py").write_text(shipped.replace('"loss"', '"mine"'), encoding="utf-8")
    assert ask("./mine.py[t=1000]").cells()
