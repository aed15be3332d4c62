"""What a request measures with beside its attacks: captioner, Inception, CLIP, how many prompts.

Each is found and told apart by its bytes before anything is computed, as fields of a cell.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.data.source import DataSource
from bench.errors import UsageError, ValidationError
from bench.paths import expanded
from bench.places import absolute_captioner
from bench.specs import Sampling


def counts(source: DataSource, sampling: Sampling) -> dict[str, Any]:
    """No more prompts than the data set has reference captions; what attacks may ask about."""
    from bench.data.sizes import SplitSizes
    from bench.data.splits import MINIMUM

    n = len(source.pairs())
    if n < MINIMUM:
        raise ValidationError(
            f"data set {source.label} has too few pairs to split: {n}; add pictures until "
            f"there are at least {MINIMUM} different ones"
        )
    size = source.sizes or SplitSizes.scaled(n)
    most = min(size.reference, size.auxiliary)
    asked = max(size.members + size.holdouts, size.shadow_members + size.shadow_holdouts)
    return {"sampling": sampling.model_copy(update={"n": min(sampling.n, most)}), "asked": asked}


def captioner_used(named: str | None, view: str, offline: bool) -> dict[str, str]:
    """Where the captions of the view `pseudo` come from."""
    if view != "pseudo":
        if named is not None:
            raise UsageError(f"--captioner belongs to --view pseudo, not to {view}")
        return {}
    from bench.models.captioner import EMBEDDED, captioner_folder, captioner_identity

    captioner = captioner_folder(absolute_captioner(named) or EMBEDDED, offline)
    return {"captioner": captioner, "captioner_identity": captioner_identity(captioner)}


def inception_used(named: str | None, say: Callable[[str], None]) -> dict[str, str]:
    """The weights for FID proper, where some are named."""
    if named is None:
        return {}
    from bench.utility.inception import DOWNLOAD, downloaded, weights_digest

    path = downloaded(say) if named == DOWNLOAD else expanded(named).resolve()
    return {"inception": str(path), "inception_digest": weights_digest(path)}


def clip_used(named: str | None, base: Path) -> dict[str, str]:
    """The CLIP that scores alignment: the one named, or the base's own where it has one."""
    from bench.utility.alignment import clip_identity, own_clip

    folder = expanded(named).resolve() if named else own_clip(base)
    return {} if folder is None else {"clip": str(folder), "clip_digest": clip_identity(folder)}
