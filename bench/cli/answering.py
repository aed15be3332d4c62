"""What `bench run`, `bench resume` and `bench.run` do: requests to cells, stages and rows."""

from __future__ import annotations

import json
import platform
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bench import __version__
from bench.cli.computing import compute, in_folder, leave_log, leave_note, tell
from bench.errors import BenchError
from bench.files import full_disk_is_told
from bench.logs import log, recorded

if TYPE_CHECKING:
    from bench.boards.rows import Row
    from bench.boards.tables import Format
    from bench.executors.executor import Executor
    from bench.request import Request
    from bench.specs import Cell, Stage
    from bench.store import Store

Say = Callable[[str], None]


@dataclass(frozen=True)
class Answer:
    """What was computed for some requests, and what failed."""

    id: str
    store: Store
    ends: Sequence[Stage]
    """The metrics stages asked for."""
    errors: Sequence[tuple[str, BenchError]]
    """What failed in words, and why."""

    @cached_property
    def done(self) -> list[Stage]:
        return [end for end in self.ends if self.store.has(end)]

    @cached_property
    def rows(self) -> list[Row]:
        """The rows that are complete."""
        from bench.boards.rows import collect

        records = ((end.params["cell"], self.store.record(end)["result"]) for end in self.done)
        return collect(records)

    @cached_property
    def notes(self) -> list[str]:
        from bench.boards.summary import notes

        return notes(self.rows)

    def text(self, form: Format = "table") -> str:
        """The rows as they are printed; empty if none is complete."""
        from bench.boards.summary import figures, tables
        from bench.boards.tables import render

        if not self.rows:
            return ""
        if form in ("json", "csv"):
            return render(figures(self.rows), form, self.notes)
        *first, last = tables(self.rows)
        above = [render(table, form) + "\n" for table in first]
        return "\n".join([*above, render(last, form, self.notes)])


def answer(
    store: Store,
    requests: Sequence[Request],
    cells: Callable[[Say], Sequence[Cell]],
    executor: Executor,
    means: Mapping[str, Any] | None = None,
    show: Callable[[Answer], None] = lambda answered: None,
) -> Answer:
    """Notes the run and computes what is missing; all that is said goes to the run's log too.

    `show` prints what came out, before it is said what failed.
    """
    from bench.pipeline import cell_stages
    from bench.runs import save

    with recorded() as record, full_disk_is_told(store.root):
        ends = cell_stages(cells(tell))
        store.make()
        run = save(store, requests, ends)
        record.into(store.root / "logs", run.id)
        leave_note(store, run.id)
        log.debug("bench %s, Python %s, %s", __version__, platform.python_version(), store.label)
        log.debug("command: %s", shlex.join(sys.argv))
        log.debug("requests: %s", json.dumps(run.plain))
        errors = compute(store, ends, executor, means)
        answered = Answer(run.id, in_folder(store), ends, errors)
        show(answered)
        for what, error in errors:
            log.error("error: %s: %s", what, error)
        log.debug("run %s: %d of %d rows", run.id, len(answered.done), len(ends))
    leave_log(store, run.id)
    return answered
