"""Mixed precision, its scaler, and gradient checkpointing."""

from __future__ import annotations

import pytest
import torch
from accelerate.optimizer import AcceleratedOptimizer

from bench.composition import Composition
from bench.errors import UsageError
from bench.training.means import Means
from bench.training.recipe import RECIPES
from bench.training.trainer import Trainer


class Killed(BaseException):
    """Ends a training in the middle."""


def scaled(base, recipe):
    """A trainer with torch's gradient scaler for the CPU, as accelerate gives it one on a GPU."""
    trainer = Trainer(base, recipe, 0)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=3)
    trainer.accelerator.scaler = scaler
    trainer.optimiser = AcceleratedOptimizer(trainer.optimiser.optimizer, scaler=scaler)
    return trainer


def one_step(trainer, size):
    """Learns from a loss of about this size."""
    weights = list(trainer.trained.values())

    def losses(chosen):
        return torch.stack([w.square().mean() for w in weights]).mean().expand(len(chosen)) * size

    trainer.step(losses, [0, 1])


def test_the_scaler_goes_on_where_it_stopped(fresh, recipe, tmp_path):
    whole = scaled(fresh(), recipe)
    scales = []
    for size in (1.0, 1.0, 1.0, 1e36, 1.0, 1.0):
        one_step(whole, size)
        scales.append(whole.accelerator.scaler.get_scale())
    # Doubled after three steps that went well, halved by one that overflowed.
    assert scales == [1024.0, 1024.0, 2048.0, 1024.0, 1024.0, 1024.0]
    whole.save(tmp_path, Composition())
    taken_up = scaled(fresh(), recipe)
    taken_up.resume(tmp_path, Composition())
    for trainer in (whole, taken_up):
        one_step(trainer, 1.0)
        assert trainer.accelerator.scaler.get_scale() == 2048.0
    for ours, theirs in zip(taken_up.trained.values(), whole.trained.values(), strict=True):
        assert torch.equal(ours, theirs)


def test_half_precision_is_refused_on_a_cpu(fresh):
    with pytest.raises(UsageError, match=r"trains in fp16, which takes a GPU"):
        Trainer(fresh(), RECIPES["paper-realworld"], 0)


def test_dp_is_refused_in_half_precision():
    from bench.training.engine import check_precision

    private = RECIPES["paper-realworld"].changed(accumulate=1, sample_clip=1.0)
    with pytest.raises(UsageError, match="loss scaling"):
        check_precision(private, "cuda")
    check_precision(private.changed(precision="bf16"), "cuda")


def test_checkpointing_trains_the_same_weights(training, recipe):
    """What is computed twice is computed alike."""
    spared = training(recipe.changed(gradient_checkpointing=True))
    assert spared.bytes == training(recipe).bytes


def test_checkpointing_holds_fewer_activations(fresh, recipe):
    def held(checkpointing):
        trainer = Trainer(fresh(), recipe.changed(gradient_checkpointing=checkpointing), 0)
        kept = []
        with torch.autograd.graph.saved_tensors_hooks(lambda x: (kept.append(x.nbytes), x)[1],
                                                      lambda x: x):  # fmt: skip
            trainer.forward(torch.randn(8, 4, 8, 8), torch.arange(8), torch.randn(8, 77, 32))
        return sum(kept)

    assert held(checkpointing=True) < 0.5 * held(checkpointing=False)


def test_one_process_trains_in_one_precision_after_another(training, recipe, assert_close):
    full = training(recipe)
    half = training(recipe.changed(precision="bf16"))
    assert training(recipe).bytes == full.bytes
    assert {value.dtype for value in half.weights.values()} == {torch.float32}
    assert_close(half.weights, full.weights, 0.3)
    with pytest.raises(AssertionError):
        assert_close(half.weights, full.weights, 1e-3)


def test_a_bf16_training_resumes_at_its_bits(training, recipe, tmp_path):
    half = recipe.changed(precision="bf16", gradient_checkpointing=True, accumulate=2)

    def kill(done, of, unit):
        if unit == "pictures" and done >= 14:
            raise Killed

    whole = training(half)
    with pytest.raises(Killed):
        training(half, work=tmp_path / "w", progress=kill, means=Means(checkpoint_seconds=0))
    assert training(half, work=tmp_path / "w").bytes == whole.bytes
