"""`bench run`, `bench plan` and `bench resume`: ask for cells, see what it takes, go on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import options as o
from bench.cli.answering import Answer, answer
from bench.cli.asked import Asked, asking, means_of
from bench.cli.computing import read_store, tell
from bench.cli.executing import executor_of
from bench.errors import BenchError, BudgetError

if TYPE_CHECKING:
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
def plan(
    asked: Asked,
    price: Annotated[
        float | None,
        typer.Option(
            min=0, help="What an hour of a device costs, in any currency; models are charged."
        ),
    ] = None,
) -> None:
    """What `bench run` with these options would compute, what is cached, and how long it takes."""
    from bench.boards.tables import render
    from bench.estimates import Estimator
    from bench.pipeline import all_stages

    stages = all_stages(asked.cells(say=tell))
    estimator = Estimator(asked.store)
    wanted = estimator.wanted(stages)
    records = [estimator.record(stage, wanted) for stage in stages]
    slots = asked.executor.slots(asked.means.get("processes", 1))
    total = estimator.total(stages, wanted, slots, price)
    print(render(records, asked.form, [total, f"store: {asked.store.label}"]))


def resume(
    run_id: Annotated[
        str | None, typer.Argument(help="Run id; default: the last unfinished.")
    ] = None,
    store: o.StoreDir = None,
    workers: o.Workers = None,
    executor: o.ExecutorName = "local",
    address: o.Address = None,
    slurm: o.Slurm = None,
    max_time: o.MaxTime = None,
    max_memory: o.MaxMemory = None,
    processes: o.Processes = 1,
    track: o.Track = None,
    form: o.Form = "table",
) -> None:
    """Go on with a run that was killed or interrupted."""
    from bench.runs import find

    where = executor_of(executor, workers, address, slurm or [], max_time, max_memory)
    place = read_store(store)
    requests = find(place, run_id).requests
    means = means_of(processes, track)
    _execute(Asked(requests, place, where, o.form(form), means))


def _execute(asked: Asked) -> None:
    """Computes what is missing, then prints the rows that are complete."""

    def show(answered: Answer) -> None:
        if text := answered.text(asked.form):
            print(text)
            for line in answered.notes if asked.form == "csv" else ():
                tell(line)
            for line in _sharing(answered.store, answered.done):
                tell(line)
        tell(f"run {answered.id} in {asked.store.label}")

    answered = answer(asked.store, asked.requests, asked.cells, asked.executor, asked.means, show)
    if answered.errors:
        # Where rows came out, bad input to another cell is a failed cell like any other.
        codes = {error.exit_code for _, error in answered.errors}
        some_row = bool(answered.done)
        sys.exit(
            BenchError.exit_code if some_row and BudgetError.exit_code not in codes else max(codes)
        )


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
