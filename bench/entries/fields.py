"""Kinds of fields that an entry is made of."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

NAMED = re.compile(r"[A-Za-z0-9 _.,:;=+\-/()\[\]'%~]+")


def _named(text: str) -> str:
    if not NAMED.fullmatch(text) or text != text.strip() or "](" in text or "//" in text:
        raise ValueError("is no plain name of ASCII letters, digits and _.,:;=+-/()[]'%")
    return text


Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,79}$")]
Shown = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^<>&|`]*$")]
"""Text that boards print: nothing that HTML or a Markdown table would read as its own."""
Label = Annotated[str, Field(min_length=1, max_length=160), AfterValidator(_named)]
"""What boards call something: besides, nothing that looks like another name or makes a link."""
Title = Annotated[Label, Field(max_length=60)]
"""A label that file names are made of."""
Version = Annotated[str, Field(pattern=r"^[0-9A-Za-z.+!_-]{1,40}$")]
Link = Annotated[str, Field(max_length=300, pattern=r"^https?://[^\s<>&|`\"'()]+$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0, le=10**9)]
Share = Annotated[float, Field(ge=0, le=1)]
Access = Literal["black", "grey", "white"]


class Strict(BaseModel):
    """A part of an entry."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Loose(Strict):
    """A part that may say more than is documented, in plain JSON."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, JsonValue]
