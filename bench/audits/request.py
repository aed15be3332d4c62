"""From the words of `bench audit` to its cells, one an attack: checked, nothing computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from bench.data.given import Given, open_given
from bench.errors import UsageError
from bench.models.adapters import named_base
from bench.models.adopted import adopted, needs_base, pipeline_variant
from bench.models.base import base_folder, base_identity
from bench.models.checks import resolution
from bench.pipeline import undefended
from bench.plugins import components, instantiate, resolve
from bench.specs import Adopted, Audited, Cell, Component
from bench.training.recipe import named_recipe

RECIPE = "mini"


class Planned(NamedTuple):
    """What will be computed, and what the reader must be told of what will not."""

    cells: list[Cell]
    remarks: list[str]
    """For the report too: a doubt about the base; attacks left out, each with its reason."""
    notes: list[str]


@dataclass(frozen=True)
class AuditRequest:
    """What was asked for, as typed."""

    target: str
    members: str
    holdouts: str
    attacks: Sequence[str] = ("all",)
    base: str | None = None
    """What the target was fine-tuned from; None: unknown, where the target is a whole pipeline."""
    variant: str | None = None
    """Which weights of the base, and of a model without plain ones, are read."""
    shadow: str | None = None
    """`auto`, `none` or a path; None: `auto` where there are auxiliary pairs, else `none`."""
    auxiliary: str | None = None
    """For `auto`: pairs like the members that the target never saw."""
    shadow_members: str | None = None
    """For a path: what that model was trained on."""
    shadow_holdouts: str | None = None
    recipe: str | None = None
    """For `auto`."""
    seed: int = 0
    plugins: Sequence[Path] = ()

    def plan(self) -> Planned:
        """One cell an attack; bad words raise UsageError, bad data ValidationError."""
        mode = self._mode()
        recipe = named_recipe(self.recipe or RECIPE)
        target = adopted(self.target, variant=self.variant)
        shadow = None
        if mode == "path":
            shadow = adopted(str(self.shadow), "shadow", self.variant)
        folder, variant = self._base(target, shadow, mode)
        audited = Audited(
            target=target,
            shadow=shadow,
            trains_shadow=mode == "auto",
            knows_base=self.base is not None,
            parts={},
        )
        attacks, declined = self._willing(audited)
        data = self._data()
        given = open_given(data)
        given.check()
        parts = {part: source.identity for part, source in given.sources.items()}
        shared: dict[str, Any] = {
            "data": data,
            "data_label": given.sources["members"].label,
            "data_identity": given.identity,
            "base": str(folder),
            "base_label": f"{folder.name} ({variant})" if variant else folder.name,
            "base_identity": base_identity(folder, variant),
            "variant": variant,
            "resolution": resolution(folder),
            "recipe": recipe.model_dump(mode="json"),
            "defense": undefended(),
            "seed": self.seed,
            "audited": audited.model_copy(update={"parts": parts}),
        }
        cells = [Cell(**shared, attack=attack) for attack in attacks]
        return Planned(cells, [*self._doubts(target), *declined], _notes(given))

    def _mode(self) -> str:
        """`auto`, `none` or `path`, with what belongs to each and nothing else."""
        mode = self.shadow or ("auto" if self.auxiliary else "none")
        mode = mode if mode in ("auto", "none") else "path"
        sides = (self.shadow_members, self.shadow_holdouts)
        if mode == "auto" and not self.auxiliary:
            raise UsageError("--shadow auto trains on auxiliary pairs: give --auxiliary DATA")
        if mode == "path" and (self.auxiliary or None in sides):
            raise UsageError(
                f"--shadow {self.shadow}: say which pairs it was trained on and which not by "
                "--shadow-members and --shadow-holdouts; --auxiliary belongs to --shadow auto"
            )
        if mode != "path" and any(sides):
            raise UsageError(
                "--shadow-members and --shadow-holdouts belong to --shadow PATH, a model that was "
                "trained on the former"
            )
        if mode == "none" and self.auxiliary:
            raise UsageError("--auxiliary belongs to --shadow auto, not to none")
        if mode != "auto" and self.recipe:
            raise UsageError(f"--recipe {self.recipe} is the shadow's: it belongs to --shadow auto")
        return mode

    def _base(self, target: Adopted, shadow: Adopted | None, mode: str) -> tuple[Path, str | None]:
        """The frame of all models, with its variant: the base, or the target's own other parts."""
        if self.base is not None:
            return base_folder(self.base, self.variant), self.variant
        for model in filter(None, (target, shadow)):
            if lacking := needs_base(model):
                raise UsageError(lacking)
        if mode == "auto":
            raise UsageError("--shadow auto trains from what the target was trained from: --base")
        variant = pipeline_variant(Path(target.path), self.variant)
        return base_folder(target.path, variant, role="target"), variant

    def _doubts(self, target: Adopted) -> list[str]:
        """Whether an adapter says that it was trained on another base than the one given."""
        named = named_base(Path(target.path)) if target.form == "peft" else None
        if self.base is None or named is None or _called(named) == _called(self.base):
            return []
        return [
            f"The adapter says that it was trained on {named}, and it was put on {self.base}: if "
            "these are not the same weights, the figures are not the target's."
        ]

    def _data(self) -> dict[str, str]:
        given = {
            "members": self.members,
            "holdouts": self.holdouts,
            "auxiliary": self.auxiliary,
            "shadow_members": self.shadow_members,
            "shadow_holdouts": self.shadow_holdouts,
        }
        return {part: spec for part, spec in given.items() if spec is not None}

    def _willing(self, audited: Audited) -> tuple[list[Component], list[str]]:
        """The attacks that can be run; of one asked for by name that cannot, an error."""
        able: list[Component] = []
        declined: list[str] = []
        for attack in components("attack", self.attacks, self.plugins, declined.append):
            reason = _reason(attack, audited)
            if reason is None:
                able.append(attack)
            elif list(self.attacks) != ["all"]:
                raise UsageError(f"attack {attack.label} declines: {reason}")
            elif attack.reference == "shadow" and audited.knows_base:
                able.append(resolve("attack", f"{attack.name}[reference=base]", self.plugins))
            else:
                declined.append(f"{attack.label} declined: {reason}")
        if not able:
            raise UsageError(f"no attack can be run: {'; '.join(declined)}")
        return able, declined


def _reason(attack: Component, audited: Audited) -> str | None:
    """Why an attack cannot be run with what was given."""
    made = instantiate("attack", attack)
    if made.learns and not audited.has_shadow:
        return "it learns from a shadow, and there is none (--auxiliary DATA has one trained)"
    if attack.reference == "shadow" and not audited.trains_shadow:
        return (
            "its reference is trained on auxiliary pairs (--auxiliary DATA), or is the base "
            f"({attack.name}[reference=base] with --base)"
        )
    if attack.reference == "base" and not audited.knows_base:
        return "it compares with the base, which is not known (--base)"
    try:
        reason: str | None = made.declines("disjoint")
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything
        raise UsageError(
            f"attack {attack.label} fails when asked whether it declines: {error}"
        ) from None
    return reason


def _called(base: str) -> str:
    """The last part of a path or of a name on the hub, without its revision."""
    return base.rstrip("/").rpartition("/")[2].partition("@")[0].lower()


def _notes(given: Given) -> list[str]:
    return [note for source in given.sources.values() for note in source.notes]
