"""Several at once: `del[rate=0.1|0.3]` is two defenses, and `--set del.rate=0.2` sets from outside.

A bar separates values; over several parameters, and over defenses joined by `+`, every combination
is meant. A value in quotes is taken as it stands, bars and commas too: `reph[path='a|b.jsonl']`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import product

from bench.errors import UsageError, unknown
from bench.parameters import quoted, split_params

BAR = re.compile(r"\|(?![^()]*\))")
CALL = re.compile(r"(?P<name>[^\[\]]+)(?:\[(?P<params>.*)\])?")

Sets = Mapping[str, Mapping[str, str]]
"""Texts of values by component and parameter."""


def swept(parts: Sequence[str]) -> list[str]:
    """The components that a text stands for, given as its joined parts."""
    return ["+".join(one) for one in product(*map(_swept_part, parts))]


def _swept_part(text: str) -> list[str]:
    match = CALL.fullmatch(text.strip())
    if match is None or not match["params"]:
        return [text]
    choices = []
    for part in split_params(match["params"]):
        key, equals, value = part.partition("=")
        values = [value] if quoted(value) is not None else BAR.split(value)
        if "" in map(str.strip, values) and len(values) > 1:
            raise UsageError(
                f"'{part.strip()}' in '{text}' has an empty value; write param=value|value, or "
                "quotes around a value with a bar in it"
            )
        choices.append([f"{key}{equals}{one}" for one in values])
    return [f"{match['name']}[{','.join(one)}]" for one in product(*choices)]


def read_sets(texts: Sequence[str]) -> dict[str, dict[str, str]]:
    """`COMPONENT.PARAM=VALUE` by component and parameter; UsageError for what is not so."""
    sets: dict[str, dict[str, str]] = {}
    for text in texts:
        place, equals, value = text.partition("=")
        name, dot, param = (one.strip() for one in place.rpartition("."))
        if not (equals and dot and name and param):
            raise UsageError(f"cannot read --set {text}; write COMPONENT.PARAM=VALUE")
        if param in sets.setdefault(name, {}):
            raise UsageError(f"--set {name}.{param} is given twice; leave one out")
        sets[name][param] = value.strip()
    return sets


def apply_sets(parts: Sequence[str], sets: Sets) -> list[str]:
    """The joined parts of a component with the values that were set beside it."""
    return [_with_sets(part, sets) for part in parts]


def named(part: str) -> str:
    """What --set calls one part: its name, of `./file.py:Name` the last, of `./file.py` file."""
    match = CALL.fullmatch(part.strip())
    name = match["name"].strip() if match else part.strip()
    path, python, within = name.partition(".py")
    return (within.removeprefix(":") or path.rpartition("/")[2]) if python else name


def check_sets(sets: Sets, names: Sequence[str]) -> None:
    """UsageError if a value is set for what is not among the components asked for."""
    for name in sets:
        if name not in names:
            raise unknown("attack or defense of this command", name, names, "(--set)")


def _with_sets(part: str, sets: Sets) -> str:
    name = named(part)
    if not (given := sets.get(name)):
        return part
    match = CALL.fullmatch(part.strip())
    place, inside = match.groups() if match else (part, "")
    params = split_params(inside)
    for param in params:
        if (key := param.partition("=")[0].strip()) in given:
            raise UsageError(
                f"'{key}' of {name} is given in brackets and by --set {name}.{key}; leave one out"
            )
    return f"{place}[{','.join([*params, *(f'{k}={v}' for k, v in given.items())])}]"
