"""What is handed out when workers die and other runs take part, with an engine that is a script."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from bench.errors import BenchError, BudgetError, UsageError
from bench.executors.budget import Budget
from bench.executors.engine import DiedError, Ended, Orders
from bench.executors.executor import Executor
from bench.executors.needs import Needs
from bench.executors.running import Running
from bench.specs import Stage
from bench.store import Store

Script = Callable[[list[str]], Ended | Exception | None]
"""By the names of an order's stages: how it ends, or None while it runs."""


class Engine:
    """Ends orders as a script says; what ends well is stored."""

    def __init__(self, store: Store, script: Script, slots: int = 3) -> None:
        self.store, self.script, self.slots = store, script, slots
        self.handed: list[list[str]] = []
        self.open: list[tuple[Future[Ended], Orders]] = []

    def submit(self, root: Path, orders: Orders, needs: Needs) -> Future[Ended]:
        future: Future[Ended] = Future()
        self.handed.append([order["spec"]["params"]["name"] for order in orders])
        self.open.append((future, orders))
        return future

    def flush(self) -> None:
        waiting, self.open = self.open, []
        for future, orders in waiting:
            how = self.script([order["spec"]["params"]["name"] for order in orders])
            if how is None:
                self.open.append((future, orders))
            elif isinstance(how, Exception):
                future.set_exception(how)
            else:
                for order, one in zip(orders, how, strict=True):
                    if not isinstance(one, BenchError):
                        put(self.store, order["spec"]["kind"], order["key"], order["spec"])
                future.set_result(how)

    def renew(self) -> int | None:
        return None

    def abandon(self) -> None: ...
    def end(self) -> None: ...


class Watcher:
    """Notes what was given back."""

    def __init__(self) -> None:
        self.back: list[str] = []

    def returned(self, stage: Stage) -> None:
        self.back.append(stage.params["name"])

    def started(self, together: Sequence[Stage]) -> None: ...
    def finished(self, stage: Stage, seconds: float) -> None: ...
    def failed(self, stage: Stage, error: str) -> None: ...
    def awaited(self, stage: Stage) -> None: ...
    def freed(self, stage: Stage) -> None: ...
    def tick(self) -> None: ...


def put(store: Store, kind: str, key: str, spec: Any) -> None:
    made = store.work(key) / "x" / "out"
    made.mkdir(parents=True)
    store.publish(kind, key, spec, made, {}, {"seconds": 1.0})


def stage(name: str, **inputs: Stage) -> Stage:
    return Stage("split", {"name": name}, inputs)


def running(store: Store, engine: Engine, stages: list[Stage], budget: Any = None) -> Running:
    return Running(stages, store, engine, Watcher(), {}, lambda one: 1.0, budget or Budget())


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_suspects_that_another_run_has_computed_are_none_any_more(store: Store) -> None:
    """Else nothing but suspects would be handed out, and there are none."""
    a, b = stage("a"), stage("b")
    after = [stage("c", on=a), stage("d", on=b)]
    run = running(store, Engine(store, lambda names: [1.0] * len(names)), [a, b, *after])
    run.suspects = {one.key: one for one in (a, b)}  # all workers died of one of them
    run.theirs = {one.key: (one, store.observer(one.key)) for one in (a, b)}
    for one in (a, b):  # and the other run was at once there
        put(store, one.kind, one.key, one.spec)
    assert run.through() == {}
    assert all(store.has(one) for one in after)


def test_a_run_never_ends_silently_with_stages_left(store: Store) -> None:
    a = stage("a")
    run = running(store, Engine(store, lambda names: None, slots=0), [a])
    with pytest.raises(BenchError, match="1 stages could not be handed out"):
        run.through()


def test_on_a_cluster_one_death_stops_nobody_else(store: Store) -> None:
    """Its stages are tried one by one, beside whatever runs; the one that dies alone has failed."""
    model = stage("model")
    put(store, model.kind, model.key, model.spec)
    good, bad = stage("good", on=model), stage("bad", on=model)
    other = [stage(f"other {n}") for n in range(4)]
    together = [[good, bad]]

    def script(names: list[str]) -> Ended | Exception:
        return DiedError(said="its node is gone") if "bad" in names else [1.0] * len(names)

    engine = Engine(store, script, slots=2)
    run = running(store, engine, [good, bad, *other])
    groups = run.frontier.groups

    def as_one(*given: Any, **named: Any) -> list[list[Stage]]:
        found = groups(*given, **named)
        whole = {one.key for group in found for one in group}
        if together and {good.key, bad.key} <= whole:
            rest = [g for g in found if g[0].key not in (good.key, bad.key)]
            return [together.pop(), *rest]
        return found

    run.frontier.groups = as_one  # type: ignore[method-assign]
    errors = run.through()
    assert list(errors) == [bad.key]
    assert isinstance(errors[bad.key], BudgetError)
    assert store.has(good)
    assert all(store.has(one) for one in other)


def test_what_failed_before_a_budget_was_spent_is_told(store: Store) -> None:
    class Spent(Budget):
        def check(self) -> None:
            raise BudgetError("spent")

    broken = UsageError("broken")
    run = running(store, Engine(store, lambda names: [broken]), [stage("a")], Spent())
    with pytest.raises(BudgetError) as told:
        run.through()
    assert list(told.value.failed.values()) == [broken]


def test_a_budget_is_one_however_often_it_is_asked_for() -> None:
    """A command that computes twice has one time limit."""
    executor = Executor(max_seconds=10.0)
    assert executor.budget is executor.budget
