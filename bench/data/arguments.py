"""`kind:PATH,key=value,...`: what was typed after `--data`, taken apart and put together again."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple

from bench.errors import UsageError, unknown
from bench.paths import expanded

OPTION = re.compile(r",(?P<key>[A-Za-z_]\w*)=")


class Argument(NamedTuple):
    """A kind of source, where it lies, and its options."""

    kind: str
    place: str
    options: Mapping[str, str]

    def __str__(self) -> str:
        said = [f"{key}={value}" for key, value in self.options.items()]
        return ":".join(filter(None, [self.kind, ",".join(filter(None, [self.place, *said]))]))

    def number(self, key: str) -> int | None:
        """A whole number above zero, where it was given."""
        text = self.options.get(key)
        if text is None:
            return None
        if not (text.isascii() and text.isdigit()) or not int(text):
            raise UsageError(f"{self.kind}: '{key}' must be a whole number, not '{text}'")
        return int(text)

    def choice(self, key: str, known: Collection[str], default: str) -> str:
        """One of a few words."""
        word = self.options.get(key, default)
        if word not in known:
            raise unknown(f"value of '{key}' for data set '{self.kind}'", word, known)
        return word


def parse(spec: str, options: Mapping[str, Collection[str]]) -> Argument:
    """The argument in these words; `options` are those that each kind knows.

    Read from the right, as long as there are options: a path may hold commas.
    """
    kind, _, place = spec.partition(":")
    known = options.get(kind, ())
    found: dict[str, str] = {}
    while option := _last(place, known):
        key, place = option["key"], place[: option.start()]
        if key in found:
            raise UsageError(f"data set '{kind}': '{key}' is given twice")
        found[key] = option["value"]
    strange = OPTION.search(place)
    if strange and not expanded(place).exists():
        raise unknown(f"option of data set '{kind}'", strange["key"], known)
    return Argument(kind, place, dict(reversed(found.items())))


def _last(place: str, known: Collection[str]) -> re.Match[str] | None:
    """The option at the end; only the folder of `images` may hold commas itself."""
    if not known:
        return None
    plain = re.search(rf"(?:^|,)(?P<key>{'|'.join(known)})=(?P<value>[^,]*)$", place)
    return (
        plain
        or ("images" in known and re.search(r",(?P<key>images)=(?P<value>.*)$", place))
        or None
    )
