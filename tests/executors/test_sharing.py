"""Several runs on one store share its work: each takes what no other is computing."""

from __future__ import annotations

from bench.executors.local import run
from bench.specs import Stage
from bench.store import Store


class Diary:
    def __init__(self):
        self.began, self.ended = [], []

    def started(self, together):
        self.began += [stage.key for stage in together]

    def finished(self, stage, seconds):
        self.ended.append(stage.key)

    def failed(self, stage, error):
        raise AssertionError(error)

    def tick(self): ...


def splits():
    from bench.data import scenes

    return [
        Stage("split", {"data": scenes.identity(seed=0, n=80), "seed": seed, "shadow": "disjoint"},
              hints={"data": "scenes:n=80"})
        for seed in range(3)
    ]  # fmt: skip


def test_a_stage_that_another_process_computes_is_left_for_last(tmp_path):
    store, stages, diary = Store(tmp_path / "store"), splits(), Diary()
    assert not store.busy(stages[0].key)
    with store.lock(stages[0].key):
        assert store.busy(stages[0].key)
        # The others are computed while the first is held; then it would be waited for.
        assert run(stages[1:], store, 1, Diary()) == {}
        told = list(order(store, stages))
    assert told == [stages[1].key, stages[2].key, stages[0].key]
    assert run(stages, store, 1, diary) == {}
    assert diary.ended == [stage.key for stage in stages]


def order(store, stages):
    from bench.executors.local import _free_first

    return (group[0].key for group in _free_first(store, [[stage] for stage in stages]))
