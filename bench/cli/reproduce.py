"""`bench reproduce`: the experiments of the paper, on the data and base at hand."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli import options as o
from bench.cli.computing import compute, in_folder, leave_note, open_store, tell
from bench.cli.executing import executor_of
from bench.errors import UsageError, unknown
from bench.logs import log

if TYPE_CHECKING:
    from bench.boards.tables import Format
    from bench.reproduction.experiments import Experiment
    from bench.reproduction.repeat import Part, Recipes


def reproduce(
    experiment: Annotated[
        str | None,
        typer.Argument(help="table1 to table6, fig1, fig2, fig3 or d1; none: lists them."),
    ] = None,
    data: o.Data = "tiles",
    base: o.BaseModel = "mini-sd",
    variant: o.Variant = None,
    recipe: Annotated[
        str | None,
        typer.Option(help="For real-world training. Default: mini, or paper-realworld."),
    ] = None,
    preset: o.Preset = None,
    seeds: o.Seeds = "0,1,2",
    shadow: o.ShadowName = "disjoint",
    captioner: o.Captioner = None,
    sampler: o.SamplerName = "ddim",
    steps: o.Steps = 25,
    guidance: o.Guidance = 3.0,
    samples: o.Samples = None,
    inception: o.Inception = None,
    clip: o.Clip = None,
    offline: o.Offline = False,
    store: o.StoreDir = None,
    workers: o.Workers = None,
    executor: o.ExecutorName = "local",
    address: o.Address = None,
    slurm: o.Slurm = None,
    max_time: o.MaxTime = None,
    max_memory: o.MaxMemory = None,
    form: o.Form = "table",
) -> None:
    """Repeat a table or figure of Zhai et al. 2024 and print it beside the paper's figures.

    Killed, the same command goes on. What other runs computed is used. Example: bench reproduce
    table5
    """
    from bench.reproduction.experiments import EXPERIMENTS
    from bench.reproduction.repeat import repeat
    from bench.request import Request, sampling
    from bench.runs import save

    where = executor_of(executor, workers, address, slurm or [], max_time, max_memory)
    shape = o.form(form)
    if experiment is None:
        _list(shape)
        return
    if experiment not in EXPERIMENTS:
        raise unknown("experiment", experiment, EXPERIMENTS, "(`bench reproduce` lists them)")
    recipes, count = _recipes(base, recipe, preset), samples or (64 if preset else None)
    on = Request(
        defenses=("none",),
        attacks=("loss",),
        data=data,
        base=base,
        variant=variant,
        seeds=o.numbers(seeds, "--seeds"),
        shadow=shadow,
        captioner=captioner,
        sampling=sampling(sampler, steps, guidance, count),
        inception=inception or None,
        clip=str(clip) if clip else None,
        offline=offline,
    )
    place, asked = open_store(store), EXPERIMENTS[experiment]
    repeated = repeat(asked, on, recipes, tell)
    if repeated.requests:
        run = save(place, repeated.requests, repeated.ends).id
        leave_note(place, run)
        tell(f"run {run} in {place.label}")
    errors, here = compute(place, repeated.ends, where), in_folder(place)
    if all(here.has(end) for end in repeated.ends):
        _print(asked, repeated.parts(here), shape, quick=preset is not None)
    for what, error in errors:
        log.error("error: %s: %s", what, error)
    if errors:
        sys.exit(max(error.exit_code for _, error in errors))


def _recipes(base: str, recipe: str | None, preset: str | None) -> Recipes:
    """By kind of training; UsageError for words that are not known or do not go together."""
    from bench.reproduction.repeat import QUICK, recipes_for
    from bench.training.recipe import named_recipe

    if preset not in (None, "quick"):
        raise unknown("preset", str(preset), ["quick"])
    if preset and recipe:
        raise UsageError(f"--preset {preset} brings its own recipe; leave out --recipe {recipe}")
    if preset:
        return QUICK
    if recipe and not named_recipe(recipe).epochs:
        raise UsageError(f"--recipe {recipe} trains nothing; table3 is what attacks the base")
    return {**recipes_for(base), **({"real": recipe} if recipe else {})}


def _list(shape: Format) -> None:
    from bench.boards.tables import render
    from bench.reproduction.experiments import EXPERIMENTS

    print(render([{"name": e.name, "what": e.title} for e in EXPERIMENTS.values()], shape))


def _print(asked: Experiment, parts: list[Part], shape: Format, *, quick: bool) -> None:
    from bench.boards.tables import render

    about = [asked.about] if asked.about else []
    if quick:
        about.append("Preset 'quick' shows the path only: these figures reproduce nothing.")
    if shape in ("json", "csv"):
        records: list[dict[str, Any]] = [
            {
                "experiment": asked.name,
                "setting": part.title,
                **one,
                "order": part.verdict and part.verdict.word,
            }
            for part in parts
            for one in part.records
        ]
        print(
            render(records, shape, [*about, *(said for part in parts for said in part.sentences)])
        )
        return
    mark = "## " if shape == "md" else ""
    print(f"{mark}{asked.name}: {asked.title}", *about, sep="\n\n")
    for part in parts:
        print(f"\n#{mark}{part.title}\n" if mark else f"\n{part.title}")
        print(render(part.records, shape, part.sentences))
