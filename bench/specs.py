"""What a run asks for, frozen, and the keys that name its results.

A stage's key is the hash of everything that can change its result: its kind and that kind's
version, its parameters with defaults filled in, and the keys of the stages it reads. Where things
lie (paths) and what it ran on (hardware, time) are recorded beside the key, never in it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)

FOLDS = 2
"""Halves of the shadow's pairs between which references are cross-fitted."""
SHARD_ROLE = "shard_"
"""Begins the roles of the shards that a stage joins."""
SAMPLES_ROLE = "samples"
"""The role of a model's samples; begins those of their shards."""
STAGE_VERSIONS = {
    "split": 2,
    "blind": 1,
    "duplicates": 1,
    "train": 2,
    "captions": 1,
    "reference": 2,
    "features": 3,
    "scores": 2,
    "samples": 1,
    "real": 1,
    "utility": 2,
    "metrics": 3,
}
"""Raised by hand when the code of a kind of stage changes what it computes."""
OTHER_VERSIONS = {"adopt": 2, "truncated": 1}
"""The same for kinds that no row of a board stands on; rows and entries name the versions above."""
ON_DEVICE = {"train", "features", "reference", "captions", "samples", "real", "utility",
             "truncated", "adopt"}  # fmt: skip
"""Kinds whose models run on an accelerator where there is one; the others are numbers only."""

Augment = Literal["default", "none", "center", "script", "strong"]
View = Literal["original", "defended", "pseudo"]
Shadow = Literal["disjoint", "resplit"]
Pool = Literal["mean", "max"]
ShadowDefense = Literal["none", "same"]
Precision = Literal["fp32", "bf16", "fp16"]
Sampler = Literal["ddim", "dpm++"]
Parts = dict[str, str]
"""By part of a split: the data set it is, as it was typed, or that data set's identity."""


class Frozen(BaseModel):
    """A specification: immutable, and a key it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Component(Frozen):
    """An attack or a defense by name, with all its parameters and the hash of its source."""

    name: str
    params: dict[str, Any] = Field(default_factory=dict)
    source: str
    path: str
    """File that defines it; where to look, not part of any key."""
    label: str
    """`name[param=value]` with the parameters that differ from their defaults."""

    reference: str | None = None
    """The model that a reference-calibrated attack compares with; also among `params`."""
    parts: tuple[Component, ...] = ()
    """Of a defense made of several: each of them, in the order they act."""

    def identity(self) -> dict[str, Any]:
        """What of it is in a key."""
        if self.parts:
            return {"name": self.name, "parts": [part.identity() for part in self.parts]}
        return {"name": self.name, "params": self.params, "source": self.source}

    def paths(self) -> list[str]:
        """Files that define it, one a part."""
        return [part.path for part in self.parts or (self,)]


class Sampling(Frozen):
    """How pictures are generated for utility; shared by all defenses."""

    n: int = Field(350, ge=2, description="prompts, one picture each")
    steps: int = Field(25, ge=1, description="steps of the sampler")
    guidance: float = Field(3.0, ge=1.0, description="classifier-free guidance scale")
    sampler: Sampler = Field("ddim", description="DDIM, or DPM-Solver++ (2M)")

    @model_serializer(mode="wrap")
    def _plain(self, fields: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without the sampler where it is the usual one: so keys are what they were before it."""
        plain: dict[str, Any] = fields(self)
        if self.sampler == "ddim":
            plain.pop("sampler", None)
        return plain


class Adopted(Frozen):
    """A model that somebody else trained."""

    path: str
    """File or folder; where to look, not part of any key."""
    label: str
    form: Literal["pipeline", "unet", "weights", "peft", "lora"]
    identity: str


class Audited(Frozen):
    """What an audit is given in place of a target and a split of ours."""

    target: Adopted
    shadow: Adopted | None = None
    """The attacker's own model, where somebody trained it."""
    trains_shadow: bool = False
    """Whether it is trained here, on one half of the auxiliary pairs."""
    knows_base: bool
    """Whether the base is what the target was fine-tuned from, not just its own other parts."""
    parts: Parts
    """Identities of the data sets."""

    @property
    def has_shadow(self) -> bool:
        return self.trains_shadow or self.shadow is not None


class Cell(Frozen):
    """One row: what is attacked, by what, and what the attacker knows."""

    data: str | Parts
    """As it was typed; a worker opens it again by this name. Of an audit: by part."""
    data_label: str
    data_identity: str
    base: str
    """Folder of the base; where to look, not part of any key."""
    base_label: str
    base_identity: str
    variant: str | None = None
    """Which of the base's weights are read, as `fp16`; where to look, not part of any key."""
    resolution: int
    """Side in pixels of the pictures that the base reads."""
    recipe: dict[str, Any]
    defense: Component
    augment: Augment = "default"
    attack: Component
    view: View = "original"
    """The captions that the attacker queries with."""
    replays: int = Field(1, ge=1)
    """Under the view `defended`: how often the attacker replays the defense for each pair."""
    pool: Pool = "mean"
    """What is made of a pair's scores over the replays."""
    shadow_defense: ShadowDefense = "none"
    """Whether the attacker's own models are trained under the target's defense."""
    captioner: str | None = None
    """Where the captions of the view `pseudo` come from; where to look, not part of any key."""
    captioner_identity: str | None = None
    shadow: Shadow = "disjoint"
    """Whether the shadow's pairs are disjoint from the target's or dealt from the same ones."""
    canaries: int = Field(0, ge=0)
    """Mislabelled pairs beside the data, half of them trained on by the target."""
    precision: Precision = "fp32"
    """What the U-Net computes in when an attack asks it; fp32 is in no key."""
    asked: int = Field(0, ge=0)
    """Pairs, at most, that an attack asks the target or the shadow about, canaries aside; large
    sets are asked in shards. No figure depends on it."""
    seed: int = 0
    at: int | None = None
    """Epoch at which the target is attacked; None: the end; 0: the base, never fine-tuned."""
    sampling: Sampling = Field(default_factory=Sampling)
    inception: str | None = None
    """Path of the Inception-2015 weights, for FID proper; where to look, not part of any key."""
    inception_digest: str | None = None
    clip: str | None = None
    """Folder of the CLIP that scores alignment; where to look, not part of any key."""
    clip_digest: str | None = None
    audited: Audited | None = None
    """Of an audit: the model and the parts that were given."""

    def card(self) -> dict[str, Any]:
        """What a board must know of the cell: everything but where things lie."""
        apart = {"data", "base", "variant", "inception", "clip", "captioner", "asked", "audited"}
        # Field by field, which takes a tenth of a dump: a plan may hold ten thousand cells.
        card = {name: getattr(self, name) for name in type(self).model_fields if name not in apart}
        card["sampling"] = self.sampling.model_dump(mode="json")
        if self.precision == "fp32":
            del card["precision"]
        if self.audited is not None:
            paths = {"target": {"path"}, "shadow": {"path"}}
            card["audited"] = self.audited.model_dump(mode="json", exclude=paths)
        for name, component in (("defense", self.defense), ("attack", self.attack)):
            card[name] = component.identity() | {"label": component.label}
        card["stage_versions"] = STAGE_VERSIONS
        return card


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def canonical(value: Any) -> str:
    """One text for one value: sorted keys, no blanks, no NaN."""
    return _ENCODER.encode(value)


@dataclass(frozen=True, eq=False)
class Stage:
    """One cached step of a cell; a node of the graph."""

    kind: str
    params: Mapping[str, Any]
    inputs: Mapping[str, Stage] = field(default_factory=dict)
    hints: Mapping[str, Any] = field(default_factory=dict)
    """Paths that a worker needs to find data, base and plugins; not in the key."""

    @cached_property
    def spec(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "version": (STAGE_VERSIONS | OTHER_VERSIONS)[self.kind],
            "params": dict(self.params),
            "inputs": {role: stage.key for role, stage in self.inputs.items()},
        }

    @cached_property
    def key(self) -> str:
        return hashlib.sha256(canonical(self.spec).encode()).hexdigest()

    @property
    def joins(self) -> bool:
        """Whether it only puts together what its shards found."""
        return any(role.startswith(SHARD_ROLE) for role in self.inputs)

    @cached_property
    def shared_by(self) -> str:
        """Equal for stages that ask one model about the same pairs, or fit one attack alike.

        Any other stage has its own.
        """
        shares = {"features": "model", "reference": "model", "scores": "shadow"}.get(self.kind)
        if shares is None or self.joins:
            return self.key
        common = self.inputs.get(shares)
        names = ["attack"] if self.kind == "scores" else ["base", "seed", "at", "part"]
        about = [self.inputs["split"].key, *(self.params[name] for name in names)]
        about += [self.params.get(name) for name in ("shard", "precision")]
        return canonical([shares, common and common.key, self.hints.get("weights"), about])

    def walk(self) -> Iterator[Stage]:
        """This stage and all it stands on, inputs first, each once."""
        return iter(walked([self]))


def walked(ends: Iterable[Stage]) -> list[Stage]:
    """These stages and all they stand on, inputs first, each once."""
    seen: dict[str, Stage] = {}

    def visit(stage: Stage) -> None:
        if stage.key not in seen:
            for below in stage.inputs.values():
                visit(below)
            seen[stage.key] = stage

    for end in ends:
        visit(end)
    return list(seen.values())
