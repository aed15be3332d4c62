"""Progress on stderr: a live display on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self

from bench.logs import log, showing
from bench.naming import label
from bench.specs import Stage
from bench.store import Store

LINE_SECONDS = 30.0
"""Between two lines where nobody watches a terminal."""


class Display(AbstractContextManager["Display"]):
    """Watches running stages through the progress files that their workers write."""

    def __init__(
        self,
        store: Store,
        stages: Sequence[Stage],
        done: Callable[[Stage], None] = lambda stage: None,
    ) -> None:
        self._store, self._total, self._tell_done = store, len(stages), done
        self._running: dict[str, Stage] = {}
        self._queues: list[list[Stage]] = []
        """Stages handed to one worker together; the first of each is running."""
        self._first: dict[tuple[str, str], tuple[float, int]] = {}
        self._done = 0
        self._lined = time.monotonic()
        self._live: Any = _live() if showing() and sys.stderr.isatty() else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.stop()

    def say(self, text: str) -> None:
        """One line above whatever is drawn: a live display takes stderr's place."""
        log.info(text)

    def started(self, together: Sequence[Stage]) -> None:
        self._queues.append(list(together))
        self._begin(together[0])

    def _begin(self, stage: Stage) -> None:
        self._running[stage.key] = stage
        log.debug("started %s (%s %s)", label(stage), stage.kind, stage.key)
        if self._live:
            self._live.add_task(label(stage), total=None, id_=stage.key)

    def finished(self, stage: Stage, seconds: float) -> None:
        self._tell_done(stage)
        if not self._forget(stage):  # told before, as the first of those handed over with it
            return
        self._done += 1
        self.say(f"[{self._done}/{self._total}] {label(stage)}: {clock(seconds)}")

    def failed(self, stage: Stage, error: str) -> None:
        self._forget(stage)
        self.say(f"failed: {label(stage)}")
        log.debug("failed %s %s: %s", stage.kind, stage.key, error)

    def returned(self, stage: Stage) -> None:
        """A process died while it ran, perhaps because of it: it is tried again, alone."""
        self._forget(stage)
        self.say(f"tried again alone, since a process died: {label(stage)}")

    def awaited(self, stage: Stage) -> None:
        """Another run computes it; its progress is seen here too."""
        self.say(f"another run computes {label(stage)}: it is waited for")
        self.started([stage])

    def freed(self, stage: Stage) -> None:
        """The other run has given it up: it is computed here."""
        self._forget(stage)

    def tick(self) -> None:
        """Reads the progress files; called about twice a second."""
        for queue in self._queues:
            while len(queue) > 1 and self._store.has(queue[0]):
                self.finished(queue[0], self._store.record(queue[0])["made"]["seconds"])
                self._begin(queue[0])
        if self._live:
            for key in self._running:
                self._live.move(key, self._store.progress(key))
            return
        lines = [self._line(stage) for stage in self._running.values()]
        if time.monotonic() - self._lined > LINE_SECONDS:
            self._lined = time.monotonic()
            self.say("; ".join(lines))

    def _forget(self, stage: Stage) -> bool:
        """Whether it was still to be told of."""
        queue = next((queue for queue in self._queues if stage in queue), None)
        if queue is None:
            return False
        queue.remove(stage)
        if not queue:
            self._queues.remove(queue)
        if self._running.pop(stage.key, None) and self._live:
            self._live.drop(stage.key)
        return True

    def _line(self, stage: Stage) -> str:
        state = self._store.progress(stage.key)
        if not state:
            return label(stage)
        done, total, unit = state["done"], state["total"], state["unit"]
        # A resumed stage does not begin at zero, and a stage may count several things in turn.
        since, at = self._first.setdefault((stage.key, unit), (time.monotonic(), done))
        line = f"{label(stage)}: {done}/{total} {unit}"
        if done == at:
            return line
        left = (time.monotonic() - since) * (total - done) / (done - at)
        return f"{line}, about {clock(left)} left"


def clock(seconds: float) -> str:
    """Seconds, or minutes where they are many."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.1f} min"


def _live() -> Any:
    """rich's progress bars, with tasks addressed by key."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    class Bars(Progress):
        """Progress bars of the running stages."""

        keys: dict[str, Any]

        def add_task(self, *args: Any, id_: str = "", **kwargs: Any) -> Any:
            task = super().add_task(*args, unit="", **kwargs)
            self.keys = {**getattr(self, "keys", {}), id_: task}
            return task

        def move(self, key: str, state: dict[str, Any]) -> None:
            if state:
                unit = f"{state['done']}/{state['total']} {state['unit']}"
                self.update(
                    self.keys[key], completed=state["done"], total=state["total"], unit=unit
                )

        def drop(self, key: str) -> None:
            self.remove_task(self.keys.pop(key))

    return Bars(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[unit]}"),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=Console(stderr=True),
        transient=True,
    )
