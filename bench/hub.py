"""Models and data by name on the hub: `ORGANISATION/NAME@REVISION` becomes one commit's folder.

What a run reads afterwards is that folder, as if it had been given by its path. A revision that is
a commit is looked for on this machine first; a branch or a tag is asked of the hub, and looked for
here where the hub cannot be reached.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from bench.digests import known_digest
from bench.errors import OfflineError, ValidationError
from bench.paths import expanded

Choose = Callable[[Iterable[str]], list[str]]
"""From the names of a repository's files those that are read; raises what is wrong with them."""
COMMIT = re.compile(r"[0-9a-f]{40}")
SHA256 = re.compile(r"[0-9a-f]{64}")
NAME = re.compile(r"(?P<id>\w[\w.-]*/\w[\w.-]*)(?:@(?P<revision>\w[\w./-]*))?")


class HubName(NamedTuple):
    """A repository, and a commit, branch or tag of it."""

    id: str
    revision: str | None
    kind: Literal["model", "dataset"] = "model"

    @property
    def said(self) -> str:
        """As it is typed."""
        name = f"{self.id}@{self.revision}" if self.revision else self.id
        return name if self.kind == "model" else f"hub:{name}"


def hub_name(text: str, kind: Literal["model", "dataset"] = "model") -> HubName | None:
    """None for what is a folder here, or cannot be a name."""
    found = NAME.fullmatch(text)
    if found is None or expanded(text).exists():
        return None
    return HubName(found["id"], found["revision"], kind)


def pinned(text: str) -> str:
    """The same name with the commit that it stands for on this machine; a path as it is."""
    name = hub_name(text)
    folder = name and _cached(name)
    return f"{name.id}@{folder.name}" if name and folder else text


def snapshot(name: HubName, choose: Choose, role: str, offline: bool = False) -> Path:
    """Folder, named by its commit, with the chosen files of a repository; fetched where need be.

    `role` is what it is wanted as ("base"), for the messages.

    Raises:
        OfflineError: it is not on this machine and may not or cannot be fetched.
    """
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    cached, advice = _cached(name), _advice(name, role)
    if cached is not None and (offline or COMMIT.fullmatch(name.revision or "")):
        if not (lacking := _lacking(cached, name, choose)):
            return cached
        if offline:
            raise OfflineError(f"{role} {name.said} is here without {lacking[0]}; {advice}")
    if offline:
        raise OfflineError(f"{role} {name.said} is no folder and not in {_cache()}; {advice}")
    try:
        asked = HfApi()
        about = asked.model_info if name.kind == "model" else asked.dataset_info
        listed = about(name.id, revision=name.revision).siblings or []
        chosen = choose(one.rfilename for one in listed)
        return Path(
            snapshot_download(
                name.id,
                revision=name.revision,
                repo_type=name.kind,
                allow_patterns=[*map(glob.escape, chosen)],
            )
        )
    except (HTTPError, OSError, ValueError) as error:
        if cached is not None and not _lacking(cached, name, choose):
            return cached
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise OfflineError(
            f"{role} {name.said} is no folder and cannot be fetched: {said[:200]}; {advice}"
        ) from None


def verify(folder: Path, files: Sequence[str]) -> None:
    """ValidationError for a file of a snapshot whose bytes are not those that the hub has.

    The hub names large files by their sha256, and so does its cache.
    """
    for file in files:
        blob = (folder / file).resolve()
        if SHA256.fullmatch(blob.name) and known_digest(blob) != blob.name:
            raise ValidationError(f"{folder / file} is damaged: delete {blob} and fetch it again")


def _cached(name: HubName) -> Path | None:
    """Folder of the revision on this machine, whole or not."""
    from huggingface_hub import snapshot_download

    try:
        # None of its files is asked for, so that a part of a repository is found too.
        return Path(
            snapshot_download(
                name.id,
                revision=name.revision,
                repo_type=name.kind,
                local_files_only=True,
                allow_patterns=[],
            )
        )
    except (OSError, ValueError):
        return None


def _lacking(folder: Path, name: HubName, choose: Choose) -> list[str]:
    """Chosen files that are not in a snapshot, as far as this machine knows what there is."""
    from huggingface_hub import get_cached_repo_tree
    from huggingface_hub.errors import CachedRepoTreeNotFoundError

    here = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    try:
        tree = get_cached_repo_tree(name.id, revision=folder.name, repo_type=name.kind)
        known = {file.path for file in tree}
    except CachedRepoTreeNotFoundError:
        known = here
    return [file for file in choose(sorted(known)) if file not in here]


def _cache() -> str:
    from huggingface_hub import constants

    return str(constants.HF_HUB_CACHE)


def _advice(name: HubName, role: str) -> str:
    if role == "base" or name.kind == "dataset":
        option = "--base" if role == "base" else "--for"
        return f"`bench fetch {option} {name.said}` where there is a network; or give a folder"
    return "run once where there is a network, or give a folder"
