"""`folder:PATH`: the user's own pictures, an imagefolder with a `metadata.jsonl`.

Everything is checked before anything is computed, reading each picture once; a problem is one
line that says where, what and what to do. Pictures come out upright, as 8-bit RGB on white.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.data.pairs import Pairs
from bench.errors import UsageError, ValidationError

if TYPE_CHECKING:
    from PIL.Image import Image

METADATA = "metadata.jsonl"
EXAMPLE = '{"file_name": "a.png", "text": "its caption"}'
SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})


class _LineError(Exception):
    """What is wrong with a line and what to do; its number is added later."""


@dataclass(frozen=True)
class Folder:
    """A folder that passed every check."""

    root: Path
    names: tuple[str, ...]
    captions: tuple[str, ...]
    identity: str
    """sha256 over names, captions and the bytes of every picture."""
    resolution: int
    """The median of the shorter sides."""
    unlisted: int
    """Pictures in the folder that no line names; they are left out."""

    def pairs(self) -> Pairs:
        """The pairs in the order of the metadata; ids are the file names."""
        return Pairs(self.names, self.captions, self.captions, self._open)

    def _open(self, id_: str) -> Image:
        path = self.root / id_
        try:
            return decode(path.read_bytes(), id_)
        except (_LineError, OSError) as error:
            raise ValidationError(f"{path}: can no longer be read ({error}); restore it") from None


def read(path: str | Path) -> Folder:
    """The folder, checked; raises one line on the first problem, with the number of others."""
    root = Path(path).expanduser()
    metadata = _find(root)
    seen: dict[str, int] = {}
    rows: list[tuple[str, str, int]] = []
    digest = hashlib.sha256(b"folder\n")
    problems = []
    for number, line in enumerate(metadata.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")):
        if not line.strip():
            continue
        try:
            name, caption = _entry(line, seen, number + 1)
            content = _content(root, name)
            rows.append((name, caption, min(decode(content, name).size)))
        except _LineError as error:
            problems.append(f"{metadata}:{number + 1}: {' '.join(str(error).split())}")
            continue
        digest.update(json.dumps([name, caption, len(content)]).encode() + b"\n" + content)
    if problems:
        more = f" (and {len(problems) - 1} more such lines)" if len(problems) > 1 else ""
        raise ValidationError(problems[0] + more)
    if not rows:
        raise ValidationError(f"{metadata} lists no pictures; add a line for each: {EXAMPLE}")
    names, captions, sides = zip(*rows, strict=True)
    files = {p.relative_to(root).as_posix() for p in root.rglob("[!.]*.*")}
    unlisted = sum(Path(name).suffix.lower() in SUFFIXES for name in files - set(names))
    return Folder(root, names, captions, digest.hexdigest(), statistics.median_low(sides), unlisted)


def _find(root: Path) -> Path:
    """The metadata file, or a message that says which of the usual slips was made."""
    if not root.exists():
        raise UsageError(f"folder {root} does not exist; check the path after 'folder:'")
    if not root.is_dir():
        raise UsageError(f"{root} is a file; give the folder that holds {METADATA}")
    if (root / METADATA).is_file():
        return root / METADATA
    if below := sorted(p.parent for p in root.glob(f"*/{METADATA}")):
        raise UsageError(f"{root} holds no {METADATA}, but {below[0]} does; use folder:{below[0]}")
    raise UsageError(f"{root} holds no {METADATA}; write one line for each picture: {EXAMPLE}")


def _entry(line: bytes, seen: dict[str, int], number: int) -> tuple[str, str]:
    """Name and caption that a line gives, the name normalised and not seen before."""
    try:
        entry = json.loads(line.decode("utf-8"))
        json.dumps(entry, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError:
        raise _LineError("is not UTF-8; save the file as UTF-8") from None
    except UnicodeEncodeError:
        raise _LineError("holds half a character (a lone surrogate); retype it") from None
    except (ValueError, RecursionError) as error:
        raise _LineError(f"is not JSON ({error}); a line looks like {EXAMPLE}") from None
    if not isinstance(entry, dict):
        raise _LineError(f"is not a JSON object; a line looks like {EXAMPLE}")
    name = _name(entry.get("file_name"))
    if name in seen:
        raise _LineError(
            f"'{name}' is listed already on line {seen[name]}; keep one line, one caption a picture"
        )
    seen[name] = number
    return name, _caption(entry)


def _name(name: object) -> str:
    if not isinstance(name, str) or not name.strip() or "\0" in name:
        said = "has no 'file_name'" if name is None else f"has the file_name {name!r}"
        raise _LineError(f"{said}; give the picture's path relative to {METADATA}")
    normal = os.path.normpath(name).replace(os.sep, "/")
    if Path(name).is_absolute() or normal.split("/")[0] in ("..", "."):
        raise _LineError(
            f"'{name}' lies outside the folder; move the picture into it and give its path "
            f"relative to {METADATA}"
        )
    return normal


def _caption(entry: dict[str, Any]) -> str:
    given = {key: entry[key] for key in ("text", "caption") if entry.get(key) is not None}
    if not given:
        found = ", ".join(f"'{key}'" for key in entry if key != "file_name") or "no other key"
        raise _LineError(f"has no caption (found {found}); add the key 'text' or 'caption'")
    given = {k: v[0] if isinstance(v, list) and len(v) == 1 else v for k, v in given.items()}
    key, caption = next(iter(given.items()))
    if isinstance(caption, list):
        raise _LineError(
            f"'{key}' is a list of {len(caption)}; give one caption, as text in quotes"
        )
    if not isinstance(caption, str):
        raise _LineError(f"'{key}' is {caption!r}; give the caption as text in quotes")
    if not caption.strip():
        raise _LineError(f"'{key}' is empty; write a caption or remove the line")
    if any(other != caption for other in given.values()):
        raise _LineError("has both 'text' and 'caption' and they differ; keep one")
    return caption.strip()


def _content(root: Path, name: str) -> bytes:
    path = root / name
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise _LineError(f"'{name}' is not a file; name one picture")
        return path.read_bytes()
    except FileNotFoundError:
        base = Path(name).name
        advice = f"did you mean '{base}'?" if (root / base).exists() else "restore it or drop it"
        raise _LineError(f"file '{name}' is missing (looked for {path}); {advice}") from None
    except OSError as error:
        raise _LineError(f"'{name}' cannot be read ({error.strerror}); check the file") from None


def decode(content: bytes, name: str = "") -> Image:
    """The picture in these bytes: first frame, upright by its EXIF, RGB, transparency on white."""
    from PIL import Image, ImageOps

    try:
        image: Image.Image = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
        if image.mode.startswith("I"):
            deep = np.asarray(image).astype(np.int64).clip(0, 65535)
            image = Image.fromarray(((deep + 128) // 257).astype(np.uint8))
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        if image.mode == "F":
            raise ValueError("floating-point pixels")
        return image.convert("RGB")
    except Exception as error:  # noqa: BLE001 - decoders raise whatever their parser stumbles over
        raise _LineError(f"'{name}' {_undecodable(content, error)}") from None


def _undecodable(content: bytes, error: Exception) -> str:
    """Why these bytes are no picture, in words; the decoder's own only where they help."""
    start = content[:32].decode("ascii", errors="replace")
    if not content:
        reason = "it is empty"
    elif " ".join(start.split()).isprintable() and "\ufffd" not in start:
        reason = f"it is text that begins {start!r}"
    else:
        reason = str(error).replace("<_io.BytesIO object", "this file") or type(error).__name__
    return f"cannot be decoded as a picture ({reason}); replace it or drop the line"
