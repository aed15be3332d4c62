"""What an archive says it holds, in its first member: nothing else in it is read.

manifest.json
stages/<kind>/<key>/<file>     record.json and the artefacts of a stage
records/<kind>/<key>.json      the record alone of a stage whose artefacts stayed where they were
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from bench.errors import ValidationError as WrongError
from bench.records import plain_name
from bench.specs import OTHER_VERSIONS, STAGE_VERSIONS, Frozen

NAME = "manifest.json"
MOST = 64 << 20
"""Bytes of a manifest: one of 100,000 stages has a third of it."""
KINDS = {*STAGE_VERSIONS, *OTHER_VERSIONS}

Key = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Size = Annotated[int, Field(ge=0, lt=1 << 50)]


class Whole(Frozen):
    """A stage with its artefacts: sizes in bytes by name, `record.json` among them."""

    kind: str
    key: Key
    files: dict[str, Size]

    @model_validator(mode="after")
    def _names(self) -> Whole:
        if self.kind not in KINDS:
            raise ValueError(f"a stage of kind {self.kind[:40]!r}, which this version has not")
        if wrong := [name for name in self.files if not plain_name(name)]:
            raise ValueError(f"an artefact named {wrong[0][:80]!r}")
        if "record.json" not in self.files:
            raise ValueError(f"{self.kind} {self.key[:12]} without a record")
        return self

    def member(self, name: str) -> str:
        return f"stages/{self.kind}/{self.key}/{name}"


class Alone(Frozen):
    """The record of a stage without its artefacts."""

    kind: str
    key: Key
    size: Size

    @model_validator(mode="after")
    def _known(self) -> Alone:
        if self.kind not in KINDS:
            raise ValueError(f"a record of kind {self.kind[:40]!r}, which this version has not")
        return self

    @property
    def member(self) -> str:
        return f"records/{self.kind}/{self.key}.json"


class Manifest(Frozen):
    """All that an archive holds."""

    format: Literal[1] = 1
    bench: str
    """Version that packed it."""
    what: Literal["rows", "all"]
    runs: dict[str, Any]
    """Notes of runs by id, as they stand in a store."""
    stages: list[Whole]
    records: list[Alone]

    @model_validator(mode="after")
    def _once(self) -> Manifest:
        keys = [one.key for one in self.stages] + [one.key for one in self.records]
        if len(keys) != len(set(keys)):
            raise ValueError("a stage that is named twice")
        return self

    def sizes(self) -> dict[str, int]:
        """Of every member but the manifest, by its name."""
        files = {one.member(name): n for one in self.stages for name, n in one.files.items()}
        return files | {one.member: one.size for one in self.records}


def parse(text: bytes) -> Manifest:
    """ValidationError in a few words where it is none."""
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        where = ".".join(map(str, wrong["loc"]))[:120]
        if where == "format":
            raise WrongError(
                "packed in another format than this version of bench reads (1); update bench"
            ) from None
        said = wrong["msg"].removeprefix("Value error, ")
        raise WrongError(f"its manifest does not hold: {where or 'it has'}: {said}") from None
