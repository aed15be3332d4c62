"""`bench list` and `bench show`: what there is, and the card of one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from bench.cli import completing
from bench.cli import options as o
from bench.errors import unknown

if TYPE_CHECKING:
    from bench.plugins import Plugin
    from bench.runs import Run

KINDS = ("attacks", "defenses", "data", "bases", "recipes", "runs")


def list_(
    what: Annotated[
        str, typer.Argument(help=", ".join(KINDS) + ".", autocompletion=lambda: list(KINDS))
    ],
    plugins: o.Plugins = None,
    store: o.StoreDir = None,
    form: o.Form = "table",
) -> None:
    """List attacks, defenses, data sets, bases, recipes or runs."""
    from bench.boards.tables import render

    if what not in KINDS:
        raise unknown("thing to list", what, KINDS)
    shape = o.form(form)
    if what in ("attacks", "defenses"):
        records = _plugins(what[:-1], plugins or [])
    elif what == "runs":
        records = _runs(store)
    else:
        records = {"data": _data, "bases": _bases, "recipes": _recipes}[what]()
    told = records or shape in ("json", "csv")
    print(render(records, shape) if told else f"no {what} yet")


def show(
    name: Annotated[
        str,
        typer.Argument(
            help="An attack, a defense (or the file of one), a recipe or a data card.",
            autocompletion=completing.shown,
        ),
    ],
    plugins: o.Plugins = None,
    source: Annotated[bool, typer.Option("--source", help="Print its source file too.")] = False,
    form: o.Form = "table",
) -> None:
    """The card of an attack, defense, recipe or known data set: paper, parameters, cost, access."""
    from bench.data.cards import CARDS
    from bench.training.recipe import RECIPES

    shape = o.form(form)
    found = _called(name, plugins or [])
    if not found and name not in {*RECIPES, *CARDS}:
        known = [plugin.name for plugin in _called(None, plugins or [])]
        raise unknown("attack, defense, recipe or data card", name, [*known, *RECIPES, *CARDS])
    if shape != "table":
        from bench.boards.tables import render
        from bench.cli.cards import records

        print(render(records(name, found), shape))
        return
    for plugin in found:
        print(_card(plugin))
        if source:
            print(plugin.path.read_text(encoding="utf-8"))
    if name in CARDS:
        for field, line in CARDS[name].described().items():
            print(f"{field:10} {line}")
    if name in RECIPES:
        for field, value in RECIPES[name]:
            print(f"{field:22} {value}")


def _called(name: str | None, folders: list[Path]) -> list[Plugin]:
    """Attacks and defenses of this name or file, or all."""
    from bench.plugins import discover
    from bench.plugins.vouching import load_foreign

    kinds: tuple[Any, ...] = ("attack", "defense")
    if name is not None and name.endswith(".py") and Path(name).is_file():
        return [plugin for kind in kinds for plugin in load_foreign(kind, Path(name))]
    found = [plugin for kind in kinds for plugin in discover(kind, folders, name)]
    return [plugin for plugin in found if name in (None, plugin.name)]


def _plugins(kind: str, folders: list[Path]) -> list[dict[str, Any]]:
    from bench.plugins import discover

    return [
        {
            "name": plugin.name,
            "status": "broken" if plugin.error else "ok" if plugin.cls else "not loaded",
            "origin": plugin.origin,
            "what": plugin.summary,
        }
        for plugin in discover(cast(Any, kind), folders, load=False)
    ]


def _data() -> list[dict[str, Any]]:
    from bench.data.sources import list_sources

    return [
        {"name": s.name, "pairs": s.pairs or "", "licence": s.licence, "what": s.about}
        for s in list_sources()
    ]


def _bases() -> list[dict[str, Any]]:
    from bench.models.base import EMBEDDED

    return [
        {"name": EMBEDDED, "what": "embedded latent diffusion model, 32x32 pixels"},
        {"name": "PATH", "what": "any Stable-Diffusion-1.x/2.x-shaped folder, diffusers format"},
        {"name": "ORGANISATION/NAME[@REVISION]", "what": "such a model by its name on the hub"},
    ]


def _recipes() -> list[dict[str, Any]]:
    from bench.training.recipe import RECIPES, SUMMARIES

    return [
        {
            "name": name,
            "epochs": _lengths(name),
            "batch": str(r.batch) if r.accumulate == 1 else f"{r.batch} x {r.accumulate}",
            "lr": r.lr,
            "precision": "fp32" if r.precision == "no" else r.precision,
            "what": SUMMARIES[name],
        }
        for name, r in RECIPES.items()
    ]


def _lengths(name: str) -> str:
    """Epochs, and those of the data sets that the paper trained on longer or shorter."""
    from bench.training.recipe import variants

    usual, *others = variants(name).items()
    differ = [f"{card} {r.epochs}" for card, r in others if r.epochs != usual[1].epochs]
    return "; ".join([str(usual[1].epochs), *differ])


MOST_NAMED = 4


def _each(run: Run, what: str) -> list[str]:
    """What the run's requests name, each once; of many the first."""
    names = [str(one) for request in run.requests for one in getattr(request, what)]
    single = list(dict.fromkeys(names))
    more = len(single) - MOST_NAMED
    return single if more <= 0 else [*single[:MOST_NAMED], f"and {more} more"]


def _runs(place: str | None) -> list[dict[str, Any]]:
    from bench.cli.computing import read_store
    from bench.runs import saved

    store = read_store(place)
    return [
        {
            "run": run.id,
            "asked": run.asked,
            "done": f"{run.finished(store)}/{len(run.metrics)}",
            "defenses": " ".join(_each(run, "defenses")),
            "attacks": " ".join(_each(run, "attacks")),
            "data": " ".join(dict.fromkeys(request.data for request in run.requests)),
            "seeds": ",".join(map(str, _each(run, "seeds"))),
        }
        for run in saved(store)
    ]


def _card(plugin: Plugin) -> str:
    from inspect import cleandoc

    lines = [f"{plugin.kind} {plugin.name}  ({plugin.path})"]
    if plugin.cls is None:
        return "\n".join([*lines, f"cannot be loaded: {plugin.error}"])
    lines += [cleandoc(plugin.cls.__doc__ or ""), ""]
    if plugin.kind == "attack":
        made = plugin.cls()
        own = getattr(made, "reference_queries", 0) if made.reads_reference else 0
        lines.append(
            f"access {made.access}; needs {', '.join(sorted(made.needs))}; "
            f"{made.queries or 'undeclared'} queries a pair"
            + (f" and {own} of its own reference" if own else "")
        )
    if plugin.kind == "defense":
        lines.append(f"level  {plugin.usable().level}")
        lines += [f"not with {name}: {why}" for name, why in plugin.usable().excludes.items()]
    if paper := getattr(plugin.cls, "paper", ""):
        lines.append(f"paper  {paper}")
    lines += [f"param  {name}: {hint} = {value!r}" for name, hint, value in plugin.params()]
    for name, meant in getattr(plugin.cls, "presets", {}).items():
        lines.append(f"preset {name}: {', '.join(f'{k}={v!r}' for k, v in meant.items())}")
    return "\n".join(lines)
