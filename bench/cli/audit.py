"""`bench audit`: a model that somebody already trained."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import options as o
from bench.cli.computing import compute, open_store, tell
from bench.cli.executing import executor_of
from bench.errors import UnsentError, UsageError, ValidationError

if TYPE_CHECKING:
    from bench.audits.findings import Findings
    from bench.audits.request import Planned
    from bench.boards.tables import Format
    from bench.executors.executor import Executor
    from bench.store import Store

A_SOURCE = "folder:PATH, or whatever --data of `bench run` takes"


def audit(
    target: Annotated[
        str,
        typer.Option(
            help="The fine-tuned model: a pipeline or U-Net folder of diffusers, a U-Net's "
            ".safetensors, or a LoRA adapter saved by peft or diffusers; or ORGANISATION/NAME"
            "\\[@REVISION] of one on the hub."
        ),
    ],
    members: Annotated[str, typer.Option(help=f"Pairs it was trained on: {A_SOURCE}.")],
    holdouts: Annotated[
        str, typer.Option(help="Pairs it never saw, from the same distribution; as --members.")
    ],
    base: Annotated[
        str | None,
        typer.Option(help="What it was fine-tuned from. Needed unless it is a whole pipeline."),
    ] = None,
    variant: Annotated[
        str | None,
        typer.Option(
            help="Which weights of the base are read, e.g. fp16, and of a target or shadow that "
            "has several and no plain ones. Default: plain."
        ),
    ] = None,
    auxiliary: Annotated[
        str | None,
        typer.Option(help="Further pairs like these that it never saw, to train a shadow on."),
    ] = None,
    shadow: Annotated[
        str | None,
        typer.Option(
            help="auto: train one on half of the auxiliary pairs; none; or the path of one that "
            "you trained. Default: auto with --auxiliary, else none."
        ),
    ] = None,
    shadow_members: Annotated[
        str | None, typer.Option(help="For --shadow PATH: the pairs it was trained on.")
    ] = None,
    shadow_holdouts: Annotated[
        str | None, typer.Option(help="For --shadow PATH: pairs that it never saw.")
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(help="For --shadow auto: how it is trained. Default: mini.")
    ] = None,
    attack: o.Attacks = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the attacker's noise.")] = 0,
    store: o.StoreDir = None,
    plugins: o.Plugins = None,
    workers: o.Workers = None,
    executor: o.ExecutorName = "local",
    address: o.Address = None,
    slurm: o.Slurm = None,
    max_time: o.MaxTime = None,
    max_memory: o.MaxMemory = None,
    form: o.Form = "table",
    out: Annotated[Path | None, typer.Option(help="Write the report here, as Markdown.")] = None,
) -> None:
    """Attack a model that you trained elsewhere, and say in words what that shows.

    Exit code 0: there is a verdict, whichever; 3: a gate failed, so that there is none. Run the
    same command again to go on where it was stopped. Example: bench audit --target my-lora
    --base sd-v1-5 --members folder:trained-on --holdouts folder:kept-back
    """
    from bench.audits.request import AuditRequest

    where = executor_of(executor, workers, address, slurm or [], max_time, max_memory)
    shape = o.form(form)
    if out is not None:
        _check_out(out)
    planned = AuditRequest(
        target=target,
        members=members,
        holdouts=holdouts,
        attacks=attack or ("all",),
        base=base,
        variant=variant,
        shadow=shadow,
        auxiliary=auxiliary,
        shadow_members=shadow_members,
        shadow_holdouts=shadow_holdouts,
        recipe=recipe,
        seed=seed,
        plugins=plugins or [],
    ).plan()
    found, unsent = _computed(planned, open_store(store), where)
    _print(found, planned, shape)
    if out is not None:
        _write(out, found, planned)
    if found.failed:
        repeated = f"; remove from one side {found.repeats[0]}" if found.repeats else ""
        raise ValidationError(f"gates failed: {', '.join(found.failed)}{repeated}")
    if unsent is not None:
        raise unsent


def _check_out(out: Path) -> None:
    """Whether the report can be written, before hours of work for it."""
    from bench.paths import expanded

    place = expanded(out).resolve()
    if not place.parent.is_dir():
        raise UsageError(f"--out {out}: there is no folder {out.parent}; make it first")
    if place.is_dir():
        raise UsageError(f"--out {out} is a folder; name a file in it, e.g. {out / 'report.md'}")
    if not os.access(place if place.exists() else place.parent, os.W_OK):
        raise UsageError(f"--out {out} cannot be written: Permission denied; name another place")


def _computed(
    planned: Planned, place: Store, executor: Executor
) -> tuple[Findings, UnsentError | None]:
    """What the attacks found, computed as far as it is not stored; the first error ends it.

    That not all of it reached the bucket of a store is none.
    """
    from bench.audits.findings import find
    from bench.audits.graph import audit_stage

    for note in planned.notes:
        tell(note)
    ends = [audit_stage(cell) for cell in planned.cells]
    given = {s.key: s for end in ends for s in end.walk() if s.kind in ("adopt", "split")}
    unsent = None
    # Models that cannot be read are told before any training, and name themselves.
    for stages, itself in ((list(given.values()), True), (ends, False)):
        errors = []
        for what, error in compute(place, stages, executor):
            if isinstance(error, UnsentError):
                unsent = error
            else:
                errors.append(type(error)(str(error) if itself else f"{what}: {error}"))
        for error in errors[1:]:
            tell(f"error: {error}")
        if errors:
            raise errors[0]
    return find(place, ends), unsent


def _print(found: Findings, planned: Planned, shape: Format) -> None:
    from bench.audits.report import document, figures, table
    from bench.audits.verdict import limits, verdict
    from bench.boards.tables import render

    cell = planned.cells[0]
    if shape == "json":
        print(json.dumps(document(found, cell, planned.remarks), indent=1))
        return
    said = [verdict(found), *limits(found, cell, planned.remarks)]
    print(render(figures(found) if shape == "csv" else table(found), shape, said))
    for line in said if shape == "csv" else ():
        tell(line)


def _write(out: Path, found: Findings, planned: Planned) -> None:
    from bench.audits.report import markdown
    from bench.paths import expanded

    command = shlex.join(["bench", *sys.argv[1:]])
    text = markdown(found, planned.cells[0], planned.remarks, command)
    try:
        expanded(out).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--out {out} cannot be written: {error.strerror}") from None
    tell(f"report in {out}")
