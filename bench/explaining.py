"""What went into the key of a stored stage, and in what two stages differ."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.store import Store

ABSENT = "(none)"


def find_key(store: Store, begun: str) -> tuple[str, str]:
    """(kind, key) of the stored stage whose key begins so; UsageError unless it is just one."""
    found = sorted(_stored(store, begun)) if begun.isalnum() else []
    if len(found) == 1:
        return found[0].parent.name, found[0].name
    if found:
        names = ", ".join(f"{place.parent.name} {place.name[:12]}" for place in found[:4])
        raise UsageError(f"{len(found)} stages in {store.root} begin with {begun}: {names}; "
                         "write more of the key")  # fmt: skip
    raise UsageError(
        f"no stored stage in {store.root} begins with '{begun}'; `bench plan` and the log of a run "
        "show keys, --store names another store"
    )


def facts(store: Store, kind: str, key: str) -> dict[str, Any]:
    """What the key is a hash of, flat: `params.recipe.epochs` -> 80, inputs by kind and key."""
    record = store.finished(kind, key)
    if record is None:
        raise UsageError(f"{kind} {key[:12]} in {store.root} is corrupt; run its command again")
    spec = record["spec"]
    inputs = {role: _name(store, below) for role, below in spec["inputs"].items()}
    return {
        "kind": spec["kind"],
        "version": spec["version"],
        **_flat("params", spec["params"]),
        **_flat("inputs", inputs),
    }


def circumstances(store: Store, kind: str, key: str) -> dict[str, Any]:
    """When, on what and how long it was computed: in no key."""
    record = store.finished(kind, key)
    return _flat("made", record["made"]) if record else {}


def difference(store: Store, one: tuple[str, str], other: tuple[str, str]) -> list[dict[str, Any]]:
    """Where two stages differ, down to the stages they read: `inputs.split: params.seed`."""
    found: dict[str, dict[str, Any]] = {}
    _differ(store, one, other, "", found, set())
    return list(found.values())


def _differ(
    store: Store,
    one: tuple[str, str],
    other: tuple[str, str],
    place: str,
    found: dict[str, dict[str, Any]],
    seen: set[tuple[str, str]],
) -> None:
    if one == other or (one[1], other[1]) in seen:
        return
    seen.add((one[1], other[1]))
    ours, theirs = facts(store, *one), facts(store, *other)
    below = (_inputs(store, one), _inputs(store, other))
    for name in [*ours, *(name for name in theirs if name not in ours)]:
        mine, yours = ours.get(name, ABSENT), theirs.get(name, ABSENT)
        if mine == yours:
            continue
        role = name.removeprefix("inputs.")
        if name.startswith("inputs.") and all(role in inputs for inputs in below):
            _differ(store, below[0][role], below[1][role], f"{place}{name}: ", found, seen)
        else:
            found[place + name] = {"what": place + name, "first": mine, "second": yours}


def _inputs(store: Store, stage: tuple[str, str]) -> dict[str, tuple[str, str]]:
    """Inputs by role that are stored still, each as (kind, key)."""
    record = store.finished(*stage)
    below = record["spec"]["inputs"] if record else {}
    places = {role: next(iter(_stored(store, key)), None) for role, key in below.items()}
    return {role: (place.parent.name, place.name) for role, place in places.items() if place}


def _stored(store: Store, begun: str) -> list[Path]:
    return [path.parent for path in (store.root / "stages").glob(f"*/{begun}*/record.json")]


def _name(store: Store, key: str) -> str:
    place = next(iter(_stored(store, key)), None)
    return f"{place.parent.name} {key[:12]}" if place else f"{key[:12]} (not stored)"


def _flat(name: str, value: Any) -> dict[str, Any]:
    """Nested tables as dotted names; of a hash the beginning is enough to compare."""
    if isinstance(value, Mapping):
        below = (_flat(f"{name}.{key}", one) for key, one in value.items())
        return {k: v for one in below for k, v in one.items()}
    return {name: value}
