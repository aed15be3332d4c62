"""`entry.json`, field by field; docs/entries.md shows it as a table; figures.py has the figures.

Strict: a key too many, a number given as text or a missing field is refused. Raise SCHEMA when a
field changes its meaning; a reader of another number says so and reads nothing.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from bench.entries.fields import (
    Access,
    Count,
    Label,
    Link,
    Loose,
    Sha256,
    Share,
    Shown,
    Slug,
    Strict,
    Title,
    Version,
)
from bench.entries.figures import Figures, Utility
from bench.entries.gates import PermutationGate, SplitGate
from bench.specs import Augment, Pool, Sampling, Shadow, ShadowDefense, View

SCHEMA = 1
SCORES = "scores.npz"
DOCUMENT = "entry.json"
EMBEDDED = ("tiles", "scenes")
"""Data sets that anybody can open again by name."""
SEEDS = (0, 1, 2)
"""Seeds that an entry of a board has at least."""


class Plugin(Strict):
    """An attack, or one part of a defense, with what its source hash is made of."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,80}$")]
    label: Label
    params: dict[str, JsonValue]
    source: Sha256
    """As in the keys of the store: of the file, and of what it says that it reads."""
    file: Sha256
    reads: Annotated[list[Shown], Field(max_length=200)]
    """`name:sha256` of every other file that it reads."""
    shipped: bool
    text: Annotated[str, Field(max_length=200_000)] | None
    """The file itself where it is not shipped with the suite."""

    def identity(self) -> dict[str, Any]:
        """What of it is in a key."""
        return self.model_dump(include={"name", "params", "source"})


class Defense(Strict):
    """The defense: one part, or several that go together, in the order they act."""

    label: Label
    parts: Annotated[list[Plugin], Field(min_length=1, max_length=10)]

    def identity(self) -> dict[str, Any]:
        """As `Component.identity` gives it."""
        if len(self.parts) == 1:
            return self.parts[0].identity()
        name = "+".join(part.name for part in self.parts)
        return {"name": name, "parts": [part.identity() for part in self.parts]}


class Target(Strict):
    """The model that was attacked: what is the same for all seeds and attackers."""

    data: Annotated[str, Field(max_length=80)] | None
    """Name of an embedded data set, that anybody can open; None: somebody's own pictures."""
    data_label: Title
    data_identity: Sha256
    base_label: Title
    base_identity: Sha256
    resolution: Annotated[int, Field(ge=1, le=4096)]
    recipe: dict[str, JsonValue]
    augment: Augment
    defense: Defense
    at: Annotated[int, Field(ge=0, le=10**6)] | None
    """Epoch at which it was attacked; None: the end; 0: the base, never fine-tuned."""
    sampling: Sampling
    canaries: Annotated[int, Field(ge=0, le=10_000)]
    stage_versions: dict[str, Count]


class Attacker(Strict):
    """An attack with what the attacker knows."""

    label: Label
    attack: Plugin
    view: View
    replays: Annotated[int, Field(ge=1, le=10_000)]
    pool: Pool
    shadow: Shadow
    shadow_defense: ShadowDefense
    captioner_identity: Shown | None
    access: Access
    queries: Count
    """U-Net rows a pair asked of the target."""
    reference_queries: Count
    """U-Net rows a pair asked of the attacker's own reference."""


class Training(Loose):
    """The training's own figures, and what each part of the defense noted."""

    captions_changed: Share
    loss_by_epoch: Annotated[list[float], Field(max_length=100_000)]
    notes: dict[Shown, dict[str, JsonValue]]


class Outcome(Strict):
    """One attacker at one seed."""

    threshold: float
    threshold_from: Literal["shadow", "fixed"]
    """The attacker's shadow model, or a constant of the attack; never the target."""
    metrics: Figures
    base_control: Figures | None
    gates: Annotated[list[PermutationGate], Field(max_length=1)]
    """Those of this attacker alone."""


class Made(Loose):
    """What the model was trained on (for the base: measured on), and when."""

    device: Label | None = None


class Seed(Strict):
    """One training and what all attackers made of it, in the order of `attackers`."""

    seed: Count
    split: Sha256
    attackers: list[Outcome]
    utility: Utility
    inception_digest: Shown | None
    clip_digest: Shown | None
    training: Training | None
    """None for the base itself."""
    gates: Annotated[list[SplitGate], Field(max_length=3)]
    """Those that are the same for all attackers."""
    made: Made


class Provenance(Strict):
    """The code that wrote the entry; None where it is no checkout."""

    bench: Version
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40,64}$")] | None
    dirty: bool | None


class Document(Strict):
    """The whole of `entry.json`."""

    schema_version: Literal[1]
    name: Slug
    title: Shown
    licence: Shown
    paper: Link | None
    authors: Annotated[list[Shown], Field(max_length=50)]
    provisional: bool
    """Fewer seeds than a board asks for."""
    target: Target
    attackers: Annotated[list[Attacker], Field(min_length=1, max_length=200)]
    seeds: Annotated[list[Seed], Field(min_length=1, max_length=20)]
    provenance: Provenance
    files: dict[str, Sha256]
    digests: dict[str, Sha256]
