"""What does not hold in an entry: where, what, and what to do about it, in one line."""

from __future__ import annotations

from typing import NamedTuple

from bench.errors import ValidationError

AGAIN = "write it again with `bench submit`"


class Problem(NamedTuple):
    """One line of `bench validate`."""

    entry: str
    where: str
    what: str
    todo: str

    def __str__(self) -> str:
        return f"{self.entry}: {self.where}: {self.what}; {self.todo}"


class EntryError(ValidationError):
    """An entry that cannot be read; the problems say why."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(str(problems[0]))
        self.problems = problems


class FlawError(Exception):
    """A problem in the making: the one who catches it knows the entry's name."""

    def __init__(self, where: str, what: str, todo: str = AGAIN) -> None:
        super().__init__(where, what, todo)
        self.told = (where, what, todo)


def plain(name: str) -> str:
    """A foreign name as it is, or quoted where it holds signs that are not seen."""
    return name if name.isprintable() else shown(name)


def shown(text: object, most: int = 60) -> str:
    """Foreign text quoted so that it cannot leave its line: escapes for all that is not ASCII."""
    quoted = ascii(text)
    return quoted if len(quoted) <= most else f"{quoted[:most]}..."
