"""Options that several verbs share, with one help text each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import completing
from bench.errors import UsageError

if TYPE_CHECKING:
    from bench.boards.tables import Format

Defenses = Annotated[
    list[str] | None,
    typer.Option(
        "--defense",
        "-d",
        autocompletion=completing.defenses,
        help="Name, name\\[param=value,...] or ./file.py; one+other together; repeatable; 'all'. "
        "value|value: one for each.",
    ),
]
Attacks = Annotated[
    list[str] | None,
    typer.Option(
        "--attack",
        "-a",
        autocompletion=completing.attacks,
        help="Name, name\\[param=value,...], name\\[preset=...] or ./file.py; repeatable; or just "
        "'all'.",
    ),
]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="COMPONENT.PARAM=VALUE",
        help="A parameter of one of these attacks and defenses, as del.rate=0.2; repeatable.",
    ),
]
Data = Annotated[
    str,
    typer.Option(
        autocompletion=completing.data,
        help="tiles, scenes, folder:PATH, coco:ANNOTATIONS.json, parquet:PATH or hub:NAME\\[@REV], "
        "with ,key=value options (`bench list data`, docs/data.md).",
    ),
]
BaseModel = Annotated[
    str,
    typer.Option(
        "--base",
        help="mini-sd, the path of a Stable-Diffusion-1.x/2.x-shaped folder, or "
        "ORGANISATION/NAME\\[@REVISION] on the hub.",
    ),
]
Variant = Annotated[
    str | None, typer.Option(help="Which weights of the base are read, e.g. fp16. Default: plain.")
]
Offline = Annotated[
    bool,
    typer.Option(
        "--offline", envvar="HF_HUB_OFFLINE", help="Take models from this machine only; no network."
    ),
]
RecipeName = Annotated[
    str,
    typer.Option(
        "--recipe",
        autocompletion=completing.recipes,
        help="Training recipe (`bench list recipes`).",
    ),
]
Preset = Annotated[
    str | None,
    typer.Option(help="quick: a smaller recipe and 64 samples, to see the path; never ranked."),
]
Augmentation = Annotated[
    str,
    typer.Option(
        "--augment",
        help="default (random crop + flip), none (centre crop), center (centre crop + flip), "
        "script (random crop) or strong (resized crop, colour, cutout).",
    ),
]
ViewName = Annotated[
    str,
    typer.Option(
        "--view",
        help="Captions the attacker knows: original, defended (the defense replayed), or pseudo "
        "(a captioner's).",
    ),
]
ShadowName = Annotated[
    str,
    typer.Option(
        "--shadow",
        help="disjoint: the attacker's own pairs; resplit: the target's pairs dealt anew.",
    ),
]
Replays = Annotated[
    int,
    typer.Option(min=1, help="For --view defended: how often the attacker replays the defense."),
]
PoolName = Annotated[
    str, typer.Option("--pool", help="mean or max of a pair's scores over the replays.")
]
ShadowDefenseName = Annotated[
    str,
    typer.Option(
        "--shadow-defense",
        help="none, or same: the attacker trains its own models under the target's defense.",
    ),
]
Captioner = Annotated[
    str | None,
    typer.Option(
        help="For --view pseudo: a BLIP by folder or NAME@REVISION on the hub. Default: the base's "
        "CLIP."
    ),
]
Canaries = Annotated[
    int,
    typer.Option(
        min=0,
        help="Mislabelled pairs added to the data, half of them trained on; boards have 64.",
    ),
]
PrecisionName = Annotated[
    str,
    typer.Option(
        "--precision",
        help="What the U-Net computes in when attacks ask it: fp32, bf16 or fp16. Training and "
        "samples are not touched.",
    ),
]
SamplerName = Annotated[
    str, typer.Option("--sampler", help="Of the pictures for utility: ddim or dpm++ (2M).")
]
Steps = Annotated[int, typer.Option(min=1, max=1000, help="Steps of the sampler.")]
Guidance = Annotated[float, typer.Option(min=1.0, help="Classifier-free guidance of the samples.")]
Samples = Annotated[
    int | None,
    typer.Option(
        min=2, help="Pictures for utility, one a reference caption. Default: 350, quick: 64."
    ),
]
Seeds = Annotated[str, typer.Option(help="Run seeds, e.g. 0,1,2; each has a split of its own.")]
At = Annotated[
    str | None,
    typer.Option(
        help="Attack after these epochs, e.g. 0,10,40,80; 0 is the base. Default: the end."
    ),
]
StoreDir = Annotated[
    str | None,
    typer.Option(
        "--store",
        envvar="BENCH_STORE",
        metavar="DIR|URL",
        help="Where results are kept: a folder (default: one of the cache), or s3://BUCKET/PREFIX.",
    ),
]
Plugins = Annotated[
    list[Path] | None,
    typer.Option("--plugins", help="Folder with your own attacks and defenses; repeatable."),
]
Inception = Annotated[
    str | None,
    typer.Option(
        envvar="BENCH_INCEPTION",
        help="Weights of Inception 2015, to measure FID too: their path, or 'download'.",
    ),
]
Clip = Annotated[
    Path | None,
    typer.Option(
        envvar="BENCH_CLIP",
        help="Folder of a CLIP other than the model's own, for CLIPScore. Default: the base's.",
    ),
]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Stages side by side; default: cores, at most 4.")
]
ExecutorName = Annotated[
    str,
    typer.Option(
        "--executor",
        help="Where stages run: local (processes here, one a GPU), ray or slurm (docs/scale.md).",
    ),
]
Address = Annotated[
    str | None,
    typer.Option(help="For --executor ray: HOST:PORT of a cluster, or auto. Default: one here."),
]
Slurm = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE",
        help="For --executor slurm: a parameter of submitit, e.g. slurm_partition=gpu or "
        "gpus_per_node=1; repeatable.",
    ),
]
MaxTime = Annotated[
    str | None,
    typer.Option(help="Stop after so long, e.g. 90m or 8h, with exit code 5; the rest resumes."),
]
MaxMemory = Annotated[
    str | None,
    typer.Option(
        help="Memory of all workers here together, e.g. 16GB (on a cluster: of each job); spent, "
        "the run stops with exit code 5."
    ),
]
Processes = Annotated[
    int,
    typer.Option(
        "--processes",
        min=1,
        help="Train each model with so many processes, one a GPU or core, on shared batches.",
    ),
]
Track = Annotated[
    list[str] | None,
    typer.Option("--track", help="tensorboard: loss curves, in STORE/tracks; repeatable."),
]
Requests = Annotated[
    Path | None,
    typer.Option(
        "--requests",
        help="A file of requests computed as one run; each line has the options of one.",
    ),
]
Form = Annotated[str, typer.Option("--format", help="table, md, json or csv.")]


def numbers(text: str, option: str) -> list[int]:
    """`0,1,2` as whole numbers without repeats."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise UsageError(f"{option} {text}: write whole numbers with commas between, e.g. 0,1,2")
    return list(dict.fromkeys(int(part) for part in parts))


def form(text: str) -> Format:
    """A known output format."""
    from bench.boards.tables import FORMATS
    from bench.errors import unknown

    for known in FORMATS:
        if text == known:
            return known
    raise unknown("format", text, FORMATS)
