"""What every verb has: flags from the environment and a file, `--config`, `-q`, `-v`.

click looks a flag up on the command line, in the environment, in the context's `default_map` and
in its default, in this order, and remembers where it found it. Here it is told the names of the
variables, BENCH_<VERB>_<FLAG>, and what the configuration file says.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from bench.cli.configuration import NOT_IN_A_FILE, READS_TOO, defaults, find
from bench.errors import BenchError, UsageError, unknown
from bench.logs import QUIET, VERBOSE, show

if TYPE_CHECKING:
    from bench.cli.configuration import Options

NAMED, PLACES = "bench.file", "bench.places"
"""In a context's `meta`: the file of --config, and where in it each option was found."""


def wording(error: Exception) -> str:
    """What typer says of a wrong option, without the list of all variables that could set it."""
    told = getattr(error, "format_message", None)
    return re.sub(r" \(env var: '.*?'\)(?=: )", "", str(told() if told else error)).rstrip(".")


class Verb(TyperCommand):
    """A command whose flags are read from the environment and a file too."""

    def __init__(self, name: str | None, **settings: Any) -> None:
        super().__init__(name, **settings)
        for flag, option in flags(self).items():
            shown = _listed(option.envvar)
            option.show_envvar = bool(shown)
            option.envvar = [*variables(name or "", flag), *shown]

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        try:
            return super().make_context(info_name, args, parent, **extra)
        except typer.BadParameter as error:
            context, param = error.ctx, error.param
            if context is not None and param is not None and (place := _place(context, param)):
                raise UsageError(f"{place}: {wording(error)} (docs/configuration.md)") from None
            raise

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except UsageError as error:
            raise _blamed(ctx, self, error) from None
        except BrokenPipeError:  # the reader of our output has left; typer would end with 1
            os._exit(0)


def flags(command: Any) -> dict[str, TyperOption]:
    """The options of a command by flag, without dashes."""
    return {
        option.opts[0].removeprefix("--"): option
        for option in command.params
        if isinstance(option, TyperOption) and option.opts[0].startswith("--")
    }


def variables(verb: str, flag: str) -> list[str]:
    """Names of the environment variables of a flag, the first found counts."""
    verbs = [verb, *filter(None, [READS_TOO.get(verb)])]
    return [f"BENCH_{one}_{flag}".replace("-", "_").upper() for one in verbs]


def origin(context: Any, option: Any) -> str:
    """Where the value of an option is from: `file bench.toml:3`, `environment NAME`, ..."""
    source = context.get_parameter_source(option.name)
    if source is not None and source.name == "DEFAULT_MAP":
        return f"file {context.meta[PLACES].get(option.name, '')}"
    if source is not None and source.name == "ENVIRONMENT":
        name = next((one for one in _listed(option.envvar) if os.environ.get(one)), "")
        return f"environment {name}"
    return "default" if source is None or source.name == "DEFAULT" else "command line"


def typed(context: Any, name: str) -> bool:
    """Whether an option stood on the command line itself."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _listed(names: Any) -> list[str]:
    return [names] if isinstance(names, str) else list(names or [])


def _place(context: Any, option: Any) -> str:
    """The line or the variable that a value comes from; empty for what was typed or is usual."""
    kind, _, place = origin(context, option).partition(" ")
    return place if kind in ("file", "environment") else ""


def _blamed(context: Any, command: TyperCommand, error: UsageError) -> BenchError:
    """The error with the line or the variable that the wrong word came from."""
    word = re.compile(rf"(?<![\w/-]){re.escape(error.named)}(?![\w/-])")
    suspects = []
    for flag, option in flags(command).items():
        value = context.params.get(option.name)
        texts = [str(one) for one in (value if isinstance(value, list) else [value])]
        named = error.named and any(map(word.search, texts))
        if named or str(error).startswith(f"--{flag} "):
            suspects.append(_place(context, option))
    # What was typed itself is in sight of whoever typed it.
    return UsageError(f"{suspects[0]}: {error}") if suspects and all(suspects) else error


def _configure(context: typer.Context, named: Path | None) -> None:
    """Eager, so that it comes before all other options: tells click what the file says."""
    if context.resilient_parsing or context.parent is None:
        return
    verb, group = str(context.info_name), context.parent.command
    verbs = options_of(group)
    _check_variables(verb, verbs[verb])
    context.meta[PLACES] = {}
    # `bench config` reads another verb's flags under the file that it was given itself.
    context.meta[NAMED] = named = named or context.meta.get(NAMED)
    file = find(named)
    if file is not None:
        found = defaults(file, verb, verbs)
        context.default_map = {name: value for name, (value, _) in found.items()}
        context.meta[PLACES] = {name: place for name, (_, place) in found.items()}


def _be_quiet(asked: bool) -> None:
    if asked:
        show(QUIET)


def _be_verbose(asked: bool) -> None:
    if asked:
        show(VERBOSE)


def options_of(group: Any) -> dict[str, Options]:
    """What a file may say of each verb."""
    if not isinstance(group, TyperGroup):
        return {}
    return {
        name: {flag: o for flag, o in flags(command).items() if flag not in NOT_IN_A_FILE}
        for name, command in group.commands.items()
    }


def _check_variables(verb: str, options: Options) -> None:
    """A variable that is meant for this verb and that no flag reads is an error."""
    known = {name for flag in [*options, "config"] for name in variables(verb, flag)}
    begins = tuple(name.removesuffix("_") + "_" for name in variables(verb, ""))
    for name in sorted(os.environ):
        if name.startswith(begins) and name not in known:
            hint = "(docs/configuration.md)"
            raise unknown("environment variable of this verb", name, known, hint)


ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        envvar="BENCH_CONFIG",
        is_eager=True,
        expose_value=False,
        callback=_configure,
        help="TOML file with values for flags. Default: bench.toml here, if there is one.",
    ),
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", expose_value=False, callback=_be_quiet, help="Say nothing but errors."
    ),
]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        expose_value=False,
        callback=_be_verbose,
        help="Say more: what the log of a run has, on stderr.",
    ),
]
COMMON: Mapping[str, tuple[Any, Any]] = {
    "config": (ConfigFile, None),
    "quiet": (Quiet, False),
    "verbose": (Verbose, False),
}
"""Options that every verb has, with their defaults."""


def common(function: Callable[..., Any]) -> Callable[..., Any]:
    """A verb's function with these options beside its own; it is not handed them."""
    own = inspect.signature(function, eval_str=True)
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=usual, annotation=hint)
        for name, (hint, usual) in COMMON.items()
    ]

    @wraps(function)
    def verb(**options: Any) -> Any:
        return function(**{k: v for k, v in options.items() if k not in COMMON})

    every = [*own.parameters.values(), *added]
    every = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in every]
    verb.__signature__ = own.replace(parameters=every)  # type: ignore[attr-defined]
    verb.__annotations__ = {one.name: one.annotation for one in every}
    return verb


def configurable(app: typer.Typer) -> None:
    """Makes every command registered so far such a verb."""
    for command in app.registered_commands:
        if command.callback is not None:
            command.cls, command.callback = Verb, common(command.callback)
