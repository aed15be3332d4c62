"""`folder:PATH`: the user's own pictures, an imagefolder with a `metadata.jsonl` or `metadata.csv`.

A line that says nothing usable is told with its number, what is wrong and what to do.
"""

from __future__ import annotations

import csv
import io
import json
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.data.checked import stamp
from bench.data.listing import Listing, Row, captions_of, names_of_files
from bench.data.pictures import SUFFIXES, RowError
from bench.errors import UsageError, ValidationError
from bench.paths import expanded

METADATA = ("metadata.jsonl", "metadata.csv")
EXAMPLE = '{"file_name": "a.png", "text": "its caption"}'
KEYS = ("text", "caption")


def listing(path: str | Path) -> Listing:
    """What the folder's metadata lists; UsageError where there is none."""
    root = expanded(path)
    metadata = _find(root)
    rows: list[Row] = []
    problems: list[tuple[int, str]] = []
    seen: dict[str, int] = {}
    entries = _lines if metadata.suffix == ".jsonl" else _cells
    for number, entry in entries(metadata):
        where = f"{metadata}:{number}"
        try:
            if isinstance(entry, RowError):
                raise entry
            name = names_of_files(entry.get("file_name"), metadata.name)
            if name in seen:
                raise RowError(
                    f"'{name}' is listed already on line {seen[name]}; keep one line a picture, "
                    "with a list of its captions if there are several"
                )
            seen[name] = number
            rows.append(Row(number, where, name, captions_of(entry, KEYS)))
        except RowError as error:
            problems.append((number, f"{where}: {' '.join(str(error).split())}"))
    if not rows and not problems:
        raise ValidationError(f"{metadata} lists no pictures; add a line for each: {EXAMPLE}")
    full = root.resolve()
    return Listing(
        title=str(root),
        kind="folder",
        rows=tuple(rows),
        read=lambda row: content(root, row.name),
        stamps=lambda drawn: [stamp(full / row.name) for row in drawn],
        problems=tuple(problems),
        notes=_left_out(root, metadata, set(seen)),
    )


def _find(root: Path) -> Path:
    """The metadata file, or a message that says which of the usual slips was made."""
    if not root.exists():
        raise UsageError(f"folder {root} does not exist; check the path after 'folder:'")
    if not root.is_dir():
        raise UsageError(f"{root} is a file; give the folder that holds {METADATA[0]}")
    found = [root / name for name in METADATA if (root / name).is_file()]
    if len(found) > 1:
        raise UsageError(f"{root} holds both {METADATA[0]} and {METADATA[1]}; keep one")
    if found:
        return found[0]
    either = " nor ".join(METADATA)
    if below := sorted(path.parent for name in METADATA for path in root.glob(f"*/{name}")):
        raise UsageError(
            f"{root} holds neither {either}, but {below[0]} does; use folder:{below[0]}"
        )
    raise UsageError(f"{root} holds neither {either}; write one line for each picture: {EXAMPLE}")


def _left_out(root: Path, metadata: Path, listed: set[str]) -> tuple[str, ...]:
    """A note on pictures in the folder that no line names."""
    files = {p.relative_to(root).as_posix() for p in root.rglob("[!.]*.*")}
    unlisted = sum(Path(name).suffix.lower() in SUFFIXES for name in files - listed)
    note = f"{unlisted} pictures in {root} are not in {metadata.name}: left out"
    return (note,) if unlisted else ()


def _lines(metadata: Path) -> Iterator[tuple[int, Mapping[str, Any] | RowError]]:
    """The entries of a JSON-lines file with their line numbers."""
    content = metadata.read_bytes().removeprefix(b"\xef\xbb\xbf")
    for number, line in enumerate(content.split(b"\n"), start=1):
        if line.strip():
            try:
                yield number, _object(line)
            except RowError as error:
                yield number, error


def _object(line: bytes) -> Mapping[str, Any]:
    try:
        entry = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        raise RowError("is not UTF-8; save the file as UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise RowError(f"is not JSON ({error}); a line looks like {EXAMPLE}") from None
    if not isinstance(entry, dict):
        raise RowError(f"is not a JSON object; a line looks like {EXAMPLE}")
    return entry


def _cells(metadata: Path) -> Iterator[tuple[int, Mapping[str, Any] | RowError]]:
    """The entries of a CSV file with the numbers of the lines on which they begin."""
    content = metadata.read_bytes().removeprefix(b"\xef\xbb\xbf")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ValidationError(f"{metadata}:{line}: is not UTF-8; save the file as UTF-8") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] = []
    begins = 1
    try:
        for cells in reader:
            number, begins = begins, reader.line_num + 1
            if not header:
                header = _header(metadata, number, cells)
            elif len(cells) > len(header):
                yield (
                    number,
                    RowError(
                        f"has {len(cells)} cells and the header {len(header)}; put a caption that "
                        "holds a comma in double quotes"
                    ),
                )
            elif any(cells):
                filled = {key: _cell(cell) for key, cell in zip(header, cells, strict=False)}
                yield number, filled
    except csv.Error as error:
        raise ValidationError(
            f"{metadata}:{begins}: is not CSV ({error}); mind the double quotes"
        ) from None


def _header(metadata: Path, number: int, cells: list[str]) -> list[str]:
    header = [cell.strip() for cell in cells]
    if "file_name" not in header or len(set(header)) < len(header):
        raise ValidationError(
            f"{metadata}:{number}: the header is {','.join(header)!r}; it must name each column "
            "once, file_name and text among them, with commas between"
        )
    return header


def _cell(text: str) -> Any:
    """A cell's text, or the list that it holds as JSON."""
    if text.lstrip().startswith("["):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text


def content(root: Path, name: str, within: Path | None = None) -> bytes:
    """The bytes of a file below `root`; RowError for what is none.

    A link may lead to what lies below `within`, by default `root` itself, and not out of it.
    """
    path = root / name
    try:
        if not path.resolve().is_relative_to((within or root).resolve()):
            raise RowError(
                f"'{name}' is a link out of the folder, to {path.resolve()}; copy the picture "
                "into it"
            )
        if not stat.S_ISREG(path.stat().st_mode):
            raise RowError(f"'{name}' is not a file; name one picture")
        return path.read_bytes()
    except FileNotFoundError:
        base = Path(name).name
        advice = f"did you mean '{base}'?" if (root / base).exists() else "restore it or drop it"
        raise RowError(f"file '{name}' is missing (looked for {path}); {advice}") from None
    except (OSError, RuntimeError) as error:
        said = getattr(error, "strerror", None) or error
        raise RowError(f"'{name}' cannot be read ({said}); check the file") from None
