"""`bench run`, `bench plan` and `bench resume`: ask for cells, see what it takes, go on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from bench.cli import options as o
from bench.errors import BenchError, UsageError, unknown

if TYPE_CHECKING:
    from bench.executors.local import Watcher
    from bench.request import Request
    from bench.specs import Stage
    from bench.store import Store

QUICK_SAMPLES = 64


def run(
    defense: o.Defenses = None,
    attack: o.Attacks = None,
    data: o.Data = "tiles",
    base: o.BaseModel = "mini-sd",
    recipe: o.RecipeName = "mini",
    preset: o.Preset = None,
    augment: o.Augmentation = "default",
    seeds: o.Seeds = "0",
    at: o.At = None,
    store: o.StoreDir = None,
    plugins: o.Plugins = None,
    inception: o.Inception = None,
    workers: o.Workers = None,
    form: o.Form = "table",
) -> None:
    """Fine-tune a defended target, attack it, measure it; print one row with intervals.

    What the store already holds is not computed again. Kill it at any moment: the same command
    goes on where it stopped. Example: bench run --defense reph --attack clid_th
    """
    form = o.form(form)
    request = _request(
        defense, attack, data, base, recipe, preset, augment, seeds, at, plugins, inception
    )
    _execute(request, _open(store), workers, form)


def plan(
    defense: o.Defenses = None,
    attack: o.Attacks = None,
    data: o.Data = "tiles",
    base: o.BaseModel = "mini-sd",
    recipe: o.RecipeName = "mini",
    preset: o.Preset = None,
    augment: o.Augmentation = "default",
    seeds: o.Seeds = "0",
    at: o.At = None,
    store: o.StoreDir = None,
    plugins: o.Plugins = None,
    inception: o.Inception = None,
    workers: o.Workers = None,
    form: o.Form = "table",
) -> None:
    """What `bench run` with these options would compute, what is cached, and how long it takes."""
    from bench.boards.tables import render
    from bench.estimates import Estimator
    from bench.executors.local import default_workers
    from bench.pipeline import all_stages

    form = o.form(form)
    request = _request(
        defense, attack, data, base, recipe, preset, augment, seeds, at, plugins, inception
    )
    place = _open(store)
    stages = all_stages(request.cells())
    estimator = Estimator(place)
    records = [estimator.record(stage) for stage in stages]
    total = estimator.total(stages, workers or default_workers())
    print(render(records, cast(Any, form), [total, f"store: {place.root}"]))


def resume(
    run_id: Annotated[
        str | None, typer.Argument(help="Run id; default: the last unfinished.")
    ] = None,
    store: o.StoreDir = None,
    workers: o.Workers = None,
    form: o.Form = "table",
) -> None:
    """Go on with a run that was killed or interrupted."""
    from bench.runs import find

    form = o.form(form)
    place = _open(store)
    _execute(find(place, run_id).request, place, workers, form)


def _open(folder: Path | None) -> Store:
    from bench.store import Store, default_root

    return Store((folder or default_root()).expanduser().resolve())


def _request(
    defense: list[str] | None,
    attack: list[str] | None,
    data: str,
    base: str,
    recipe: str,
    preset: str | None,
    augment: str,
    seeds: str,
    at: str | None,
    plugins: list[Path] | None,
    inception: Path | None,
) -> Request:
    from bench.request import Request
    from bench.specs import Sampling

    if not defense or not attack:
        raise UsageError(
            "name at least one --defense and one --attack, e.g. "
            "bench run --defense reph --attack clid_th (`bench list defenses` shows them)"
        )
    if preset not in (None, "quick"):
        raise unknown("preset", str(preset), ["quick"])
    wanted = o.numbers(seeds, "--seeds")
    if not wanted:
        raise UsageError("--seeds is empty; write e.g. 0,1,2")
    return Request(
        defenses=defense,
        attacks=attack,
        data=data,
        base=base,
        recipe="quick" if preset else recipe,
        augment=augment,
        seeds=wanted,
        at=o.numbers(at, "--at"),
        sampling=Sampling(n=QUICK_SAMPLES) if preset else Sampling(),
        plugins=plugins or [],
        inception=str(inception) if inception else None,
    )


def _execute(request: Request, store: Store, workers: int | None, form: str) -> None:
    """Computes what is missing, then prints the rows that are complete."""
    from bench.executors.local import default_workers
    from bench.pipeline import cell_stage
    from bench.runs import save

    cells = request.cells(say=lambda line: print(line, file=sys.stderr))
    ends = [cell_stage(cell) for cell in cells]
    done = save(store, request, ends)
    errors = _compute(store, ends, workers or default_workers())
    _print_rows(store, ends, form)
    print(f"run {done.id} in {store.root}", file=sys.stderr)
    if errors:
        worst = max(error.exit_code for error in errors.values())
        for error in errors.values():
            print(f"error: {error}", file=sys.stderr)
        raise (
            BenchError(f"{len(errors)} stages failed; the others are kept")
            if worst == 1
            else (next(e for e in errors.values() if e.exit_code == worst))
        )


def _compute(store: Store, ends: list[Stage], workers: int) -> dict[str, BenchError]:
    from bench.cli.progress import Display
    from bench.executors.local import run as run_stages
    from bench.plan import missing

    stages = missing(store, ends, lambda line: print(line, file=sys.stderr))
    if not stages:
        return {}
    with Display(store, stages) as display:
        return run_stages(stages, store, workers, cast("Watcher", display))


def _print_rows(store: Store, ends: list[Stage], form: str) -> None:
    from bench.boards.rows import collect
    from bench.boards.summary import figures, notes, records
    from bench.boards.tables import render

    found = [(s.params["cell"], store.record(s)["result"]) for s in ends if store.has(s)]
    if found:
        rows = collect(found)
        shown = figures(rows) if form in ("json", "csv") else records(rows)
        print(render(shown, cast(Any, form), notes(rows)))
