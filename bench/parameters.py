"""Parameters of a plugin: `a=1,b=(2,3)` as text, typed values in an object, and back to a label."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from bench.errors import UsageError, unknown

PARAM = re.compile(r"""(?:=\s*'[^']*'(?=\s*(?:,|$))|=\s*"[^"]*"(?=\s*(?:,|$))|\([^()]*\)|[^,])+""")
"""One `param=value`: a comma within parentheses, or in a value in quotes, ends none."""


def split_params(inside: str | None) -> list[str]:
    """`a=1,b=(2,3)` as `a=1` and `b=(2,3)`; what is empty is left out."""
    return [part.strip() for part in PARAM.findall(inside or "") if part.strip()]


def quoted(value: str) -> str | None:
    """What stands within quotes around the whole of a value; None without quotes."""
    value = value.strip()
    marked = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if marked else None


def parse(what: str, inside: str | None) -> dict[str, str | list[str]]:
    """`a=1,b=(2,3)` as texts by name; the types come later, from the class."""
    given: dict[str, str | list[str]] = {}
    for part in split_params(inside):
        key, equals, value = (s.strip() for s in part.partition("="))
        if not equals or not key:
            raise UsageError(f"cannot read '{part}' in {what}; write param=value")
        if key in given:
            raise UsageError(f"parameter '{key}' is given twice in {what}; leave one out")
        several = value.startswith("(") and value.endswith(")")
        literal = quoted(value)
        if literal is not None:
            given[key] = literal
        else:
            given[key] = [v.strip() for v in value[1:-1].split(",")] if several else value
    return given


def parameters(cls: type[Any]) -> list[tuple[str, str, Any]]:
    """(name, type, default) of every parameter, as written in the source."""
    usual = cls()
    return [(f.name, _type_name(f.type), getattr(usual, f.name)) for f in dataclasses.fields(cls)]


def make(kind: str, name: str, cls: type[Any], given: Mapping[str, Any]) -> Any:
    """The object with typed parameters, presets and defaults filled in."""
    from pydantic import TypeAdapter, ValidationError

    fields = [field for field, _, _ in parameters(cls)]
    given = _with_preset(name, cls, given)
    for key in given:
        if key not in fields:
            raise unknown(f"parameter of {name}", key, fields)
    try:
        return TypeAdapter(cls).validate_python(given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        if not where:  # said by the class itself, of several parameters together
            said = first["msg"].removeprefix("Value error, ")
            raise UsageError(f"{kind} {name}: {said}") from None
        said = f"{first['msg']}, got {first['input']!r}"
        if first["type"] in ("tuple_type", "list_type"):
            said += f"; write {where}=(1,2)"
        raise UsageError(
            f"{kind} {name}: parameter '{where}': {said} (`bench show {name}` has its parameters)"
        ) from None
    except UsageError:
        raise
    except Exception as error:  # noqa: BLE001 - a plugin's own check may raise anything
        raise UsageError(f"{kind} {name}: {told(error)}") from None


def _with_preset(name: str, cls: type[Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """`preset=name` as the parameters it stands for; those given beside it win."""
    rest, presets = dict(given), getattr(cls, "presets", {})
    preset = rest.pop("preset", None) if presets else None
    if preset is None:
        return rest
    if not isinstance(preset, str) or preset not in presets:
        raise unknown(f"preset of {name}", str(preset), presets)
    return {**presets[preset], **rest}


def label(name: str, made: Any) -> str:
    """`name[param=value]` with the parameters that differ from their defaults."""
    params = {field: (getattr(made, field), usual) for field, _, usual in parameters(type(made))}
    changed = {field: value for field, (value, usual) in params.items() if value != usual}
    odd = [f"{field}={value}" for field, value in changed.items()]
    for preset, meant in getattr(made, "presets", {}).items():
        if changed and changed == meant:
            odd = [f"preset={preset}"]
    return getattr(made, "title", name) + (f"[{','.join(odd)}]" if odd else "")


def told(error: BaseException) -> str:
    """An exception in one line."""
    return f"{type(error).__name__}: {(str(error) or 'no message').splitlines()[0]}"


def _type_name(hint: Any) -> str:
    """The type as it is written in the source."""
    return hint if isinstance(hint, str) else getattr(hint, "__name__", str(hint))
