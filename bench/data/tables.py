"""`parquet:PATH` and `hub:NAME[@REV]`: rows of a table, through Hugging Face `datasets`.

A data set of the hub is fetched whole into the user's cache and then read as the folder that it is,
so a folder of one's own goes the same way. Its revision is resolved to a commit, which is part of
its identity. No code that comes with a data set is run.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.data.checked import below, stamp
from bench.data.folder import content
from bench.data.listing import Listing, Row, captions_of, names_of_files
from bench.data.pictures import RowError
from bench.errors import BenchError, UsageError, ValidationError, unknown

IMAGES = ("image", "img", "picture", "jpg", "jpeg", "png")
TEXTS = ("text", "caption", "captions", "txt", "prompt")


def listing(
    place: Path,
    title: str,
    split: str | None = None,
    config: str | None = None,
    image: str | None = None,
    text: str | None = None,
    commit: str | None = None,
) -> Listing:
    """What the table lists; `place` is a parquet file or a folder that `datasets` can read."""
    table = _load(place, title, split, config)
    pictures = _column(table, title, "image", image, _pictures_of(table), IMAGES)
    words = _column(table, title, "text", text, [], TEXTS)
    # Files of a snapshot are links into the blobs beside it.
    root = place if place.is_dir() else place.parent
    reader = _Reader(table, pictures, root, place.parents[1] if commit else root)
    rows, problems = [], []
    for number, caption in enumerate(table.select_columns([words])):
        where = f"{title}: row {number}"
        try:
            rows.append(Row(number, where, f"{number:06d}", captions_of(caption, (words,))))
        except RowError as error:
            problems.append((number, f"{where}: {error}"))
    if not rows and not problems:
        raise ValidationError(f"{title} has no rows")
    return Listing(
        title=title,
        kind=f"table {commit}" if commit else "table",
        rows=tuple(rows),
        read=reader,
        stamps=lambda _: below(place) if place.is_dir() else [stamp(place), *reader.stamps()],
        chosen=(pictures, words, split, config),
        problems=tuple(problems),
    )


def _load(place: Path, title: str, split: str | None, config: str | None) -> Any:
    """The rows of one split."""
    try:
        import datasets
    except ImportError:
        raise _extra() from None
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    try:
        if place.is_dir():
            loaded = datasets.load_dataset(str(place), config)
        else:
            loaded = datasets.load_dataset("parquet", data_files={"train": str(place)})
    except BenchError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a builder stumbles over
        cause = error.__cause__ or error
        if _is_empty(place):
            raise ValidationError(f"{title} has no rows") from None
        raise ValidationError(
            f"{title} cannot be read ({_first(cause)}); check the files"
        ) from None
    if split is not None and split not in loaded:
        raise unknown(f"split of {title}", split, loaded)
    if split is None and "train" not in loaded and len(loaded) > 1:
        raise UsageError(f"{title} has the splits {', '.join(loaded)}; name one: split=NAME")
    return loaded[split or ("train" if "train" in loaded else next(iter(loaded)))]


def _is_empty(place: Path) -> bool:
    """Whether there are parquet files and none has a row: `datasets` stumbles over these."""
    from pyarrow import ArrowException
    from pyarrow.parquet import read_metadata

    files = [place] if place.is_file() else sorted(place.rglob("*.parquet"))
    try:
        return bool(files) and not any(read_metadata(file).num_rows for file in files)
    except (OSError, ArrowException):
        return False


def _pictures_of(table: Any) -> list[str]:
    """Columns that are pictures by their type."""
    import datasets

    return [name for name, kind in table.features.items() if isinstance(kind, datasets.Image)]


def _column(
    table: Any, title: str, what: str, given: str | None, typed: list[str], usual: Sequence[str]
) -> str:
    """The column that was named, or the only one of its type, or the only one of a usual name."""
    names: list[str] = table.column_names
    if given is not None:
        if given not in names:
            raise unknown(f"column of {title}", given, names)
        return given
    found = typed or [name for name in names if name.lower() in usual]
    if len(found) == 1:
        return found[0]
    said = f"several columns may be the {what}" if found else f"no column is plainly the {what}"
    raise UsageError(f"{title}: {said} (it has {', '.join(names)}); name it: {what}=COLUMN")


class _Reader:
    """Bytes of the pictures by row: in the table, or in files below its folder."""

    def __init__(self, table: Any, column: str, root: Path, within: Path) -> None:
        import datasets

        self.column, self.root, self.within = column, root, within
        if isinstance(table.features[column], datasets.Image):
            table = table.cast_column(column, datasets.Image(decode=False))
        self.table = table.select_columns([column])

    def stamps(self) -> list[Any]:
        """Of the files that rows name instead of holding their picture."""
        import pyarrow.types
        from pyarrow import compute

        column = self.table.data.column(self.column)
        if pyarrow.types.is_struct(column.type):
            empty = compute.is_null(compute.struct_field(column, "bytes"))
            column = compute.filter(compute.struct_field(column, "path"), empty)
        if not pyarrow.types.is_string(column.type):
            return []
        return [stamp(self.root / name) for name in column.to_pylist() if name]

    def __call__(self, row: Row) -> bytes:
        value = self.table[row.number][self.column]
        if isinstance(value, dict):
            value = value.get("bytes") or value.get("path")
        if isinstance(value, bytes):
            return value
        if value is None:
            raise RowError(f"has no picture in '{self.column}'; drop the row")
        if not isinstance(value, str):
            kind = type(value).__name__
            raise RowError(f"'{self.column}' holds a {kind}, neither bytes nor the path of a file")
        # `datasets` gives full paths of the files that it found below the folder.
        path = Path(value)
        inside = path.is_absolute() and path.is_relative_to(self.root)
        name = str(path.relative_to(self.root)) if inside else value
        return content(self.root, names_of_files(name, self.root.name), self.within)


def _extra() -> UsageError:
    return UsageError(
        "hub: and parquet: read tables with Hugging Face datasets, which is not installed; "
        "pip install 't2i-defense-bench[data]'"
    )


def _first(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200].rstrip(".")
