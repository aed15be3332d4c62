"""What `--format json` prints for each verb, as types that give JSON Schemas (`bench schema`).

Names and types that stand here stay; rows may have further columns, each a plain value.
"""

from __future__ import annotations

from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Scalar = str | float | bool | None
Plain = Scalar | list[str]


class Exact(BaseModel):
    """Just these fields."""

    model_config = ConfigDict(extra="forbid")


class Line(BaseModel):
    """A record: the fields that are told here, and further columns with plain values."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Scalar]


R = TypeVar("R", bound=BaseModel)


class Answer(Exact, Generic[R]):
    """What a verb prints: records, and what an honest reader needs beside them."""

    rows: list[R]
    notes: list[str]


class RunRow(Line):
    """One (data, base, recipe, defense, attack, checkpoint) over its seeds; shares, not percent.

    A figure NAME comes with NAME_low, NAME_high (95 % interval) and NAME_seed_sd.
    """

    data: str
    base: str
    recipe: str
    augment: str
    defense: str
    attack: str
    epoch: int
    seeds: str = Field(description="with blanks between")
    members: int
    holdouts: int
    view: str
    queries: int = Field(description="U-Net rows a pair, of the target")
    auc: float | None
    auc_low: float | None
    auc_high: float | None
    asr: float | None = Field(description="with the threshold of the attacker's own shadow")
    tpr_at_1fpr: float | None = Field(description="null below 437 pairs a class")
    base_auc: float | None = Field(description="the same attack on the base: must hold 0.5")
    kid_effnet: float | None
    held_out_loss: float | None
    gates_failed: str = Field(description="empty: the figures mean what they say")
    board: bool = Field(description="whether its recipe may be ranked")


class PlanRow(Exact):
    """One stage."""

    stage: str
    what: str
    state: Literal["cached", "todo", "unneeded"] = Field(
        description="unneeded: not stored, but all that reads it is"
    )
    about: str = Field(description="how long it will take; empty unless it is to be done")
    key: str = Field(description="the beginning of its key, for `bench why`")


class Listed(Line):
    """One thing of a kind; runs have their id as `run` in place of a name."""

    name: str | None = None
    run: str | None = None


class Param(Exact):
    """One parameter of an attack or a defense."""

    name: str
    type: str
    default: Any


class Card(Exact):
    """An attack, a defense, a recipe or a data card."""

    name: str
    kind: Literal["attack", "defense", "recipe", "data"]
    about: dict[str, Any]
    params: list[Param] = Field(description="empty for recipes and data")


class Setting(Exact):
    """One flag of a verb."""

    flag: str
    value: Plain
    origin: str | None = Field(None, description="with --show-origin")


class StatusRow(Exact):
    """An unfinished run."""

    run: str
    state: Literal["running", "stopped", "finished"]
    rows: str = Field(description="done/all")
    stages: str | None = Field(description="done/all; null where they cannot be told")
    minutes_left: float | None
    now: str | None = Field(description="what is being computed, and how far it is")
    failed: str | None = Field(description="errors since it was last started")
    problem: str | None = Field(description="why its stages cannot be told any more")


class Fact(Exact):
    """Something that went into a key, or a circumstance under `made`."""

    what: str
    value: Any


class Difference(Exact):
    """Where two keys differ."""

    what: str
    first: Any
    second: Any


class Garbage(Exact):
    """What may go, or is gone with --yes."""

    what: Literal["run", "stage", "record", "work", "aside", "cache", "log"]
    size_mb: float
    why: str
    path: str = Field(description="below the store")


class Packed(Exact):
    """What of a kind of stage is in an archive."""

    kind: str
    whole: int = Field(description="stages with their artefacts")
    records: int = Field(description="stages of which only the record is there")
    size_mb: float


class Taken(Exact):
    """A piece of an archive, and what became of it."""

    what: Literal["stage", "record", "run"]
    kind: str
    key: str = Field(description="of a run its id")
    state: Literal["taken", "there", "refused"]
    why: str | None = Field(description="it was refused")


class Verdict(Exact):
    """A problem or a note of an entry, or that it is fine."""

    entry: str
    level: Literal["problem", "note", "fine"]
    where: str | None
    what: str | None
    todo: str | None


class Environment(Exact):
    """A line of a bug report."""

    what: str
    value: str


class Repeated(Line):
    """A row of a table or figure of the paper, repeated; or, without a name, one that there is."""

    experiment: str | None = None
    setting: str | None = None
    order: Literal["agrees", "not told apart", "disagrees"] | None = Field(
        None, description="whether the AUCs of its setting are in the paper's order"
    )


class Found(Line):
    """A row of a table of a report."""

    part: str
    section: str
    table: str


class Audit(Exact):
    """The verdict on a model that somebody else trained."""

    verdict: dict[str, Any]
    rows: list[Line]
    notes: list[str]
    about: dict[str, Any]


class Written(Exact):
    """A file of a new plugin."""

    file: str


class Checked(Exact):
    """One check of the contract."""

    kind: Literal["attack", "defense"]
    check: str
    state: Literal["ok", "failed", "not applicable"]
    said: str = Field(description="what to do, or why it does not apply; empty where it is ok")


class Entry(Exact):
    """An entry that was written and holds."""

    entry: str
    path: str


class Fetched(Exact):
    """One thing that is known of a base or a data set."""

    what: Literal["base", "data"]
    field: str
    found: str


SCHEMAS: dict[str, type[BaseModel]] = {
    "run": Answer[RunRow],
    "resume": Answer[RunRow],
    "plan": Answer[PlanRow],
    "audit": Audit,
    "leaderboard": Answer[Line],
    "compare": Answer[Line],
    "reproduce": Answer[Repeated],
    "report": Answer[Found],
    "validate": Answer[Verdict],
    "list": Answer[Listed],
    "show": Answer[Card],
    "config": Answer[Setting],
    "status": Answer[StatusRow],
    "why": Answer[Fact | Difference],
    "gc": Answer[Garbage],
    "export": Answer[Packed],
    "import": Answer[Taken],
    "doctor": Answer[Environment],
    "new": Answer[Written],
    "test": Answer[Checked],
    "submit": Answer[Entry | Verdict],
    "fetch": Answer[Fetched],
}
"""By verb; `why KEY OTHER` has differences, `why KEY` facts."""


def schema(verb: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of what a verb prints."""
    made = SCHEMAS[verb].model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **made,
        "title": f"bench {verb} --format json",
    }
