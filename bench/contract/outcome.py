"""How one check of the contract ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from bench.parameters import told

State = Literal["ok", "failed", "not applicable"]
Subject = TypeVar("Subject")


class BrokenError(Exception):
    """What does not hold, and what to do about it."""


class NotApplicableError(Exception):
    """Why a check says nothing of this plugin."""


@dataclass(frozen=True)
class Outcome:
    """One check by name, how it ended, and what there is to say."""

    check: str
    state: State
    said: str = ""

    def __str__(self) -> str:
        return f"{self.state:14} {self.check}" + (f": {self.said}" if self.said else "")


Check = tuple[str, Callable[[Subject], None]]


def run(checks: Sequence[Check[Subject]], subject: Subject) -> Iterator[Outcome]:
    """Each check once, in order; whatever a plugin raises is told as a failure."""
    for name, check in checks:
        try:
            check(subject)
        except KeyboardInterrupt:
            raise
        except BrokenError as error:
            yield Outcome(name, "failed", str(error))
        except NotApplicableError as error:
            yield Outcome(name, "not applicable", str(error))
        except BaseException as error:  # noqa: BLE001 - a plugin may raise anything, SystemExit too
            yield Outcome(name, "failed", f"it raised {told(error)}")
        else:
            yield Outcome(name, "ok")
