"""What a stage function is handed, and the few things that several of them read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.composition import Composition
from bench.data.pairs import Pairs
from bench.errors import ValidationError
from bench.plugins import instantiate
from bench.specs import Component

if TYPE_CHECKING:
    from bench.data.given import Given
    from bench.data.source import DataSource
    from bench.models.base import Base


@dataclass(frozen=True)
class Job:
    """One stage to compute: a specification and folders, no live objects."""

    kind: str
    params: Mapping[str, Any]
    hints: Mapping[str, Any]
    inputs: Mapping[str, Path]
    """Folders of the finished stages it reads, by role."""
    work: Path
    """Scratch that survives a kill."""
    out: Path
    """Empty folder for the artefacts."""
    progress: Callable[[int, int, str], None]
    provenance: dict[str, Any] = field(default_factory=dict)
    """What is worth noting of how the result was made; recorded, never in a key."""
    means: Mapping[str, Any] = field(default_factory=dict)
    """How it is to be computed: processes, caches, trackers; never in a key either."""

    def result_of(self, role: str) -> dict[str, Any]:
        """The small result of an input stage."""
        text = (self.inputs[role] / "record.json").read_text(encoding="utf-8")
        result: dict[str, Any] = json.loads(text)["result"]
        return result

    def pairs(self) -> Pairs:
        """The whole data set, canaries included; ValidationError if it is not what was split."""
        from bench.data.canaries import with_canaries

        text = (self.inputs["split"] / "record.json").read_text(encoding="utf-8")
        split = json.loads(text)
        source = self.source(split["spec"]["params"]["data"])
        return with_canaries(source.pairs(), split["result"].get("canaries", {}))

    def source(self, identity: str) -> DataSource | Given:
        """The data, from one place or of an audit by part; ValidationError if it has changed."""
        from bench.data.given import open_given
        from bench.data.sources import open_source

        data = self.hints["data"]
        source = open_source(data) if isinstance(data, str) else open_given(data)
        if source.identity != identity:
            raise ValidationError(f"{source.name} changed while the run was going on; run again")
        return source

    def part(self, *names: str) -> Pairs:
        """Pairs of these parts of the split, in the order of their ids, so that none stands out."""
        from bench.data.splits import ids_of

        split = self.result_of("split")
        return self.pairs().select(sorted({id_ for name in names for id_ in ids_of(split, name)}))

    def model(self) -> Base:
        """The base, with the trained weights of the asked checkpoint if there is a `model`."""
        from bench.models.adopted import put
        from bench.models.base import base_identity, load_base

        folder, variant = Path(self.hints["base"]), self.hints.get("variant")
        if base_identity(folder, variant) != self.params["base"]:
            raise ValidationError(f"base {folder} changed while the run was going on; run again")
        weights = words = None
        if "model" in self.inputs:
            at = self.params.get("at")
            name = "unet.safetensors" if at is None else f"unet-{at:04d}.safetensors"
            weights = self.inputs["model"] / name
            words = self.inputs["model"] / "text_encoder.safetensors"
        elif self.hints.get("weights"):
            weights = Path(self.hints["weights"])
        base = load_base(folder, weights, variant)
        if words is not None and words.exists():  # of an adopted model that trained it too
            put(words, base.text_encoder)
        return base

    def attack(self) -> Any:
        """The attack of the job, made from its file."""
        return instantiate("attack", self._component(self.params["attack"], self.hints["attack"]))

    def defense(self) -> Composition:
        """The defense of the job: one part, or several that go together."""
        given = self.params["defense"]
        parts = zip(given.get("parts", [given]), self.hints["defense"], strict=True)
        return Composition(
            [instantiate("defense", self._component(one, path)) for one, path in parts]
        )

    @staticmethod
    def _component(given: Mapping[str, Any], path: str) -> Component:
        return Component(**given, path=path, label=given["name"])
