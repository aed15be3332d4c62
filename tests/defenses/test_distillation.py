"""The defenses `distill_md` and `distill_single`: who teaches whom, and what is learnt."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from procedures import PAIRS, RECIPE, Trainings, family

from bench.api import Batch
from bench.composition import Composition
from bench.contract.base import write_base
from bench.errors import UsageError
from bench.models.base import load_base
from bench.rng import generator
from bench.training.session import Session

DistillMD, DistillSingle = (
    getattr(family("distillation"), n) for n in ("DistillMD", "DistillSingle")
)
BOTH = pytest.mark.parametrize("defense", [DistillMD, DistillSingle], ids=lambda d: d.name)


@pytest.fixture(scope="module")
def trained(tiny_base, tmp_path_factory):
    return Trainings(tiny_base, tmp_path_factory.mktemp("trainings"))


@pytest.fixture(scope="module")
def undefended(trained):
    return trained()


@pytest.fixture(scope="module")
def whole(trained):
    return trained(lambda: [DistillMD()])


@pytest.fixture(scope="module")
def velocity_base(tmp_path_factory):
    return write_base(tmp_path_factory.mktemp("bases") / "tiny-v", "v_prediction")


class Fake:
    """A training whose teachers answer with their number."""

    def __init__(self, pairs=PAIRS, seed=0):
        self.pairs, self.recipe, self.notes, self.seed = pairs, RECIPE, {}, seed
        self.asked_for = {}

    def rng(self, *keys):
        return generator(self.seed, "defense", *keys)

    def teacher(self, name, ids, epochs=None):
        self.asked_for[name] = (tuple(ids), epochs)
        value = float(len(self.asked_for))
        return lambda noisy, times, text: torch.full_like(noisy, value)

    def noisy(self, batch):
        return batch.clean + batch.noise

    def wanted(self, batch):
        return torch.zeros_like(batch.noise)


def batch_of(ids, visit=0):
    n = len(ids)
    return Batch(
        tuple(ids), visit, torch.zeros(n, 4, 2, 2), torch.zeros(n, 4, 2, 2),
        torch.zeros(n, dtype=torch.long), torch.zeros(n, 3, 2),
    )  # fmt: skip


def halves(training):
    DistillMD().begin(training)
    return [set(ids) for ids, _ in training.asked_for.values()]


@BOTH
def test_no_share_is_no_defense_and_has_no_teacher(trained, undefended, defense):
    ours = trained(lambda: [defense(share=0)])
    assert ours.bytes == undefended.bytes
    assert {path.name for path in ours.work.iterdir()} == set()
    assert not any(ours.notes.values())


@BOTH
@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"share": 1.5}, "share=1.5 must lie between 0 and 1"),
        ({"share": -0.1}, "share=-0.1 must lie between 0 and 1"),
        ({"budget": "hours"}, "budget=hours must be steps or visits"),
    ],
)
def test_bad_parameters_are_one_clear_line(defense, bad, said):
    with pytest.raises(UsageError, match=f"defense {defense.name}: {said}"):
        defense(**bad)


@pytest.mark.parametrize("n", [2, 9, 10])
def test_halves_are_disjoint_and_whole_and_even(n):
    pairs = PAIRS.select(PAIRS.ids[:n])
    one, two = halves(Fake(pairs))
    assert one.isdisjoint(two)
    assert one | two == set(pairs.ids)
    assert len(two) - len(one) == n % 2


def test_halves_belong_to_the_ids_and_the_seed():
    assert halves(Fake()) == halves(Fake(PAIRS.select(PAIRS.ids[::-1])))
    drawn = {frozenset(halves(Fake(seed=seed))[0]) for seed in range(8)}
    assert len(drawn) > 4


def test_one_pair_cannot_be_halved():
    with pytest.raises(UsageError, match="1 pair cannot be halved"):
        DistillMD().begin(Fake(PAIRS.select(PAIRS.ids[:1])))


@pytest.mark.parametrize(("budget", "epochs"), [("steps", 6), ("visits", 3)])
def test_a_teacher_makes_the_student_s_steps_or_its_visits(budget, epochs):
    training = Fake()
    DistillMD(budget=budget).begin(training)
    assert [given for _, given in training.asked_for.values()] == [epochs, epochs]


def test_every_row_is_the_other_half_s_teacher(monkeypatch):
    training, defense = Fake(), DistillMD()
    defense.begin(training)
    (one, _), (two, _) = training.asked_for.values()
    target = defense.target(batch_of(PAIRS.ids), training)
    for id_, row in zip(PAIRS.ids, target, strict=True):
        assert id_ in (one if float(row.unique()) == 2 else two)
    assert training.notes["distilled_visits"] == 10


def test_a_share_of_visits_is_distilled_and_the_rest_learns_the_truth():
    training, defense = Fake(), DistillMD(share=0.3)
    defense.begin(training)
    rows = [
        defense.target(batch_of(PAIRS.ids, visit), training).flatten(1)[:, 0]
        for visit in range(100)
    ]
    told = torch.stack(rows) > 0
    assert abs(float(told.float().mean()) - 0.3) < 4 * (0.21 / 1000) ** 0.5
    assert training.notes["distilled_visits"] == int(told.sum())
    reversed_ids = PAIRS.ids[::-1]
    again = defense.target(batch_of(reversed_ids, 7), training).flatten(1)[:, 0] > 0
    assert torch.equal(again.flip(0), told[7])


def recorded(monkeypatch):
    """Who each teacher was trained on, and whom it was asked about, with what it said."""
    teachers, rows = [], {}
    make, noisy = Session.teacher, Session.noisy

    def hear(self, name, ids, epochs=None):
        answer = make(self, name, ids, epochs)
        told = SimpleNamespace(name=name, ids=set(ids), asked=[])
        teachers.append(told)

        def wrapped(noisy, times, text):
            said = answer(noisy, times, text)
            told.asked += [
                (rows[row.numpy().tobytes()], row, t, states, out)
                for row, t, states, out in zip(noisy, times, text, said, strict=True)
            ]
            return said

        return wrapped

    def seen(self, batch):
        made = noisy(self, batch)
        rows.update({row.numpy().tobytes(): i for i, row in zip(batch.ids, made, strict=True)})
        return made

    monkeypatch.setattr(Session, "teacher", hear)
    monkeypatch.setattr(Session, "noisy", seen)
    return teachers


def test_no_pair_ever_meets_its_own_teacher(trained, undefended, monkeypatch):
    teachers = recorded(monkeypatch)
    ours = trained(lambda: [DistillMD()])
    met = [id_ for told in teachers for id_, *_ in told.asked]
    assert sorted(met) == sorted(PAIRS.ids * RECIPE.epochs)
    for told in teachers:
        assert told.ids.isdisjoint(id_ for id_, *_ in told.asked)
    assert ours.notes["distill_md"]["extra_forwards"] == 30
    assert ours.bytes != undefended.bytes


def test_the_only_teacher_is_asked_about_everyone(trained, monkeypatch):
    teachers = recorded(monkeypatch)
    trained(lambda: [DistillSingle()])
    (told,) = teachers
    assert told.ids == set(PAIRS.ids)
    assert sorted(id_ for id_, *_ in told.asked) == sorted(PAIRS.ids * RECIPE.epochs)


def test_teachers_are_what_undefended_training_makes_of_their_pairs(trained, undefended, whole):
    single = trained(lambda: [DistillSingle()])
    (teacher,) = single.work.glob("teacher-*/out/unet.safetensors")
    assert teacher.read_bytes() == undefended.bytes
    training = Fake()
    halves(training)
    for name, (ids, epochs) in training.asked_for.items():
        alone = trained(pairs=PAIRS.select(ids), recipe=RECIPE.changed(epochs=epochs))
        (teacher,) = whole.work.glob(f"{name}-*/out/unet.safetensors")
        assert teacher.read_bytes() == alone.bytes


@pytest.mark.parametrize("share", [1.0, 0.5])
@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_the_target_is_the_teacher_s_own_output(
    trained, tiny_base, velocity_base, monkeypatch, kind, share
):
    base = tiny_base if kind == "epsilon" else velocity_base
    teachers, targets = recorded(monkeypatch), []
    ask = Composition.target

    def heard(self, batch):
        target = ask(self, batch)
        if target is not None:
            truth = self._views[0].wanted(batch)
            targets.extend(
                (id_, row, true) for id_, row, true in zip(batch.ids, target, truth, strict=True)
            )
        return target

    monkeypatch.setattr(Composition, "target", heard)
    ours = trained(lambda: [DistillMD(share=share)], base=base)
    said = {row.numpy().tobytes(): told for told in teachers for *_, row in told.asked}
    of_teachers = [row for _, row, _ in targets if row.numpy().tobytes() in said]
    true = [row for _, row, truth in targets if torch.equal(row, truth)]
    assert len(of_teachers) + len(true) == len(targets) == 30
    assert (len(true) == 0) == (share == 1.0)
    for told in teachers:
        (weights,) = ours.work.glob(f"{told.name}-*/out/unet.safetensors")
        unet = load_base(base, weights).unet
        for _, noisy, t, states, out in told.asked[:3]:
            with torch.no_grad():
                again = unet(noisy[None], t[None], encoder_hidden_states=states[None]).sample[0]
            torch.testing.assert_close(out, again, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "kills",
    [
        [("pictures of teacher_1", 8)],
        [("pictures of teacher_1", 24), ("pictures of teacher_2", 15)],
        [("pictures", 18)],
        [("pictures of teacher_2", 30), ("pictures", 4), ("pictures", 14), ("pictures", 30)],
    ],
    ids=str,
)
def test_a_kill_in_any_model_changes_nothing(trained, whole, kills):
    resumed = trained(lambda: [DistillMD()], kills=kills)
    assert resumed.bytes == whole.bytes
    assert resumed.notes == whole.notes
    assert resumed.figures == whole.figures


def test_progress_and_notes_say_what_was_trained(whole):
    done = {unit: (done, of) for done, of, unit in whole.units}
    assert done["pictures of teacher_1"] == done["pictures of teacher_2"] == (30, 30)
    assert done["pictures"] == (30, 30)
    notes = whole.notes["distill_md"]
    assert notes["extra_trainings"] == 2
    assert notes["extra_pictures"] == 60
    assert notes["teacher_1_pairs"] == notes["teacher_2_pairs"] == 5


def test_it_leaves_privacy_to_others():
    for name in ("dp_sgd", "dp_lora"):
        assert "no accountant" in DistillMD.excludes[name]
    with pytest.raises(UsageError, match="cannot go together"):
        Composition([DistillMD(), DistillSingle()])
