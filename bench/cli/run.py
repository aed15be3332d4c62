"""`bench run`, `bench plan` and `bench resume`: ask for cells, see what it takes, go on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import options as o
from bench.cli.asked import Asked, asking, means_of
from bench.cli.computing import compute, open_store, tell
from bench.errors import BenchError, BudgetError

if TYPE_CHECKING:
    from bench.boards.tables import Format
    from bench.specs import Stage
    from bench.store import Store


@asking
def run(asked: Asked) -> None:
    """Fine-tune a defended target, attack it, measure it; print one row with intervals.

    What the store already holds is not computed again. Kill it at any moment: the same command
    goes on where it stopped. Example: bench run --defense reph --attack clid_th
    """
    _execute(asked)


@asking
def plan(asked: Asked) -> None:
    """What `bench run` with these options would compute, what is cached, and how long it takes."""
    from bench.boards.tables import render
    from bench.estimates import Estimator
    from bench.pipeline import all_stages

    stages = all_stages(asked.cells())
    estimator = Estimator(asked.store)
    records = [estimator.record(stage) for stage in stages]
    total = estimator.total(stages, asked.workers)
    print(render(records, asked.form, [total, f"store: {asked.store.root}"]))


def resume(
    run_id: Annotated[
        str | None, typer.Argument(help="Run id; default: the last unfinished.")
    ] = None,
    store: o.StoreDir = None,
    workers: o.Workers = None,
    processes: o.Processes = 1,
    track: o.Track = None,
    form: o.Form = "table",
) -> None:
    """Go on with a run that was killed or interrupted."""
    from bench.executors.local import default_workers
    from bench.runs import find

    place = open_store(store)
    requests = find(place, run_id).requests
    means = means_of(processes, track)
    _execute(Asked(requests, place, workers or default_workers(), o.form(form), means))


def _execute(asked: Asked) -> None:
    """Computes what is missing, then prints the rows that are complete."""
    from bench.pipeline import cell_stage
    from bench.runs import save

    cells = asked.cells(say=tell)
    # Two requests may ask for one row.
    ends = list({end.key: end for end in map(cell_stage, cells)}.values())
    noted = save(asked.store, asked.requests, ends)
    errors = compute(asked.store, ends, asked.workers, asked.means)
    _print_rows(asked.store, ends, asked.form)
    tell(f"run {noted.id} in {asked.store.root}")
    for what, error in errors:
        tell(f"error: {what}: {error}")
    if errors:
        # Where rows came out, bad input to another cell is a failed cell like any other.
        codes = {error.exit_code for _, error in errors}
        some_row = any(asked.store.has(end) for end in ends)
        sys.exit(
            BenchError.exit_code if some_row and BudgetError.exit_code not in codes else max(codes)
        )


def _print_rows(store: Store, ends: list[Stage], form: Format) -> None:
    from bench.boards.rows import collect
    from bench.boards.summary import figures, notes, tables
    from bench.boards.tables import render

    done = [end for end in ends if store.has(end)]
    if not done:
        return
    rows = collect((end.params["cell"], store.record(end)["result"]) for end in done)
    said = notes(rows)
    if form in ("json", "csv"):
        print(render(figures(rows), form, said))
    else:
        *first, last = tables(rows)
        print(*[render(table, form) + "\n" for table in first], render(last, form, said), sep="\n")
    for line in [*(said if form == "csv" else ()), *_sharing(store, done)]:
        tell(line)


def _sharing(store: Store, ends: list[Stage]) -> list[str]:
    """What the attacks asked of the targets, and what was evaluated for it when it was made."""
    stages = {end.inputs["features"].key: end.inputs["features"] for end in ends}
    records = [store.record(stage) for stage in stages.values() if store.has(stage)]
    made = sum(record["made"].get("evaluations", 0) for record in records)
    asked = sum(record["result"]["queries"] for record in records)
    if not made or made >= asked:
        return []
    return [
        f"U-Net rows: {asked:,} queries on targets, answered by {made:,} evaluations, since the "
        "attacks of a run share them."
    ]
