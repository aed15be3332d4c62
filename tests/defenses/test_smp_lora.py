"""The defenses `smp_lora` and `mp_lora`: two losses, and the attacker they are trained against."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from procedures import AUXILIARY, PAIRS, RECIPE, Trainings, family
from torch.nn import functional as F

from bench.composition import Composition
from bench.contract.base import write_base
from bench.errors import UsageError
from bench.models.base import load_base
from bench.training.loop import Task, _losses, _session
from bench.training.means import Means
from bench.training.session import Session
from bench.training.trainer import Trainer
from bench.training.visits import Schedule

SMPLoRA, MPLoRA = (getattr(family("smp_lora"), n) for n in ("SMPLoRA", "MPLoRA"))
BOTH = pytest.mark.parametrize("defense", [SMPLoRA, MPLoRA], ids=lambda d: d.name)


@pytest.fixture(scope="module")
def trained(tiny_base, tmp_path_factory):
    return Trainings(tiny_base, tmp_path_factory.mktemp("trainings"))


@pytest.fixture(scope="module")
def undefended(trained):
    return trained()


@pytest.fixture(scope="module")
def velocity_base(tmp_path_factory):
    return write_base(tmp_path_factory.mktemp("bases") / "tiny-v", "v_prediction")


def begun(base, defense, tmp_path, recipe=RECIPE):
    """A training at its first step, with the defense set up."""
    composed = Composition([defense])
    task = Task(PAIRS, composed.recipe(recipe, 10), "default", 0, AUXILIARY, composed)
    return _session(
        load_base(base), task, Schedule(recipe, 10, 0), tmp_path, lambda *_: None, Means()
    )


def log_member(defense, batch, session):
    """G of a batch, written out: ReLU, dropout of one half by the pairs' own draws, softmax."""
    state = defense.state()
    noisy = session.noisy(batch)
    unet = session.trainer.unet
    output = unet(noisy, batch.times, encoder_hidden_states=batch.text).sample
    rows = (output - batch.noise).square().flatten(1)
    kept = np.stack([
        session.rng(defense.name, "dropout", id_, batch.visit).random(512 + 256) >= 0.5
        for id_ in batch.ids
    ])  # fmt: skip
    kept = torch.from_numpy(kept).float()
    rows = F.relu(rows @ state["weight.0"].T + state["weight.1"]) * kept[:, :512] * 2
    rows = F.relu(rows @ state["weight.2"].T + state["weight.3"]) * kept[:, 512:] * 2
    scores = rows @ state["weight.4"].T + state["weight.5"]
    return (scores[:, 1] - scores.logsumexp(1)).mean()


@BOTH
@pytest.mark.parametrize("rank", [0, 2])
def test_no_weight_of_the_attack_is_plain_training(trained, undefended, defense, rank):
    ours = trained(lambda: [defense(lam=0, rank=rank, alpha=6)])
    plain = RECIPE.changed(lora_rank=2, lora_alpha=6)
    assert ours.bytes == (trained(recipe=plain) if rank else undefended).bytes
    assert not any(ours.notes.values())


def test_alpha_scales_the_updates(trained):
    """Zero stands for the rank, as `lora` has it."""
    none, same, half = (
        trained(recipe=RECIPE.changed(lora_rank=2, lora_alpha=alpha, epochs=1)).bytes
        for alpha in (0, 2, 1)
    )
    assert none == same != half


@BOTH
@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"lam": -0.1}, "lam=-0.1 must be positive"),
        ({"lam": float("inf")}, "lam=inf must be positive"),
        ({"rank": -1}, "rank=-1 must not be negative"),
        ({"alpha": -1}, "alpha=-1 must not be negative"),
    ],
)
def test_bad_parameters_are_one_clear_line(defense, bad, said):
    with pytest.raises(UsageError, match=f"defense {defense.name}: {said}"):
        defense(**bad)


@pytest.mark.parametrize("defense", [SMPLoRA(rank=0, lam=0.7), MPLoRA(rank=0, lam=0.7)], ids=str)
def test_the_loss_and_its_gradient_are_the_paper_s(tiny_base, tmp_path, defense):
    session = begun(tiny_base, defense, tmp_path)
    parameters = list(session.trainer.trained.values())
    view = Composition([defense])
    view._views = [session]
    loss = _losses(session, view, 0, [0, 1, 2]).mean()
    ours = torch.autograd.grad(loss, parameters)

    batch = session.stream.batch([0, 1, 2], 0)
    output = session.trainer.unet(session.noisy(batch), batch.times, batch.text).sample
    plain = F.mse_loss(output, batch.noise)
    again = session.redrawn(batch, defense.name, "attack")
    gain = log_member(defense, again, session)

    def papers(gain):
        if defense.name == "smp_lora":
            return plain / (1 - 0.7 * gain + 1e-5)
        return plain + 0.7 * gain

    theirs = papers(gain)
    assert loss.item() == pytest.approx(theirs.item(), rel=1e-4)
    assert abs(theirs.item() - plain.item()) > 0.05
    held = flat(torch.autograd.grad(papers(gain.detach()), parameters, retain_graph=True))
    wanted = flat(torch.autograd.grad(theirs, parameters))
    assert (flat(ours) - wanted).norm() < 1e-4 * wanted.norm()
    assert (held - wanted).norm() > 1e-3 * wanted.norm()  # the attack term has a gradient


def flat(gradients):
    return torch.cat([g.flatten() for g in gradients])


def test_the_attack_term_meets_the_same_latents_with_draws_of_its_own(tiny_base, tmp_path):
    session = begun(tiny_base, SMPLoRA(rank=0), tmp_path)
    batch = session.stream.batch([0, 1, 2], 1)
    again = session.redrawn(batch, "smp_lora", "attack")
    assert torch.equal(again.clean, batch.clean)
    assert torch.equal(again.text, batch.text)
    assert not torch.isclose(again.noise, batch.noise).any()
    assert not torch.equal(again.times, batch.times)
    alone = session.redrawn(session.stream.batch([1], 1), "smp_lora", "attack")
    assert torch.equal(alone.noise[0], again.noise[1])
    assert int(alone.times[0]) == int(again.times[1])


def test_errors_are_those_of_the_noise_for_a_velocity_model_too(velocity_base, tmp_path):
    """eps - eps_theta is sqrt(abar) times v - v_theta where the noisy latent is the same."""
    session = begun(velocity_base, SMPLoRA(rank=0), tmp_path)
    batch = session.stream.batch([0, 1, 2], 0)
    with torch.no_grad():
        ours = session.errors(batch)
        output = session.predict(session.noisy(batch), batch.times, batch.text)
    alphas = session.alphas(batch.times).view(-1, 1, 1, 1)
    theirs = alphas * (output - session.wanted(batch)).square()
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)


@BOTH
def test_the_attacker_learns_from_half_of_the_members_and_from_auxiliary_pairs(
    trained, monkeypatch, defense
):
    met, read = [], Session.visits

    def heard(self, pairs, draw, ids=None):
        met.append((pairs.ids, draw, tuple(ids)))
        return read(self, pairs, draw, ids)

    monkeypatch.setattr(Session, "visits", heard)
    ours = trained(lambda: [defense(rank=2)])
    (members,) = {pool for pool, _, _ in met if set(pool) <= set(PAIRS.ids)}
    (others,) = {pool for pool, _, _ in met if set(pool) <= set(AUXILIARY.ids)}
    assert len(members) == len(others) == 5
    steps = met[1:]  # the first only asks for the shape
    assert len(steps) == 2 * 9
    assert all(len(ids) == 4 and set(ids) <= set(pool) for pool, _, ids in steps)
    assert [pool for pool, _, _ in steps] == [others, members] * 9
    assert len({draw for _, draw, _ in steps}) == 9
    assert min(draw for _, draw, _ in met) > RECIPE.epochs * 10
    assert len({ids for _, _, ids in steps}) > 9
    notes = ours.notes[defense.name]
    assert notes["attacker_members"] == notes["attacker_non_members"] == 5
    assert notes["extra_forwards"] == 30 + 9 * 8


def test_non_members_are_needed(trained):
    with pytest.raises(UsageError, match="defense smp_lora: needs auxiliary pairs"):
        trained(lambda: [SMPLoRA()], auxiliary=AUXILIARY.select([]))


def test_an_update_of_the_attacker_is_adam_on_both_labels(tiny_base, tmp_path):
    """The U-Net stays as it is and gets no gradient."""
    defense = SMPLoRA(rank=0)
    session = begun(tiny_base, defense, tmp_path)
    before = {name: p.detach().clone() for name, p in session.trainer.trained.items()}
    state = {name: value.clone() for name, value in defense.state().items()}
    defense.after_step(session)
    for name, p in session.trainer.trained.items():
        assert p.grad is None
        assert torch.equal(p, before[name])

    network = [state[f"weight.{i}"].clone().requires_grad_() for i in range(6)]
    adam = torch.optim.Adam(network, lr=1e-5, weight_decay=1e-4)
    losses = []
    for label, pool in enumerate(defense._pools):
        order = session.rng("smp_lora", "batch", label, 0).permutation(5)[:4]
        batch = session.visits(pool, 1 << 40, [pool.ids[i] for i in order])
        with torch.no_grad():
            rows = session.errors(batch).flatten(1)
        kept = np.stack([
            session.rng("smp_lora", "dropout", id_, 1 << 40).random(768) >= 0.5
            for id_ in batch.ids
        ])  # fmt: skip
        kept = torch.from_numpy(kept).float() * 2
        rows = F.relu(F.linear(rows, *network[:2])) * kept[:, :512]
        rows = F.relu(F.linear(rows, *network[2:4])) * kept[:, 512:]
        losses.append(F.cross_entropy(F.linear(rows, *network[4:]), torch.full((4,), label)))
    loss = sum(losses) / 2
    loss.backward()
    adam.step()
    assert session.notes["attacker_loss"] == pytest.approx(float(loss), abs=1e-5)
    for i, p in enumerate(network):
        moved = defense.state()[f"weight.{i}"]
        torch.testing.assert_close(moved, p.detach(), rtol=0, atol=1e-7)
        assert not torch.equal(moved, state[f"weight.{i}"])


@BOTH
@pytest.mark.parametrize("changes", [{}, {"batch": 2, "accumulate": 2}], ids=str)
def test_a_resumed_training_has_the_same_attacker(trained, monkeypatch, defense, changes):
    recipe = RECIPE.changed(epochs=2, **changes)
    kept = []
    step = defense.after_step

    def kept_step(self, training):
        step(self, training)
        kept.append({name: value.clone() for name, value in self.state().items()})

    monkeypatch.setattr(defense, "after_step", kept_step)
    whole = trained(lambda: [defense(rank=2)], recipe=recipe)
    last = kept[-1]
    kills = [("pictures", 14)]
    resumed = trained(lambda: [defense(rank=2)], recipe=recipe, kills=kills)
    assert resumed.bytes == whole.bytes
    assert resumed.notes == whole.notes
    assert last.keys() == kept[-1].keys()
    assert {name.partition(".")[0] for name in last} == {"weight", "exp_avg", "exp_avg_sq", "step"}
    assert all(torch.equal(last[name], kept[-1][name]) for name in last)
    assert float(last["step.0"]) == whole.figures["steps"]


def test_the_attack_changes_the_weights_and_the_two_losses_differ(trained, undefended):
    made = {cls: trained(lambda cls=cls: [cls(rank=0)]).bytes for cls in (SMPLoRA, MPLoRA)}
    assert len({*made.values(), undefended.bytes}) == 3


def test_it_leaves_the_rank_and_privacy_to_others():
    for cls in (SMPLoRA, MPLoRA):
        assert {"lora", "dp_sgd", "dp_lora"} <= set(cls.excludes)
    with pytest.raises(UsageError, match="two losses for one purpose"):
        Composition([MPLoRA(), SMPLoRA()])


def test_the_base_stays_frozen_under_low_rank_updates(tiny_base, tmp_path):
    session = begun(tiny_base, SMPLoRA(rank=2), tmp_path)
    assert isinstance(session.trainer, Trainer)
    assert all(".lora_" in name for name in session.trainer.trained)
