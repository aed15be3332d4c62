"""From the words of a command to cells: names resolved, defaults filled in, nothing computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from bench.data.source import DataSource
from bench.data.sources import absolute, open_source
from bench.errors import UsageError, unknown
from bench.hub import pinned
from bench.instruments import captioner_used, clip_used, counts, inception_used
from bench.models.base import EMBEDDED, base_folder, base_identity, base_label
from bench.models.checks import TIMESTEPS, resolution
from bench.paths import expanded
from bench.places import (
    absolute_base,
    absolute_captioner,
    absolute_file,
    absolute_set,
    absolute_weights,
)
from bench.plugins import components, instantiate, joined, shipped_folder, spelled
from bench.specs import (
    Augment,
    Cell,
    Component,
    Pool,
    Precision,
    Sampler,
    Sampling,
    Shadow,
    ShadowDefense,
    View,
)
from bench.sweeps import apply_sets, check_sets, named, read_sets, swept
from bench.training.recipe import Recipe, named_recipe

AUGMENTS: tuple[Augment, ...] = get_args(Augment)
VIEWS: tuple[View, ...] = get_args(View)
SHADOWS: tuple[Shadow, ...] = get_args(Shadow)
POOLS: tuple[Pool, ...] = get_args(Pool)
SHADOW_DEFENSES: tuple[ShadowDefense, ...] = get_args(ShadowDefense)
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
SAMPLERS: tuple[Sampler, ...] = get_args(Sampler)


@dataclass(frozen=True)
class Request:
    """What was asked for, as typed."""

    defenses: Sequence[str]
    attacks: Sequence[str]
    data: str = "tiles"
    base: str = EMBEDDED
    variant: str | None = None
    """Which weights of the base's folder are read, as `fp16`; None: the plain ones."""
    recipe: str = "mini"
    augment: str = "default"
    seeds: Sequence[int] = (0,)
    at: Sequence[int] = ()
    view: str = "original"
    replays: int = 1
    pool: str = "mean"
    shadow: str = "disjoint"
    shadow_defense: str = "none"
    captioner: str | None = None
    canaries: int = 0
    precision: str = "fp32"
    """What the U-Net computes in when attacks ask it."""
    sampling: Sampling = Sampling()
    plugins: Sequence[Path] = ()
    inception: str | None = None
    """Path of the Inception-2015 weights, for FID proper, or `download`."""
    clip: str | None = None
    """Folder of the CLIP that scores alignment; None: the base's own, where it has one."""
    offline: bool = False
    """Take models from this machine only."""
    sets: Sequence[str] = ()
    """COMPONENT.PARAM=VALUE, for the attacks and defenses asked for."""

    def cells(self, say: Callable[[str], None] = lambda line: None) -> list[Cell]:
        """Every combination asked for; bad names raise UsageError before anything is computed.

        `say` is told what the user should hear about the data and need not act on.
        """
        self._check_words()
        trains = named_recipe(self.recipe).epochs > 0
        sets = self._checked_sets()
        attacks = components("attack", self.attacks, self.plugins, say, sets)
        attacks = self._willing(attacks, trains, say)
        defenses = components("defense", self.defenses, self.plugins, say, sets)
        if not trains:
            self._check_untrained(defenses)
        self._say_of_augmentation(say)
        folder = base_folder(self.base, self.variant, self.offline)
        if (fixed := pinned(self.base)) != self.base:
            say(f"base {self.base} is {fixed} today; name that one to have it again")
        source = self._source(say)
        recipe = named_recipe(self.recipe, source.card)
        checkpoints = self._checkpoints((0, *recipe.keep, recipe.epochs)) if trains else [0]
        shared = self._shared(folder, source, recipe, say)
        # Checked once; the copies share its values, which thousands of cells are known by.
        first = Cell(**shared, defense=defenses[0], attack=attacks[0])
        return [
            first.model_copy(update={"defense": defense, "attack": attack, "seed": seed, "at": at})
            for defense in defenses
            for attack in attacks
            for at in (checkpoints or [None])
            for seed in self.seeds
        ]

    def _source(self, say: Callable[[str], None]) -> DataSource:
        source = open_source(self.data, offline=self.offline, say=say)
        for note in source.notes:
            say(note)
        if source.sizes and not source.sizes.shadow_members and self.shadow == "disjoint":
            raise UsageError(
                f"data set {source.label} has no pairs for a shadow of its own; add "
                "--shadow resplit, which deals the shadow from the target's"
            )
        return source

    def _shared(
        self, folder: Path, source: DataSource, recipe: Recipe, say: Callable[[str], None]
    ) -> dict[str, Any]:
        """What is the same in every cell."""
        return {
            "data": source.place,
            "data_label": source.label,
            "data_identity": source.identity,
            "base": str(folder),
            "base_label": base_label(self.base, folder, self.variant),
            "base_identity": base_identity(folder, self.variant),
            "variant": self.variant,
            "resolution": resolution(folder),
            "recipe": recipe.model_dump(mode="json"),
            "augment": self.augment,
            "view": self.view,
            "replays": self.replays,
            "pool": self.pool,
            "shadow": self.shadow,
            "shadow_defense": self.shadow_defense,
            **captioner_used(self.captioner, self.view, self.offline),
            "canaries": self.canaries,
            "precision": self.precision,
            **counts(source, self.sampling),
            **inception_used(self.inception, say),
            **clip_used(self.clip, folder),
        }

    def _check_words(self) -> None:
        """UsageError for a word that is not known, or that does not go with another."""
        for what, name, known in (
            ("augmentation", self.augment, AUGMENTS),
            ("view", self.view, VIEWS),
            ("pool", self.pool, POOLS),
            ("shadow", self.shadow, SHADOWS),
            ("shadow defense", self.shadow_defense, SHADOW_DEFENSES),
            ("precision", self.precision, PRECISIONS),
        ):
            if name not in known:
                raise unknown(what, name, known)
        if self.replays > 1 and self.view != "defended":
            raise UsageError(f"--replays belongs to --view defended, not to {self.view}")
        if self.pool != "mean" and self.replays == 1:
            raise UsageError(f"--pool {self.pool} has nothing to pool: give --replays above 1")
        if self.canaries % 2:
            raise UsageError(
                f"--canaries {self.canaries}: half are trained on, so give an even number"
            )
        if self.canaries and self.view == "pseudo":
            raise UsageError(
                "--canaries and --view pseudo: a captioner would undo mislabelling; leave one out"
            )

    def _checked_sets(self) -> dict[str, dict[str, str]]:
        """Values set beside the components, each for one that is asked for."""
        sets = read_sets(self.sets)
        if sets:
            asked = [
                *spelled("attack", self.attacks, self.plugins),
                *spelled("defense", self.defenses, self.plugins),
            ]
            check_sets(sets, [named(part) for parts in asked for part in parts])
        return sets

    def absolute(self) -> Request:
        """The same with full paths, so that it means the same from every folder."""
        sets = read_sets(self.sets)
        attacks, defenses = (
            [
                "+".join(map(absolute_file, joined(text)))
                for parts in map(joined if kind == "defense" else lambda name: [name], asked)
                for text in swept(apply_sets(parts, sets))
            ]
            for kind, asked in (("attack", self.attacks), ("defense", self.defenses))
        )
        written = [named(part) for text in (*self.attacks, *self.defenses) for part in joined(text)]
        return replace(
            self,
            defenses=defenses,
            attacks=attacks,
            # What is set for one of `all` stays beside it; the rest stands in its brackets now.
            sets=[
                absolute_set(f"{name}.{param}={value}")
                for name, params in sets.items()
                for param, value in params.items()
                if name not in written
            ],
            data=absolute(self.data),
            captioner=absolute_captioner(self.captioner),
            base=absolute_base(self.base),
            plugins=[expanded(folder).resolve() for folder in self.plugins],
            inception=absolute_weights(self.inception),
            clip=self.clip and str(expanded(self.clip).resolve()),
        )

    def _check_untrained(self, defenses: Sequence[Component]) -> None:
        """A recipe that trains nothing leaves nothing to defend and no later epoch to attack."""
        if defended := [one.label for one in defenses if one.name != "none"]:
            raise UsageError(
                f"recipe {self.recipe} trains nothing, so {defended[0]} has nothing to defend; "
                "say --defense none"
            )
        if later := [epoch for epoch in self.at if epoch]:
            raise UsageError(
                f"--at {later[0]}: recipe {self.recipe} trains nothing; leave out --at"
            )

    def _say_of_augmentation(self, say: Callable[[str], None]) -> None:
        """How long it takes is the recipe's; that the paper flipped no pictures is --augment."""
        if self.recipe.endswith("-overtraining") and self.augment not in ("script", "none"):
            say(
                f"recipe {self.recipe} with --augment {self.augment} is not the paper's "
                "over-training: Table 1 is `--augment script`"
            )

    def _willing(
        self, attacks: list[Component], trains: bool, say: Callable[[str], None]
    ) -> list[Component]:
        """The attacks that can be run as asked; one asked for by name that cannot is an error."""
        able = []
        for attack in attacks:
            _check_timesteps(attack)
            reason = _reason(attack, self.shadow)
            if not trains and attack.reference in ("shadow", "base"):
                reason = (
                    f"recipe {self.recipe} trains nothing, so neither the base nor a shadow is "
                    "another model to compare with; say reference=PATH"
                )
            if reason is None:
                able.append(attack)
            elif list(self.attacks) == ["all"]:
                say(f"left out {attack.label}: {reason}")
            else:
                raise UsageError(f"attack {attack.label} declines: {reason}")
        return able

    def _checkpoints(self, kept: Sequence[int]) -> list[int | None]:
        """Epochs to attack at; None stands for the last one."""
        for epoch in self.at:
            if epoch not in kept:
                known = ", ".join(map(str, kept))
                raise UsageError(
                    f"--at {epoch}: recipe {self.recipe} keeps the epochs {known}; name one of them"
                )
        return [None if epoch == kept[-1] else epoch for epoch in dict.fromkeys(self.at)]


def sampling(sampler: str, steps: int, guidance: float, n: int | None) -> Sampling:
    """How pictures are generated; UsageError for a sampler that is not known."""
    for known in SAMPLERS:
        if sampler == known:
            counted = {} if n is None else {"n": n}
            return Sampling(sampler=known, steps=steps, guidance=guidance, **counted)
    raise unknown("sampler", sampler, SAMPLERS)


def _check_timesteps(attack: Component) -> None:
    """Before anything is trained; a foreign plugin's names may mean anything, it is told later."""
    if Path(attack.path).parent != shipped_folder("attack"):
        return
    for name in ("t", "timesteps"):
        given = attack.params.get(name, ())
        for step in given if isinstance(given, list | tuple) else (given,):
            if isinstance(step, int) and not 0 <= step < TIMESTEPS:
                raise UsageError(
                    f"attack {attack.label}: {name} {step} is outside the model's timesteps, "
                    f"0 to {TIMESTEPS - 1}"
                )


def _reason(attack: Component, shadow: str) -> str | None:
    """Why an attack declines; a plugin that fails at the question is told in one line."""
    made = instantiate("attack", attack)
    try:
        reason: str | None = made.declines(shadow)
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything
        raise UsageError(
            f"attack {attack.label} fails when asked whether it declines: {error}"
        ) from None
    return reason
