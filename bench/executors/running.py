"""Hands stages to an engine, inputs first, until all are stored or have failed.

What another run on the same store computes is awaited and not computed twice.

A stage that takes its process with it, as an attack of somebody's may, costs no other its result:
where a death takes all workers, what ran at that moment is tried again one by one, and the one that
dies alone has failed.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol

from bench.claims import Observer
from bench.errors import BenchError, BudgetError
from bench.executors.budget import Budget
from bench.executors.engine import DiedError, Ended, Engine
from bench.executors.frontier import Frontier
from bench.executors.needs import Needs
from bench.executors.work import describe
from bench.specs import Stage
from bench.store import Store

TICK = 0.5


class Watcher(Protocol):
    """Is told what happens; draws the progress."""

    def started(self, together: Sequence[Stage]) -> None: ...
    def finished(self, stage: Stage, seconds: float) -> None: ...
    def failed(self, stage: Stage, error: str) -> None: ...
    def returned(self, stage: Stage) -> None: ...
    def awaited(self, stage: Stage) -> None: ...
    def freed(self, stage: Stage) -> None: ...
    def tick(self) -> None: ...


class Running:
    """The stages of one run: still to do, running, failed."""

    def __init__(
        self,
        stages: Sequence[Stage],
        store: Store,
        engine: Engine,
        watcher: Watcher,
        means: Mapping[str, Any],
        seconds: Callable[[Stage], float],
        budget: Budget,
    ) -> None:
        self.store, self.engine, self.watcher = store, engine, watcher
        self.means, self.seconds, self.budget = means, seconds, budget
        self.frontier = Frontier(stages)
        self.errors: dict[str, BenchError] = {}
        self.running: dict[Future[Ended], list[Stage]] = {}
        self.theirs: dict[str, tuple[Stage, Observer]] = {}
        """What another run computes at this moment."""
        self.suspects: dict[str, Stage] = {}
        """What ran when all workers died; run alone until it is known which one it was."""
        self.apart: set[str] = set()
        """What was in an order whose worker died; each is an order of its own."""

    def through(self) -> dict[str, BenchError]:
        """All that can be computed; the errors."""
        try:
            while self.frontier or self.running:
                self._go_on()
                self.watcher.tick()
                self.budget.check()
        except BudgetError as error:
            error.failed = dict(self.errors)
            raise
        return self.errors

    def _go_on(self) -> None:
        self._look_at_theirs()
        self._hand_out()
        if self.running:
            done, _ = wait(self.running, timeout=TICK, return_when=FIRST_COMPLETED)
            self._take_all(done)
        elif self.theirs:
            time.sleep(TICK)
        elif self.frontier:
            left = len(list(self.frontier))
            raise BenchError(f"{left} stages could not be handed out; run the same command again")

    def _look_at_theirs(self) -> None:
        for stage, observer in list(self.theirs.values()):
            busy = (
                observer.busy()
            )  # before the look at the store: it is published before it is freed
            if self.store.has(stage):
                del self.theirs[stage.key]
                self.suspects.pop(stage.key, None)
                self.watcher.finished(stage, self.store.record(stage)["made"]["seconds"])
                self.frontier.stored(stage)
            elif not busy:
                del self.theirs[stage.key]
                self.watcher.freed(stage)

    def _refused(self, together: Sequence[Stage]) -> bool:
        """Whether another run computes one of these, or has, or did a moment ago."""
        for stage in together:
            observer = self.store.observer(stage.key)
            if stage.key not in self.theirs and observer.busy():
                self.theirs[stage.key] = stage, observer
                self.watcher.awaited(stage)
        return any(stage.key in self.theirs for stage in together)

    def _next(self) -> list[list[Stage]]:
        if not self.suspects:
            free = self.engine.slots - len(self.running)
            groups = self.frontier.groups(free, self._refused, idle=not self.running)
            return [part for group in groups for part in self._parted(group)][:free]
        if self.running:
            return []
        alone = ([one] for one in self.frontier.ready() if one.key in self.suspects)
        return [single for single in alone if not self._refused(single)][:1]

    def _parted(self, group: list[Stage]) -> list[list[Stage]]:
        """One by one where a worker died of one of them."""
        whole = [stage for stage in group if stage.key not in self.apart]
        return [*([whole] if whole else []), *([one] for one in group if one.key in self.apart)]

    def _hand_out(self) -> None:
        for together in self._next():
            orders = [describe(stage, self.means) for stage in together]
            needs = Needs.of(
                together, self.means.get("processes", 1), sum(map(self.seconds, together))
            )
            try:
                future = self.engine.submit(self.store.root, orders, needs)
            except BrokenProcessPool:
                if self.running:  # which will tell
                    break
                self.engine.renew()  # one has died that had nothing to do
                future = self.engine.submit(self.store.root, orders, needs)
            self.frontier.take(together)
            self.running[future] = together
            self.watcher.started(together)
        self.engine.flush()

    def _take_all(self, done: set[Future[Ended]]) -> None:
        if any(isinstance(future.exception(), BrokenProcessPool) for future in done):
            self._bury_all()
            return
        for future in done:
            together, error = self.running.pop(future), future.exception()
            if isinstance(error, DiedError):
                lost = self._lost(together)
                if not self._alone(lost, error):
                    self.apart |= self._given_back(lost)
            else:
                self._take(together, future.result())

    def _take(self, together: Sequence[Stage], ended: Ended) -> None:
        for stage, how in zip(together, ended, strict=True):
            self.suspects.pop(stage.key, None)
            if isinstance(how, BenchError):
                self.errors[stage.key] = how
                self.watcher.failed(stage, str(how))
                self.frontier.drop(stage)
            else:
                self.watcher.finished(stage, how)
                self.frontier.stored(stage)

    def _lost(self, together: Sequence[Stage]) -> list[Stage]:
        """Those that a death has cost; the others had been stored."""
        left = [stage for stage in together if not self.store.has(stage)]
        kept = [stage for stage in together if stage not in left]
        self._take(kept, [0.0] * len(kept))
        return left

    def _bury_all(self) -> None:
        """A process has died, and all others with it: what they had stored is kept."""
        wait(self.running)
        lost: list[Stage] = []
        for future, together in self.running.items():
            if future.exception() is None:
                self._take(together, future.result())
            else:
                lost += self._lost(together)
        self.running.clear()
        self._bury(lost, DiedError(self.engine.renew()))

    def _bury(self, lost: Sequence[Stage], died: DiedError) -> None:
        if self._alone(lost, died):
            self.suspects.clear()
        else:
            keys = self._given_back(lost)
            self.suspects |= {stage.key: stage for stage in lost if stage.key in keys}

    def _alone(self, lost: Sequence[Stage], died: DiedError) -> bool:
        """Whether it is known what the worker died of: then that has failed."""
        if len(lost) != 1:
            return False
        self._take(lost, [_killed(died)])
        self._give_up(lost[0])
        return True

    def _given_back(self, lost: Sequence[Stage]) -> set[str]:
        """To be tried again; their keys."""
        for stage in lost:
            self.frontier.give_back(stage)
            self.watcher.returned(stage)
        return {stage.key for stage in lost}

    def _give_up(self, dead: Stage) -> None:
        """An attack that ended its process once is asked nothing more in this run."""
        if "attack" not in dead.params:
            return
        for stage in list(self.frontier):
            if stage.params.get("attack") == dead.params["attack"]:
                self.frontier.drop(stage)


def _killed(died: DiedError) -> BenchError:
    """Why a stage ended that took its process with it, though it ran alone."""
    if died.said:
        return BudgetError(f"{died.said}; finished stages are kept, run the same command again")
    if died.code is None or died.code == -signal.SIGKILL:
        return BudgetError(
            "its process was killed (out of memory?) though nothing ran beside it; finished stages "
            "are kept, run the same command again where there is more memory"
        )
    code = died.code
    how = f"exit code {code}" if code > 0 else signal.Signals(-code).name
    return BenchError(
        f"it ended its process ({how}) though nothing ran beside it; mend what it calls, then run "
        "the same command again"
    )
