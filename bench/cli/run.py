"""`bench run`, `bench plan` and `bench resume`: ask for cells, see what it takes, go on."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from bench.cli import options as o
from bench.cli.computing import compute, open_store, tell
from bench.cli.requests import read_lines
from bench.errors import BenchError, BudgetError, UsageError, unknown

if TYPE_CHECKING:
    from bench.boards.tables import Format
    from bench.request import Request
    from bench.specs import Cell, Stage
    from bench.store import Store

QUICK_SAMPLES = 64
OF_ALL = ("store", "workers", "processes", "track", "form", "offline", "requests")
"""Options of a whole run; the others are a request's own."""


class Asked(NamedTuple):
    """The options of `run` and `plan`, read and checked as far as names go."""

    requests: Sequence[Request]
    store: Store
    workers: int
    form: Format
    means: dict[str, Any]
    """How stages are computed; in no key."""
    places: Sequence[str] = ()
    """Where each request stands in a file, if it comes from one."""

    def cells(self, say: Callable[[str], None] = lambda line: None) -> list[Cell]:
        """All cells asked for; an error says at which place of a file it was met."""
        found = []
        for number, request in enumerate(self.requests):
            try:
                found += request.cells(say)
            except BenchError as error:
                place = f"{self.places[number]}: " if self.places else ""
                raise type(error)(f"{place}{error}") from None
        return found


def _read(
    defense: o.Defenses = None,
    attack: o.Attacks = None,
    data: o.Data = "tiles",
    base: o.BaseModel = "mini-sd",
    variant: o.Variant = None,
    recipe: o.RecipeName = "mini",
    preset: o.Preset = None,
    augment: o.Augmentation = "default",
    view: o.ViewName = "original",
    replays: o.Replays = 1,
    pool: o.PoolName = "mean",
    shadow: o.ShadowName = "disjoint",
    shadow_defense: o.ShadowDefenseName = "none",
    captioner: o.Captioner = None,
    canaries: o.Canaries = 0,
    precision: o.PrecisionName = "fp32",
    sampler: o.SamplerName = "ddim",
    steps: o.Steps = 25,
    guidance: o.Guidance = 3.0,
    samples: o.Samples = None,
    seeds: o.Seeds = "0",
    at: o.At = None,
    store: o.StoreDir = None,
    plugins: o.Plugins = None,
    inception: o.Inception = None,
    clip: o.Clip = None,
    offline: o.Offline = False,
    workers: o.Workers = None,
    processes: o.Processes = 1,
    track: o.Track = None,
    form: o.Form = "table",
    requests: o.Requests = None,
) -> Asked:
    from bench.executors.local import default_workers
    from bench.request import Request, sampling

    means = _means(processes, track)
    if requests is not None:
        given = dict(locals())
        for name, parameter in signature(_read).parameters.items():
            if name not in OF_ALL and given[name] != parameter.default:
                raise UsageError(
                    f"--requests FILE says it all; leave out --{name.replace('_', '-')}"
                )
        several = read_lines(requests, _read, store)
        return Asked(
            [replace(one, offline=offline or one.offline) for one in several.values()],
            open_store(store),
            workers or default_workers(),
            o.form(form),
            means,
            list(several),
        )
    if not defense or not attack:
        raise UsageError(
            "name at least one --defense and one --attack, e.g. "
            "bench run --defense reph --attack clid_th (`bench list defenses` shows them)"
        )
    if preset and recipe not in ("mini", "quick"):
        raise UsageError(f"--preset {preset} brings its own recipe; leave out --recipe {recipe}")
    if preset not in (None, "quick"):
        raise unknown("preset", str(preset), ["quick"])
    request = Request(
        defenses=defense,
        attacks=attack,
        data=data,
        base=base,
        variant=variant,
        recipe="quick" if preset else recipe,
        augment=augment,
        view=view,
        replays=replays,
        pool=pool,
        shadow=shadow,
        shadow_defense=shadow_defense,
        captioner=captioner,
        canaries=canaries,
        seeds=o.numbers(seeds, "--seeds"),
        at=o.numbers(at, "--at") if at is not None else [],
        precision=precision,
        sampling=sampling(sampler, steps, guidance, samples or (QUICK_SAMPLES if preset else None)),
        plugins=plugins or [],
        inception=inception or None,
        clip=str(clip) if clip else None,
        offline=offline,
    )
    return Asked([request], open_store(store), workers or default_workers(), o.form(form), means)


def _means(processes: int, track: list[str] | None) -> dict[str, Any]:
    """How stages are to be computed, checked."""
    from bench.training.engine import check_trackers

    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError(
            "a launcher started several of this command; start one, with --processes N"
        )
    check_trackers(track or [])
    means: dict[str, Any] = {}
    if processes > 1:
        means["processes"] = processes
    if track:
        means["trackers"] = track
    return means


def _asking(verb: Callable[[Asked], None]) -> Callable[..., None]:
    """A command with the options of `_read`, so that `run` and `plan` never differ in them."""

    @wraps(_read)
    def command(**options: Any) -> None:
        verb(_read(**options))

    command.__name__, command.__doc__ = verb.__name__, verb.__doc__
    return command


@_asking
def run(asked: Asked) -> None:
    """Fine-tune a defended target, attack it, measure it; print one row with intervals.

    What the store already holds is not computed again. Kill it at any moment: the same command
    goes on where it stopped. Example: bench run --defense reph --attack clid_th
    """
    _execute(asked)


@_asking
def plan(asked: Asked) -> None:
    """What `bench run` with these options would compute, what is cached, and how long it takes."""
    from bench.boards.tables import render
    from bench.estimates import Estimator
    from bench.pipeline import all_stages

    stages = all_stages(asked.cells(say=tell))
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
    means = _means(processes, track)
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
