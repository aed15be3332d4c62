"""Are attacks and defense what they are called? Nothing that an entry brings is ever executed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from bench.entries.entry import Entry
from bench.entries.labels import KNOWN, attacker_label
from bench.entries.problems import AGAIN, shown
from bench.entries.schema import Attacker, Outcome, Plugin
from bench.errors import BenchError
from bench.parameters import label
from bench.plugins import Kind, combined_digest, shipped, source_digests
from bench.plugins import Plugin as Found
from bench.specs import STAGE_VERSIONS

Flaw = tuple[str, str, str]


def check(entry: Entry) -> Iterator[Flaw]:
    """Flaws of names, sources and labels."""
    wrong = []
    for where, kind, plugin in _all(entry):
        if flaw := _source(kind, plugin) or (plugin.shipped and _called(kind, plugin)):
            wrong.append(plugin)
            yield where, flaw, AGAIN
    if entry.about.target.stage_versions.keys() != STAGE_VERSIONS.keys():
        yield "target.stage_versions", "names other stages than this bench has", AGAIN
    defense = entry.about.target.defense
    if defense.label != "+".join(part.label for part in defense.parts):
        yield "target.defense.label", f"{shown(defense.label)} is not made of its parts", AGAIN
    for attacker in entry.about.attackers:
        if attacker.attack not in wrong and (flaw := _attacker(attacker, entry)):
            yield f"attacker {attacker.label}", flaw, AGAIN


def stale(entry: Entry) -> Iterator[Flaw]:
    """What was measured with other code than the suite has now: to be known, not wrong."""
    for where, kind, plugin in _all(entry):
        known = plugin.shipped and plugin.name in _shipped(kind)
        if known and not _current(kind, plugin):
            what = f"stale: {plugin.name} has been changed since"
            yield where, what, "run and submit again to have the current code measured"
    versions = entry.about.target.stage_versions
    if versions.keys() == STAGE_VERSIONS.keys() and versions != STAGE_VERSIONS:
        yield "target.stage_versions", "stale: stages compute otherwise now", "run again"


def _all(entry: Entry) -> Iterator[tuple[str, Kind, Plugin]]:
    for part in entry.about.target.defense.parts:
        yield f"defense {part.name}", "defense", part
    for attacker in entry.about.attackers:
        yield f"attacker {attacker.label}", "attack", attacker.attack


@cache
def _shipped(kind: Kind) -> dict[str, Found]:
    return {found.name: found for found in shipped(kind) if found.cls}


@cache
def _today(kind: Kind, name: str) -> tuple[str, list[str]]:
    found = _shipped(kind)[name]
    return source_digests(found.path, found.usable()())


def _current(kind: Kind, plugin: Plugin) -> bool:
    """Whether its file, and the files that it reads without being told, are today's."""
    file, reads = _today(kind, plugin.name)
    names = {one.rpartition(":")[0] for one in plugin.reads}
    usual = [one for one in reads if one.rpartition(":")[0] in names]
    return file == plugin.file and set(usual) <= set(plugin.reads)


def _source(kind: Kind, plugin: Plugin) -> str | None:
    if combined_digest(plugin.file, plugin.reads) != plugin.source:
        return "source is not the hash of file and reads"
    if plugin.shipped:
        if plugin.text is not None:
            return "a shipped plugin brings no text of its own"
        known = plugin.name in _shipped(kind)
        return None if known else f"no {kind} {shown(plugin.name)} is shipped"
    return _own(kind, plugin)


def _own(kind: Kind, plugin: Plugin) -> str | None:
    """One that is not shipped: it brings its text and cannot be taken for one that is."""
    if plugin.text is None:
        return "a plugin that is not shipped must bring its text"
    if plugin.name in _shipped(kind):
        return f"{shown(plugin.name)} is the name of a shipped {kind}; call yours otherwise"
    if not re.fullmatch(re.escape(plugin.name) + r"([-\[].*)?", plugin.label):
        return f"is labelled {shown(plugin.label)}, which does not begin with its name"
    digest = hashlib.sha256(plugin.text.encode()).hexdigest()
    return None if digest == plugin.file else "text is not what file is the hash of"


def _called(kind: Kind, plugin: Plugin) -> str | None:
    """A shipped plugin is called as its parameters say."""
    try:
        made = _made(kind, plugin)
    except ValueError:
        return f"params are not those of the shipped {plugin.name}"
    if made is None:
        return None if plugin.label.startswith(plugin.name) else f"is labelled {plugin.label}"
    due = label(plugin.name, made)
    return None if plugin.label == due else f"is labelled {shown(plugin.label)}, not {shown(due)}"


def _made(kind: Kind, plugin: Plugin) -> Any:
    """The shipped plugin with these parameters, to be asked for its name and cost only.

    As it is today: what was measured with earlier code is called and costs the same, or is to be
    measured again. None where it reads a file of its author's. ValueError for parameters that it
    does not take.
    """
    from pydantic import TypeAdapter

    found = _shipped(kind)[plugin.name]
    if set(plugin.params) != {name for name, _, _ in found.params()}:
        raise ValueError(plugin.name)
    try:
        return TypeAdapter(found.usable()).validate_python(plugin.params)
    except BenchError:
        return None


def _attacker(attacker: Attacker, entry: Entry) -> str | None:
    due = attacker_label(attacker.attack.label, **attacker.model_dump(include={*KNOWN}))
    if attacker.label != due:
        return f"knows what would call it {shown(due)}"
    if (attacker.captioner_identity is None) == (attacker.view == "pseudo"):
        return "captioner_identity belongs to the view pseudo alone"
    if attacker.replays > 1 and attacker.view != "defended":
        return "replays belong to the view defended alone"
    made = _made("attack", attacker.attack) if attacker.attack.shipped else None
    return None if made is None else _costs(attacker, entry, made)


def _costs(attacker: Attacker, entry: Entry, made: Any) -> str | None:
    """Access, queries and threshold of a shipped attack are those that it states."""
    if attacker.access != made.access:
        return f"access is {attacker.access}, of the shipped attack {made.access}"
    most = made.queries and made.queries * attacker.replays
    if most is not None and not 0 < attacker.queries <= most:
        return f"{attacker.queries} queries, of the shipped attack {most}"
    if bool(attacker.reference_queries) != made.reads_reference:
        return f"{attacker.reference_queries} queries of a reference do not go with its parameters"
    return _threshold(made.threshold, [entry.outcome(attacker.label, s) for s in entry.seeds])


def _threshold(fixed: float | None, outcomes: Sequence[Outcome]) -> str | None:
    """A constant of the attack is that constant; else it was found on the shadow."""
    due = "shadow" if fixed is None else "fixed"
    for outcome in outcomes:
        if outcome.threshold_from != due or (fixed is not None and outcome.threshold != fixed):
            return (
                f"threshold {outcome.threshold:g} is told to be {outcome.threshold_from}, not {due}"
            )
    return None
