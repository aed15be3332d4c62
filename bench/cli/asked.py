"""The options of `bench run` and `bench plan`, read into what is asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from bench.cli import options as o
from bench.cli.computing import open_store
from bench.cli.executing import executor_of
from bench.cli.requests import read_lines
from bench.cli.verb import typed
from bench.errors import BenchError, UsageError

if TYPE_CHECKING:
    from bench.boards.tables import Format
    from bench.executors.executor import Executor
    from bench.request import Request
    from bench.specs import Cell
    from bench.store import Store

OF_ALL = (
    "context",
    "store",
    "workers",
    *("executor", "address", "slurm", "max_time", "max_memory"),
    "processes",
    "track",
    "form",
    "requests",
    *("offline", "plugins"),
)
"""Options of a whole run; the others are a request's own. The last two join those of the lines."""


class Asked(NamedTuple):
    """The options of `run` and `plan`, read and checked as far as names go."""

    requests: Sequence[Request]
    store: Store
    executor: Executor
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
                if not self.places:
                    raise
                raise type(error)(f"{self.places[number]}: {error}") from None
        return found


def read(
    context: typer.Context,
    defense: o.Defenses = None,
    attack: o.Attacks = None,
    set_: o.Sets = None,
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
    executor: o.ExecutorName = "local",
    address: o.Address = None,
    slurm: o.Slurm = None,
    max_time: o.MaxTime = None,
    max_memory: o.MaxMemory = None,
    processes: o.Processes = 1,
    track: o.Track = None,
    form: o.Form = "table",
    requests: o.Requests = None,
) -> Asked:
    """What these words ask for; UsageError where they do not go together."""
    from bench.asking import request

    where_run = executor_of(executor, workers, address, slurm or [], max_time, max_memory)
    means, shape = means_of(processes, track), o.form(form)
    if requests is not None:
        for name in signature(read).parameters:
            if name not in OF_ALL and typed(context, name):
                option = name.strip("_").replace("_", "-")
                raise UsageError(f"--requests FILE says it all; leave out --{option}")
        several = read_lines(requests, read, store)
        common = [
            replace(one, offline=offline or one.offline, plugins=[*one.plugins, *(plugins or [])])
            for one in several.values()
        ]
        where = list(several)
    else:
        one = request(
            defense or [],
            attack or [],
            sets=set_ or [],
            data=data,
            base=base,
            variant=variant,
            recipe=recipe,
            preset=preset,
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
            sampler=sampler,
            steps=steps,
            guidance=guidance,
            samples=samples,
            plugins=plugins or [],
            inception=inception or None,
            clip=str(clip) if clip else None,
            offline=offline,
        )
        common, where = [one], []
    return Asked(common, open_store(store, made=False), where_run, shape, means, where)


def means_of(processes: int, track: list[str] | None) -> dict[str, Any]:
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


def asking(verb: Callable[..., None]) -> Callable[..., None]:
    """A command with the options of `read`, so that `run` and `plan` never differ in them.

    What the verb takes beside what was asked becomes options of its own.
    """
    common, shape = signature(read, eval_str=True), signature(verb, eval_str=True)
    _, *own = shape.parameters.values()

    @wraps(read)
    def command(**options: Any) -> None:
        given = {option.name: options.pop(option.name) for option in own}
        verb(read(**options), **given)

    command.__name__, command.__doc__ = verb.__name__, verb.__doc__
    parameters = [*common.parameters.values(), *own]
    command.__signature__ = common.replace(parameters=parameters)  # type: ignore[attr-defined]
    return command
