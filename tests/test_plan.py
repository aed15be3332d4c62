"""Estimates of `bench plan`: zero for what is stored, scaled by epochs for trainings."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.estimates import FIRST_GUESS, Estimator
from bench.specs import OTHER_VERSIONS, STAGE_VERSIONS, Stage
from bench.store import Store


def train(epochs: int, seed: int = 0) -> Stage:
    return Stage(
        "train",
        {
            "part": "members",
            "defense": {"name": "none"},
            "recipe": {"epochs": epochs},
            "seed": seed,
        },
    )


def publish(store: Store, stage: Stage, seconds: float) -> None:
    made = store.work(stage.key) / "out"
    made.mkdir(parents=True)
    store.publish(stage.kind, stage.key, stage.spec, made, {}, {"seconds": seconds})


def total(store: Store, stages: list[Stage], workers: int, price: float | None = None) -> str:
    estimator = Estimator(store)
    return estimator.total(stages, estimator.wanted(stages), workers, price)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_there_is_a_first_guess_for_every_kind_of_stage() -> None:
    assert set(FIRST_GUESS) == set(STAGE_VERSIONS | OTHER_VERSIONS)


def test_what_is_stored_takes_no_time(store: Store) -> None:
    publish(store, train(10), 50.0)
    assert Estimator(store).seconds(train(10)) == 0
    assert Estimator(store).record(train(10), ())["state"] == "cached"


def test_a_training_is_estimated_by_its_epochs_from_what_earlier_ones_took(store: Store) -> None:
    assert Estimator(store).seconds(train(40)) == FIRST_GUESS["train"] / 2
    publish(store, train(10), 50.0)
    assert Estimator(store).seconds(train(40)) == 200.0
    assert Estimator(store).record(train(40), [train(40).key])["about"] == "200 s"


def test_other_stages_are_estimated_by_the_median(store: Store) -> None:
    for seed, seconds in enumerate((1.0, 2.0, 90.0)):
        publish(store, Stage("samples", {"seed": seed}), seconds)
    assert Estimator(store).seconds(Stage("samples", {"seed": 9})) == 2.0


def test_the_total_is_no_less_than_the_longest_chain(store: Store) -> None:
    publish(store, train(1), 60.0)
    first, second = train(2), train(2, seed=1)
    after = Stage("scores", {}, {"a": first})
    told = total(store, [first, second, after], workers=2)
    assert told.startswith("3 of 3 stages to compute: about 2.0 min with 2 workers")
    alone = total(store, [first, after], workers=8)
    assert "about 2.0 min" in alone
    assert "(2.0 min of one core;" in alone


def test_models_cost_what_an_hour_of_a_device_costs(store: Store) -> None:
    publish(store, train(1), 3600.0)
    told = total(store, [train(2), Stage("scores", {}, {"a": train(2)})], 1, price=2.5)
    assert "2.0 h of it run models, which are GPU hours where there are GPUs, 5.00 at 2.5" in told


def test_what_only_stored_stages_read_is_not_computed(store: Store) -> None:
    """A store may hold scores without what they were made of: some of it came from elsewhere."""
    model = train(10)
    scores, samples = Stage("scores", {}, {"model": model}), Stage("samples", {}, {"model": model})
    end, other = Stage("metrics", {}, {"scores": scores}), Stage("utility", {}, {"a": samples})
    publish(store, scores, 1.0)
    estimator = Estimator(store)
    assert estimator.wanted([model, scores, end]) == {end.key}
    assert estimator.record(model, {end.key}) | {"key": ""} == {
        "stage": "train", "what": "train target (none, seed 0)", "state": "unneeded", "about": "",
        "key": "",
    }  # fmt: skip
    both = estimator.wanted([model, scores, samples, end, other])
    assert both == {model.key, samples.key, end.key, other.key}
