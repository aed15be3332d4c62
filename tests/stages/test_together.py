"""Several processes train what one would, or say in one line why they cannot."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from bench.composition import Composition
from bench.errors import UsageError, ValidationError
from bench.models.base import load_base
from bench.plugins import instantiate, resolve
from bench.training.peers import Peers, check_shareable
from bench.training.recipe import RECIPES, Recipe

RECIPE = Recipe(
    name="test", epochs=3, batch=3, accumulate=2, lr=1e-3, ema_decay=0.9, crop_margin=1, keep=(1,)
)
"""Eight members in micro-batches of 3, 3 and 2, of which the last is an update of its own."""
USUAL = {
    "part": "members",
    "defense": "none",
    "augment": "default",
    "recipe": RECIPE.model_dump(mode="json"),
    "seed": 5,
}
SHARED = 1e-3
"""Of the way a training went, between one process and two; seen: 1.1e-4."""
SCORES = 1e-2
"""Of the spread of an attack's scores, at most for any pair."""
LOSSES = 1e-5
"""Relative, for the mean loss of an epoch; seen: 2e-7."""
BROKEN = """
from dataclasses import dataclass
from bench import Defense
from bench.errors import ValidationError

@dataclass
class Broken(Defense):
    name = "broken"
    level = "loss"

    def weigh(self, errors, batch, training):
        {what}
"""


def apart(ours, theirs, start):
    """How far two trainings ended apart, as a share of the way they went."""
    assert ours.keys() == theirs.keys()
    gap = torch.cat([(ours[n] - theirs[n]).flatten() for n in ours]).norm()
    way = torch.cat([(theirs[n] - start[n]).flatten() for n in theirs]).norm()
    return float(gap / way)


@pytest.mark.parametrize("defense", ["none", "latent_mixup+agc+early_stop[patience=1,every=1]"])
def test_two_processes_train_what_one_trains(run, split, tiny_base, defense):
    """Under defenses too that mix the micro-batch, compare its losses, or end the training."""
    parts = [resolve("defense", name) for name in defense.split("+")]
    assert all(parts)
    asked = USUAL | {"defense": defense}
    one = run("train", {"split": split}, **asked)
    two = run("train", {"split": split}, means={"processes": 2}, **asked)
    np.testing.assert_allclose(
        two.result["loss_by_epoch"], one.result["loss_by_epoch"], rtol=LOSSES, atol=2e-6
    )
    for what in ("pairs", "pictures", "steps", "epochs", "captions_changed"):
        assert two.result[what] == one.result[what]
    assert {path.name for path in two.folder.iterdir()} == {
        path.name for path in one.folder.iterdir()
    }
    start = load_base(tiny_base).unet.state_dict()
    for name in ("unet.safetensors", "unet-0001.safetensors"):
        ours, theirs = (load_file(done.folder / name) for done in (two, one))
        assert apart(ours, theirs, start) < SHARED
    for title, notes in one.result["notes"].items():
        for what, value in notes.items():
            assert two.result["notes"][title][what] == pytest.approx(value, rel=1e-4)


def test_teachers_are_trained_together_too(run, split, tiny_base):
    asked = USUAL | {"defense": "distill_md"}
    one = run("train", {"split": split}, **asked)
    two = run("train", {"split": split}, means={"processes": 2}, **asked)
    start = load_base(tiny_base).unet.state_dict()
    ours, theirs = (load_file(done.folder / "unet.safetensors") for done in (two, one))
    assert apart(ours, theirs, start) < SHARED
    assert two.result["notes"] == one.result["notes"]


def test_an_error_in_a_process_is_told_as_it_was_raised(run, split, tmp_path):
    path = tmp_path / "broken.py"
    path.write_text(BROKEN.format(what="raise ValidationError('the moon is full')"))
    with pytest.raises(ValidationError, match="^the moon is full$"):
        run("train", {"split": split}, means={"processes": 2}, **USUAL | {"defense": str(path)})


def test_weights_with_a_gradient_of_their_own_are_refused(run, split, tmp_path):
    path = tmp_path / "broken.py"
    path.write_text(BROKEN.format(what="return errors.flatten(1).mean(1)"))
    with pytest.raises(UsageError, match="leave --processes out"):
        run("train", {"split": split}, means={"processes": 2}, **USUAL | {"defense": str(path)})


@pytest.mark.parametrize(
    ("defense", "recipe", "said"),
    [
        ("dp_sgd", "mini", "--processes 2: DP-SGD clips each pair by itself"),
        ("smp_lora", "mini", "--processes 2: smp_lora weighs losses by a forward of its own"),
        ("none", "paper-realworld", "micro-batches of 1, which at most 1 processes"),
    ],
)
def test_what_processes_cannot_share_is_refused_in_one_line(defense, recipe, said):
    composed = Composition([instantiate("defense", resolve("defense", defense))])
    changed = composed.recipe(RECIPES[recipe], 100)
    check_shareable(changed, composed, 1)
    with pytest.raises(UsageError) as refused:
        check_shareable(changed, composed, 2)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_mean_over_processes_is_the_mean_loss(n, count):
    losses = torch.rand(n, dtype=torch.float64)
    parts = [Peers(rank, count).part(losses) for rank in range(count)]
    assert torch.stack(parts).mean() == pytest.approx(float(losses.mean()), rel=1e-12)


def test_every_row_is_computed_once():
    for n in range(3, 9):
        rows = [row for rank in range(3) for row in Peers(rank, 3).rows(n)]
        assert sorted(rows) == list(range(n))


@pytest.mark.slow
def test_two_processes_end_at_the_scores_of_one(cli, ran, tmp_path):
    """The whole job: the same stages by the same keys, and scores that differ by rounding."""
    store = tmp_path / "store"
    attacks = ("--attack", "loss", "--attack", "clid_th")
    ended = cli(
        "run", *ran.words, *attacks, "--workers", 1, "--processes", 2, "--store", store
    )  # fmt: skip
    assert ended.code == 0, ended.err
    ours, theirs = (
        {path.parent.name: np.load(path) for path in root.glob("stages/scores/*/scores.npz")}
        for root in (store, ran.store)
    )
    assert ours.keys() == theirs.keys()
    assert len(ours) == 4
    for key, told in theirs.items():
        for name in told.files:
            if told[name].dtype.kind == "f":
                spread = float(np.std(told[name])) or 1.0
                assert np.abs(ours[key][name] - told[name]).max() < SCORES * spread, name
    made = [json.loads(p.read_text())["made"] for p in store.glob("stages/train/*/record.json")]
    assert [record["processes"] for record in made] == [2] * len(made)
