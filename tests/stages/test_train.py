"""Training as a stage: the members, all of them, through the defense, and nobody else."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.torch import load_file

from bench.models.base import load_base
from bench.training import loop
from bench.training.recipe import Recipe

RECIPE = Recipe(name="test", epochs=2, batch=4, crop_margin=1, keep=(1,))
USUAL = {
    "part": "members",
    "defense": "none",
    "augment": "default",
    "recipe": RECIPE.model_dump(mode="json"),
    "seed": 5,
}
PLUGIN = """
from dataclasses import dataclass, replace
from bench import Defense

@dataclass
class Odd(Defense):
    name = "odd"

    def prepare(self, pairs, context):
        context.notes["seen"] = list(pairs.ids)
        context.notes["auxiliary"] = list(context.auxiliary.ids)
        context.notes["draw"] = float(context.rng(pairs.ids[0]).random())
        return {prepared}
"""


@pytest.fixture
def odd(tmp_path):
    def write(prepared):
        path = tmp_path / "odd.py"
        path.write_text(PLUGIN.format(prepared=prepared))
        return str(path)

    return write


def artefacts(done):
    return {path.name: path.read_bytes() for path in done.folder.glob("*.safetensors")}


def quietly(done, of, unit):
    pass


@pytest.mark.parametrize("part", ["members", "shadow_members"])
def test_no_defense_is_training_on_the_pairs_as_they_are(
    run, split, parts, scene_pairs, tiny_base, tmp_path, part
):
    done = run("train", {"split": split}, **USUAL | {"part": part})
    members = scene_pairs.select(sorted(parts[part]))
    work, out = tmp_path / "plain-work", tmp_path / "plain-out"
    work.mkdir()
    out.mkdir()
    task = loop.Task(members, RECIPE, "default", 5, members)
    loop.train(load_base(tiny_base), task, work, out, quietly)
    assert artefacts(done) == {path.name: path.read_bytes() for path in out.iterdir()}
    assert set(artefacts(done)) == {"unet.safetensors", "unet-0001.safetensors"}
    assert done.result["pairs"] == 8
    assert done.result["captions_changed"] == 0
    assert done.result["notes"] == {}


def test_a_defense_that_changes_nothing_trains_the_same_weights(run, split, odd):
    plain = run("train", {"split": split}, **USUAL)
    for prepared in ("pairs", "pairs.with_captions(pairs.originals)"):
        done = run("train", {"split": split}, **USUAL | {"defense": odd(prepared)})
        assert artefacts(done) == artefacts(plain)


def test_changed_captions_are_trained_on_and_counted(run, split, odd, parts):
    plain = run("train", {"split": split}, **USUAL)
    some = odd("pairs.with_captions({pairs.ids[0]: 'x', pairs.ids[1]: 'y'})")
    done = run("train", {"split": split}, **USUAL | {"defense": some})
    assert artefacts(done) != artefacts(plain)
    assert done.result["captions_changed"] == 2 / 8
    touched = json.loads((done.folder / "touched.json").read_text())
    assert touched == sorted(parts["members"])[:2]


def test_a_defense_sees_members_and_auxiliary_pairs_and_nobody_else(run, split, odd, parts):
    done = run("train", {"split": split}, **USUAL | {"defense": odd("pairs")})
    notes = done.result["notes"]["odd"]
    assert notes["seen"] == sorted(parts["members"])
    assert notes["auxiliary"] == sorted(parts["auxiliary"])


def test_a_defense_s_draws_are_keyed_by_the_seed(run, split, odd):
    draws = [
        run("train", {"split": split}, **USUAL | {"defense": odd("pairs"), "seed": seed}).result[
            "notes"
        ]["odd"]["draw"]
        for seed in (0, 0, 1)
    ]
    assert draws[0] == draws[1] != draws[2]


def test_a_defense_may_leave_pairs_out(run, split, odd):
    half = odd("pairs.select(pairs.ids[:4])")
    assert run("train", {"split": split}, **USUAL | {"defense": half}).result["pairs"] == 4


@pytest.mark.parametrize(
    "prepared",
    [
        "replace(pairs, originals=('x',) * len(pairs))",
        "replace(pairs, originals=pairs.originals[::-1])",
        "context.auxiliary",
        "replace(pairs, ids=('new', *pairs.ids[1:]))",
    ],
)
def test_a_defense_neither_adds_pairs_nor_overwrites_originals(run, split, odd, prepared):
    with pytest.raises(ValueError, match=r"^defense odd added pair .* or overwrote its original"):
        run("train", {"split": split}, **USUAL | {"defense": odd(prepared)})


def test_augmentation_is_an_axis_of_its_own(run, split):
    with_it = run("train", {"split": split}, **USUAL)
    without = run("train", {"split": split}, **USUAL | {"augment": "none"})
    assert artefacts(with_it) != artefacts(without)


def test_a_stage_resumes_from_its_work_folder(run, split, tmp_path, monkeypatch):
    whole = run("train", {"split": split}, **USUAL)
    always = {"checkpoint_seconds": 0}
    run("train", {"split": split}, work=tmp_path / "work", means=always, **USUAL)
    assert (tmp_path / "work" / "checkpoint.safetensors").exists()
    monkeypatch.setattr(loop.Trainer, "step", lambda *_, **__: pytest.fail("nothing is left"))
    again = run("train", {"split": split}, work=tmp_path / "work", **USUAL)
    assert artefacts(again) == artefacts(whole)


def test_trained_weights_fit_the_base(run, split, tiny_base):
    done = run("train", {"split": split}, **USUAL)
    base = load_base(tiny_base, done.folder / "unet.safetensors")
    start = load_base(tiny_base).unet.state_dict()
    moved = [
        float((value - start[name]).abs().max()) for name, value in base.unet.state_dict().items()
    ]
    assert all(np.isfinite(moved))
    assert max(moved) > 0
    assert load_file(done.folder / "unet-0001.safetensors").keys() == start.keys()
