"""What defenses that rewrite captions share: where the new texts come from, and what is told of it.

A backend makes them: `rule` by rules, offline; `file` reads them from JSON lines `{"id", "text"}`,
with `orig_sha256` checked where given; `llm` asks a causal language model, greedily.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from bench.api import Context, Defense, Pairs
from bench.errors import UsageError
from bench.paths import expanded
from bench.text import synonyms
from bench.text.language_model import Rewriter
from bench.text.measure import plain, strength
from bench.text.rewrites import read_rewrites

Backend = Literal["rule", "file", "llm"]


def check_backend(name: str, backend: str, path: str, known: Sequence[str]) -> None:
    """UsageError where a backend is unknown, or lacks what it reads."""
    if backend not in known:
        raise UsageError(f"defense {name}: no backend '{backend}'; known: {', '.join(known)}")
    if backend == "rule" and path:
        others = " or ".join(f"backend={other}" for other in known if other != "rule")
        raise UsageError(f"defense {name}: path belongs to {others}")
    if backend != "rule" and not path:
        what = "JSON-lines file" if backend == "file" else "folder or hub id of a model"
        raise UsageError(f"defense {name}: backend={backend} needs path=, the {what}")
    if backend == "file" and not expanded(path).is_file():
        raise UsageError(f"defense {name}: no file of rewrites at {path}")
    if backend == "llm" and "@" not in path and _is_hub_id(path):
        raise UsageError(
            f"defense {name}: pin the hub model, path={path}@REVISION, or name a folder"
        )


def _is_hub_id(path: str) -> bool:
    """Neither a folder nor written like one."""
    place = expanded(path)
    return not place.is_dir() and not place.is_absolute() and not path.startswith((".", "~"))


def file_notes(path: Path) -> dict[str, Any]:
    """Which file the texts came from."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"rewrites": path.name, "rewrites_sha256": digest}


@dataclass
class TextsFromBackend(Defense):
    """A defense that trains on texts which a backend makes."""

    backends: ClassVar[Sequence[str]] = get_args(Backend)

    backend: Backend = "rule"
    path: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot run before anything does."""
        check_backend(self.name, self.backend, self.path, self.backends)

    @property
    def title(self) -> str:
        """What a row may be called: only given texts can be those of the paper's own method."""
        return self.name if self.backend == "file" else f"{self.name}-{self.backend}"

    def reads(self) -> Sequence[Path]:
        """The rules and their table, or the given texts or model where they lie on this disk."""
        rules = [Path(synonyms.__file__).parent, synonyms.TABLE]
        given = [expanded(self.path)]
        return {"rule": rules, "file": given}.get(self.backend, [*rules, *given])


@dataclass
class RewritingDefense(TextsFromBackend):
    """Trains on another text for every caption, made once; `by_rule` and `instruction` say how."""

    instruction: ClassVar[str]
    """What a language model is asked."""

    def prepare(self, pairs: Pairs, context: Context) -> Pairs:
        """The pairs with their new texts; what changed goes into the notes."""
        texts, extra = self._texts(pairs, context)
        context.notes.update(label=self.title, backend=self.backend)
        context.notes.update(extra | strength(pairs.captions, texts))
        return pairs.with_captions(texts)

    def by_rule(self, id_: str, caption: str, context: Context) -> str:
        """The text that the rules make of one caption."""
        raise NotImplementedError

    def accepts(self, answer: str, caption: str) -> bool:
        """Whether a language model has done as it was told."""
        return plain(answer) not in {"", plain(caption)}

    def _texts(self, pairs: Pairs, context: Context) -> tuple[list[str], dict[str, Any]]:
        captions = dict(zip(pairs.ids, pairs.captions, strict=True))
        if self.backend == "file":
            path = expanded(self.path)
            return read_rewrites(path, captions), file_notes(path)
        if self.backend == "rule":
            return [self.by_rule(id_, text, context) for id_, text in captions.items()], {}
        # Greedy decoding gives the same again, so a failed answer goes to the rules instead.
        model = Rewriter(self.path, self.instruction)
        texts, fallbacks = [], 0
        for id_, caption in captions.items():
            text = model.rewrite(caption)
            if not self.accepts(text, caption):
                text, fallbacks = self.by_rule(id_, caption, context), fallbacks + 1
            texts.append(text)
        return texts, {"model": self.path, "prompt": self.instruction, "fallbacks": fallbacks}
