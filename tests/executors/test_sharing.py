"""Several runs on one store share its work: each takes what no other is computing."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from bench.executors.executor import Executor, run
from bench.specs import Stage
from bench.store import Store


class Diary:
    def __init__(self):
        self.began, self.ended, self.waited = [], [], []

    def started(self, together):
        self.began += [stage.key for stage in together]

    def finished(self, stage, seconds):
        self.ended.append(stage.key)

    def failed(self, stage, error):
        raise AssertionError(error)

    def awaited(self, stage):
        self.waited.append(stage.key)

    def freed(self, stage): ...

    def tick(self): ...


def splits():
    from bench.data import scenes

    return [
        Stage("split", {"data": scenes.identity(seed=0, n=80), "seed": seed, "shadow": "disjoint"},
              hints={"data": "scenes:n=80"})
        for seed in range(3)
    ]  # fmt: skip


def test_what_another_process_computes_is_awaited_and_not_computed_twice(tmp_path):
    store, stages, diary = Store(tmp_path / "store"), splits(), Diary()
    with ThreadPoolExecutor(1) as other, store.lock(stages[0].key):
        going = other.submit(run, stages, store, Executor(workers=1), diary)
        wait_until(lambda: store.has(stages[1]) and store.has(stages[2]))
        assert not going.done()
        assert stages[0].key not in diary.began
        assert diary.waited == [stages[0].key]
        publish(store, stages[0])
        assert going.result(timeout=30) == {}
    assert set(diary.began) == {stages[1].key, stages[2].key}
    assert diary.ended[-1] == stages[0].key


def test_what_another_process_gave_up_is_computed_here(tmp_path):
    store, stages, diary = Store(tmp_path / "store"), splits()[:1], Diary()
    with ThreadPoolExecutor(1) as other:
        with store.lock(stages[0].key):
            going = other.submit(run, stages, store, Executor(workers=1), diary)
            time.sleep(1)
            assert diary.began == []
        assert going.result(timeout=30) == {}
    assert diary.ended == [stages[0].key]


def publish(store, stage):
    made = store.work(stage.key) / "elsewhere" / "out"
    made.mkdir(parents=True)
    store.publish(stage.kind, stage.key, stage.spec, made, {}, {"seconds": 1.0})


def wait_until(true):
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)
