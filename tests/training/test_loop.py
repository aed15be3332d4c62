"""The loop: equal to a plain one, the same however often it is interrupted, and able to learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler

from bench.training import caches
from bench.training.means import Means
from bench.training.visits import Schedule, Visits

CLOSE = 1e-3
"""Of the way a training went, where float32 sums are taken in another order; seen: 1.4e-4."""


ALWAYS = Means(checkpoint_seconds=0)
"""A checkpoint after every step."""


class Killed(BaseException):
    """Ends a training in the middle."""


def killed_at(pictures, told=None):
    """Progress that ends the training after so many pictures."""

    def progress(done, of, unit):
        if unit == "pictures":
            if told is not None:
                told.append(done)
            if done >= pictures:
                raise Killed

    return progress


def plain_training(base, pairs, recipe, augment, seed):
    """The published script's loop with the same draws: no accelerate, no EMAModel, no cache."""
    visits, schedule = Visits(base, pairs, recipe, augment, seed), Schedule(recipe, 10, seed)
    scheduler = DDPMScheduler.from_config(base.scheduler.config)
    unet = base.unet.train().requires_grad_(True)
    optimiser = torch.optim.AdamW(
        unet.parameters(), recipe.lr, recipe.betas, recipe.eps, recipe.weight_decay
    )
    average = [p.detach().clone() for p in unet.parameters()]
    steps, losses = 0, []
    for epoch in range(recipe.epochs):
        for number in range(1, schedule.per_epoch + 1):
            chosen = schedule.chosen(epoch * schedule.per_epoch + number - 1)
            batch = visits.batch(chosen, epoch)
            noisy = scheduler.add_noise(batch.clean, batch.noise, batch.times)
            wanted = batch.noise
            if base.prediction_type == "v_prediction":
                wanted = scheduler.get_velocity(batch.clean, batch.noise, batch.times)
            loss = F.mse_loss(unet(noisy, batch.times, batch.text).sample, wanted)
            (loss / recipe.accumulate).backward()
            losses.append(loss.item())
            if number % recipe.accumulate and number < schedule.per_epoch:
                continue
            torch.nn.utils.clip_grad_norm_(unet.parameters(), recipe.clip_norm)
            optimiser.step()
            optimiser.zero_grad()
            steps += 1
            decay = 0.0 if steps == 1 else min(recipe.ema_decay, steps / (9 + steps))
            for slow, p in zip(average, unet.parameters(), strict=True):
                slow.copy_(decay * slow + (1 - decay) * p.detach())
    names = [name for name, _ in unet.named_parameters()]
    return dict(zip(names, average, strict=True)), losses, steps


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"accumulate": 2},
        {"batch": 1, "accumulate": 4, "epochs": 2},
        {"ema_decay": 0.0, "weight_decay": 0.5},
        {"clip_norm": 1e-3, "betas": (0.5, 0.9)},
    ],
    ids=str,
)
def test_training_equals_a_plain_loop(training, fresh, pairs, recipe, assert_close, changes):
    recipe = recipe.model_copy(update=changes)
    weights, losses, steps = plain_training(fresh(), pairs, recipe, "default", 5)
    ours = training(recipe, seed=5)
    assert_close(ours.weights, weights, CLOSE)
    assert ours.figures["steps"] == steps
    assert ours.figures["loss_by_epoch"][0] == pytest.approx(
        np.mean(losses[: len(losses) // recipe.epochs]), rel=1e-4
    )


def test_a_velocity_model_is_trained_on_velocities(training, fresh, pairs, recipe, assert_close):
    def velocity():
        base = fresh()
        base.scheduler = DDPMScheduler.from_config(
            base.scheduler.config, prediction_type="v_prediction"
        )
        return base

    weights, _, _ = plain_training(velocity(), pairs, recipe, "default", 0)
    ours = training(base=velocity())
    assert_close(ours.weights, weights, CLOSE)
    with pytest.raises(AssertionError):
        assert_close(ours.weights, training().weights, 10 * CLOSE)


def test_the_same_training_twice_is_the_same_to_the_bit(training):
    torch.manual_seed(1)
    once = training()
    torch.manual_seed(2)
    assert training().bytes == once.bytes
    assert training(seed=1).bytes != once.bytes


def test_the_vae_and_the_text_encoder_are_never_trained(training, fresh):
    base, untouched = fresh(), fresh()
    training(base=base)
    for part in ("vae", "text_encoder"):
        before, after = (getattr(b, part).state_dict() for b in (untouched, base))
        assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("pictures", [4, 10, 18, 30])
def test_a_resumed_training_equals_one_never_stopped(
    training, recipe, tmp_path, accumulate, pictures
):
    recipe = recipe.model_copy(update={"accumulate": accumulate, "keep": (1, 2)})
    whole = training(recipe)
    with pytest.raises(Killed):
        training(recipe, work=tmp_path / "work", progress=killed_at(pictures), means=ALWAYS)
    told = []
    resumed = training(recipe, work=tmp_path / "work", progress=killed_at(99, told))
    assert resumed.bytes == whole.bytes
    assert resumed.figures["loss_by_epoch"] == whole.figures["loss_by_epoch"]
    assert resumed.figures["steps"] == whole.figures["steps"]
    assert told[0] <= pictures
    assert told[0] > pictures - 4 * (accumulate + 1)


def test_a_training_killed_at_every_step_still_ends_the_same(training, recipe, tmp_path):
    whole = training(recipe)
    for pictures in (4, 8, 10, 14, 18, 20, 24, 28, 30):
        with pytest.raises(Killed):
            training(recipe, work=tmp_path / "work", progress=killed_at(pictures), means=ALWAYS)
    assert training(recipe, work=tmp_path / "work").bytes == whole.bytes


def test_a_kill_while_a_checkpoint_is_written_loses_only_that_one(training, recipe, tmp_path):
    whole = training(recipe)
    with pytest.raises(Killed):
        training(recipe, work=tmp_path / "work", progress=killed_at(14), means=ALWAYS)
    (tmp_path / "work" / ".checkpoint.1f").write_bytes(b"half of it")
    assert training(recipe, work=tmp_path / "work").bytes == whole.bytes


def test_checkpoints_are_not_written_more_often_than_asked_for(training, recipe, tmp_path):
    training(recipe, work=tmp_path / "work")
    assert not (tmp_path / "work" / "checkpoint.safetensors").exists()


def test_keeping_weights_does_not_change_the_last_ones(training, recipe):
    plain = training(recipe)
    kept = training(recipe.model_copy(update={"keep": (1, 2, 3)}))
    assert kept.bytes["unet.safetensors"] == plain.bytes["unet.safetensors"]
    assert set(kept.kept) == {"unet-0001", "unet-0002"}
    assert not plain.kept


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("epochs", [1, 2])
def test_kept_weights_are_those_of_a_shorter_training(
    training, recipe, assert_close, epochs, accumulate
):
    recipe = recipe.model_copy(update={"accumulate": accumulate})
    kept = training(recipe.model_copy(update={"keep": (epochs,)})).kept[f"unet-{epochs:04d}"]
    shorter = training(recipe.model_copy(update={"epochs": epochs})).weights
    assert_close(kept, shorter, CLOSE)


def test_two_halves_of_a_batch_make_the_step_of_the_whole(training, pairs, recipe, assert_close):
    eight = pairs.select(pairs.ids[:8])
    whole = training(recipe.model_copy(update={"batch": 8}), eight)
    halves = training(recipe.model_copy(update={"batch": 4, "accumulate": 2}), eight)
    quarters = training(recipe.model_copy(update={"batch": 2, "accumulate": 4}), eight)
    assert whole.figures["steps"] == halves.figures["steps"] == quarters.figures["steps"] == 3
    assert_close(halves.weights, whole.weights, CLOSE)
    assert_close(quarters.weights, whole.weights, CLOSE)


def test_an_accumulation_ends_with_the_epoch_so_no_gradient_is_lost(training, recipe):
    """As in the published script: three micro-batches by two make two steps an epoch."""
    trained = training(recipe.model_copy(update={"accumulate": 2, "epochs": 1}))
    assert trained.figures["steps"] == 2


def test_encoding_on_the_fly_gives_the_same_training(training, assert_close, monkeypatch):
    cached = training()
    monkeypatch.setattr(caches, "LIMIT_BYTES", 0)
    assert_close(training().weights, cached.weights, CLOSE)


def test_pairs_in_another_order_train_the_same_model(training, pairs, recipe, assert_close):
    """With one batch an epoch there is no order left, and the sum is the same."""
    recipe = recipe.model_copy(update={"batch": 10})
    turned = training(recipe, pairs.select(pairs.ids[::-1]))
    assert_close(turned.weights, training(recipe).weights, CLOSE)


def test_figures_say_what_was_done(training, recipe):
    told = []
    figures = training(recipe, progress=lambda *what: told.append(what)).figures
    assert figures["pairs"] == 10
    assert figures["pictures"] == 30
    assert figures["steps"] == 9
    assert len(figures["loss_by_epoch"]) == 3
    assert [done for done, of, unit in told if unit == "pictures"][-1] == 30
    assert {of for _, of, unit in told if unit == "pictures"} == {30}


@pytest.mark.parametrize("augment", ["none", "default"])
def test_loss_falls_on_a_few_pairs_seen_often(training, pairs, recipe, augment):
    recipe = recipe.model_copy(update={"epochs": 80, "lr": 3e-3})
    losses = training(recipe, pairs.select(pairs.ids[:4]), augment).figures["loss_by_epoch"]
    assert np.mean(losses[-20:]) < 0.75 * np.mean(losses[:3])


def test_half_precision_forward_passes_train_the_same_model_roughly(training, recipe, assert_close):
    from accelerate.state import AcceleratorState

    full = training().weights
    AcceleratorState._reset_state(reset_partial_state=True)  # one precision a process
    half = training(recipe.model_copy(update={"precision": "bf16"})).weights
    AcceleratorState._reset_state(reset_partial_state=True)
    assert {value.dtype for value in half.values()} == {torch.float32}
    assert_close(half, full, 0.3)
    with pytest.raises(AssertionError):
        assert_close(half, full, CLOSE)
