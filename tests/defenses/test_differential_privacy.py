"""The defenses `dp_sgd` and `dp_lora`: what bounds a pair's influence, and what is accounted."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from opacus.accountants.utils import get_noise_multiplier
from procedures import PAIRS, RECIPE, Trainings, family
from pydantic import ValidationError

from bench.api import Defense
from bench.composition import Composition
from bench.errors import UsageError
from bench.models.base import load_base
from bench.plugins import instantiate, resolve
from bench.rng import generator
from bench.training import private
from bench.training.loop import Task, _losses, _session
from bench.training.means import Means
from bench.training.visits import Schedule

DPSGD, DPLoRA = (getattr(family("differential_privacy"), n) for n in ("DPSGD", "DPLoRA"))
BOTH = pytest.mark.parametrize("defense", [DPSGD, DPLoRA], ids=lambda d: d.name)
INF = float("inf")


@pytest.fixture(scope="module")
def trained(tiny_base, tmp_path_factory):
    return Trainings(tiny_base, tmp_path_factory.mktemp("trainings"))


@pytest.fixture(scope="module")
def undefended(trained):
    return trained()


@pytest.fixture
def quick_sigma(monkeypatch):
    """The accountant's search takes seconds, and what it finds is tested by itself."""
    monkeypatch.setattr(family("differential_privacy")._Private, "_sigma", lambda *_: 0.7)


@pytest.fixture
def session(tiny_base, tmp_path):
    task = Task(PAIRS, RECIPE, "default", 0, PAIRS, Composition())
    return _session(
        load_base(tiny_base), task, Schedule(RECIPE, 10, 0), tmp_path, lambda *_: None, Means()
    )


def summed(session, chosen, clip, batch=1, noise=0.0, step=0):
    """The summed gradient that the U-Net would get from these pairs, as one vector."""
    recipe = RECIPE.changed(sample_clip=clip, batch=batch, noise_multiplier=noise)
    parameters = list(session.trainer.trained.values())
    losses = [lambda i=i: _losses(session, Composition(), 0, [i]) for i in chosen]
    rng = generator(0, "privacy noise", step)
    value = private.gradients(parameters, losses, recipe, clip, rng)
    return torch.cat([p.grad.flatten() for p in parameters]), value


@BOTH
@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"epsilon": 0}, "epsilon=0 must be positive"),
        ({"epsilon": math.nan}, "epsilon=nan must be positive"),
        ({"delta": 1.0}, "delta=1.0 must be below 1"),
        ({"delta": -1e-5}, "delta=-1e-05 must be below 1"),
        ({"clip": 0}, "clip=0 must be positive"),
        ({"clip": INF}, "clip=inf must go with epsilon=inf"),
        ({"batch": 0}, "batch=0 must be at least 1"),
    ],
)
def test_bad_parameters_are_one_clear_line(defense, bad, said):
    with pytest.raises(UsageError, match=f"defense {defense.name}: {said}"):
        defense(**bad)


def test_a_negative_rank_is_refused():
    with pytest.raises(UsageError, match="defense dp_lora: rank=-1 must not be negative"):
        DPLoRA(rank=-1)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"sample_clip": 1.0, "accumulate": 2}, "accumulate=1"),
        ({"poisson": True}, "need sample_clip"),
        ({"noise_multiplier": 1.0}, "need sample_clip"),
    ],
)
def test_a_recipe_that_would_not_be_private_is_refused(bad, said):
    with pytest.raises(ValidationError, match=said):
        RECIPE.changed(**bad)


def test_no_budget_and_no_clipping_is_plain_training(trained, undefended):
    off = {"epsilon": INF, "clip": INF}
    assert trained(lambda: [DPSGD(**off)]).bytes == undefended.bytes
    assert trained(lambda: [DPLoRA(**off, rank=0)]).bytes == undefended.bytes
    lora = trained(recipe=RECIPE.changed(lora_rank=2))
    ours = trained(lambda: [DPLoRA(**off, rank=2)])
    assert ours.bytes == lora.bytes
    assert not any(ours.notes.values())


def test_infinity_can_be_asked_for_and_is_read_back():
    component = resolve("defense", "dp_sgd[epsilon=inf,clip=inf]")
    assert component.label == "dp_sgd[epsilon=inf,clip=inf]"
    made = instantiate("defense", component)
    assert (made.epsilon, made.clip) == (INF, INF)
    vacuous = instantiate("defense", resolve("defense", "dp_lora[preset=vacuous]"))
    assert vacuous.epsilon == 1e6


@BOTH
@pytest.mark.parametrize("epsilon", [1.0, 10.0, 1e6])
def test_the_noise_is_the_accountant_s(defense, epsilon):
    recipe = defense(epsilon=epsilon, batch=64).recipe(RECIPE.changed(accumulate=4), 500)
    sigma = get_noise_multiplier(
        target_epsilon=epsilon, target_delta=500**-1.1, sample_rate=64 / 500,
        steps=RECIPE.epochs * 8, accountant="rdp",
    )  # fmt: skip
    assert recipe.noise_multiplier == sigma
    assert (recipe.batch, recipe.poisson, recipe.accumulate) == (64, True, 1)
    assert recipe.sample_clip == 1e-3
    assert recipe.lora_rank == (4 if defense is DPLoRA else 0)
    assert recipe.epochs == RECIPE.epochs


def test_a_smaller_delta_needs_more_noise():
    small, usual = (DPSGD(delta=delta).recipe(RECIPE, 500) for delta in (1e-9, 0))
    assert small.noise_multiplier > usual.noise_multiplier


def test_the_budget_is_that_of_the_steps_made(trained):
    """A training that another defense ends has spent less."""

    class Early(Defense):
        name = "early"

        def stops(self, epoch, training):
            return epoch == 1

    whole = trained(lambda: [DPSGD(batch=4, epsilon=1e3)]).notes["dp_sgd"]
    assert 999 < whole["epsilon_spent"] <= 1000
    assert whole["noisy_steps"] == 9
    assert whole["delta"] == pytest.approx(10**-1.1)
    assert whole["sample_rate"] == 0.4
    assert whole["neighbours"] == "add or remove one pair"
    early = trained(lambda: [DPSGD(batch=4, epsilon=1e3), Early()]).notes["dp_sgd"]
    assert early["noisy_steps"] == 3
    assert early["sigma"] == whole["sigma"]
    assert early["epsilon_spent"] < whole["epsilon_spent"]


def test_without_clipping_it_is_the_gradient_of_the_batch(session):
    ours, value = summed(session, range(10), 1e6, batch=10)
    parameters = list(session.trainer.trained.values())
    loss = _losses(session, Composition(), 0, range(10)).mean()
    theirs = torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters)])
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    assert (ours - theirs).norm() < 1e-5 * theirs.norm()
    assert value == pytest.approx(loss.item(), rel=1e-5)


@pytest.mark.parametrize("clip", [1e-3, 0.05, 0.5, 1e6])
def test_no_pair_moves_the_sum_by_more_than_the_clip(session, clip):
    """Neighbours by adding or removing a pair; an exchange is two of those."""
    alone = [summed(session, [i], clip)[0] for i in range(4)]
    unclipped = [summed(session, [i], 1e6)[0] for i in range(4)]
    for ours, own in zip(alone, unclipped, strict=True):
        wanted = own * min(1.0, clip / own.norm())
        torch.testing.assert_close(ours, wanted, rtol=1e-4, atol=1e-6)
        assert ours.norm() <= clip * (1 + 1e-5)
    rest, _ = summed(session, [0, 1, 2], clip)
    more, _ = summed(session, [0, 1, 2, 3], clip)
    other, _ = summed(session, [0, 1, 3], clip)
    slack = 1e-6 * rest.norm() + 1e-7
    assert (more - rest).norm() <= clip * (1 + 1e-5) + slack
    assert (other - rest).norm() <= 2 * clip * (1 + 1e-5) + slack
    torch.testing.assert_close(rest, alone[0] + alone[1] + alone[2], rtol=1e-4, atol=1e-6)


def test_the_divisor_is_the_expected_batch_and_not_the_drawn_one(session):
    one, _ = summed(session, [0, 1], 0.5, batch=1)
    eight, _ = summed(session, [0, 1], 0.5, batch=8)
    torch.testing.assert_close(eight * 8, one)


def test_noise_has_the_accounted_size_and_belongs_to_the_step(session):
    clean, _ = summed(session, [0], 0.2, batch=4)
    noisy, _ = summed(session, [0], 0.2, batch=4, noise=3.0)
    noise = (noisy - clean) * 4 / (3.0 * 0.2)
    n = len(noise)
    assert abs(noise.mean()) < 4 / n**0.5
    assert abs(noise.std() - 1) < 4 / (2 * n) ** 0.5
    again, _ = summed(session, [0], 0.2, batch=4, noise=3.0)
    assert torch.equal(again, noisy)
    next_step, _ = summed(session, [0], 0.2, batch=4, noise=3.0, step=1)
    assert abs(np.corrcoef(noise, (next_step - clean).numpy())[0, 1]) < 4 / n**0.5
    empty, value = summed(session, [], 0.2, batch=4, noise=3.0)
    torch.testing.assert_close(empty, noisy - clean, rtol=1e-4, atol=1e-5)
    assert value == 0.0


def test_poisson_batches_draw_each_pair_at_its_rate():
    recipe = RECIPE.changed(sample_clip=1.0, poisson=True, batch=3, epochs=500)
    schedule = Schedule(recipe, 10, 0)
    assert schedule.total == 2000
    drawn = np.zeros((2000, 10))
    for number in range(2000):
        drawn[number, schedule.chosen(number)] = 1
    assert abs(drawn.mean(0) - 0.3).max() < 4 * (0.21 / 2000) ** 0.5
    sizes = drawn.sum(1)
    assert sizes.var() == pytest.approx(10 * 0.21, rel=0.15)
    assert (sizes == 0).any()
    assert abs(np.corrcoef(drawn.T) - np.eye(10)).max() < 5 / 2000**0.5


def test_empty_batches_pass_and_a_resume_changes_nothing(trained, quick_sigma):
    recipe = RECIPE.changed(epochs=2)
    secret = Task(PAIRS, recipe, "default", 0, PAIRS).secret
    schedule = Schedule(DPSGD(batch=1).recipe(recipe, 10), 10, 0, secret)
    sizes = [len(schedule.chosen(number)) for number in range(schedule.total)]
    assert 0 in sizes
    whole = trained(lambda: [DPSGD(batch=1)], recipe=recipe)
    assert whole.figures["pictures"] == sum(sizes)
    assert whole.figures["steps"] == schedule.total == 20
    kills = [("pictures", 3), ("pictures", 10), ("pictures", 17)]
    resumed = trained(lambda: [DPSGD(batch=1)], recipe=recipe, kills=kills)
    assert resumed.bytes == whole.bytes
    assert resumed.notes == whole.notes
    assert resumed.figures == whole.figures


def test_who_trains_by_the_same_seed_on_other_pairs_shares_no_secret():
    """An attacker's own model would else bring the target's noise along."""
    recipe = DPSGD(batch=4).recipe(RECIPE, 9)
    tasks = [Task(PAIRS.select(PAIRS.ids[i : i + 9]), recipe, "default", 0, PAIRS) for i in (0, 1)]
    drawn = [
        [schedule.chosen(number) for number in range(schedule.total)]
        for schedule in (Schedule(recipe, 9, 0, task.secret) for task in tasks)
    ]
    assert drawn[0] != drawn[1]


def test_more_pairs_expected_than_there_are_means_all_of_them(trained, quick_sigma):
    ours = trained(lambda: [DPSGD(batch=64)])
    assert ours.figures["pictures"] == 3 * 10
    assert ours.figures["steps"] == 3
    assert ours.notes["dp_sgd"]["sample_rate"] == 1


def test_low_rank_updates_are_trained_and_nothing_else(trained, tiny_base, quick_sigma):
    base = load_base(tiny_base).unet.state_dict()
    ours = trained(lambda: [DPLoRA(rank=2, batch=4)])
    moved = {name for name, value in ours.weights.items() if not torch.equal(value, base[name])}
    assert moved
    assert all(".to_" in name for name in moved)
    assert ours.notes["dp_lora"]["epsilon_spent"] > 0


def test_clipping_without_noise_is_noted_as_no_guarantee(trained):
    notes = trained(lambda: [DPSGD(epsilon=INF, batch=4)]).notes["dp_sgd"]
    assert notes["sigma"] == 0
    assert "epsilon_spent" not in notes


@BOTH
def test_what_couples_pairs_or_looks_past_the_noise_is_refused(defense):
    coupled = {"wen_filter", "agc", "latent_mixup", "text_mixup", "shuffle", "dedup"}
    assert coupled <= set(defense.excludes)
    assert {"smp_lora", "mp_lora", "distill_md", "distill_single"} <= set(defense.excludes)
    assert all(len(reason.split()) > 3 for reason in defense.excludes.values())
    smp = family("smp_lora").SMPLoRA()
    with pytest.raises(UsageError, match="cannot go together"):
        Composition([defense(), smp])


def test_one_budget_a_training():
    with pytest.raises(UsageError, match="one budget a training"):
        Composition([DPLoRA(), DPSGD()])
