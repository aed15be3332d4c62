"""`folder:PATH`: every slip is one line that says where and what; every picture comes out RGB."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.data.sources import open_source
from bench.errors import BenchError, UsageError, ValidationError


def png(colour: tuple[int, ...] = (200, 30, 30), size: tuple[int, int] = (12, 8)) -> bytes:
    return encoded(Image.new("RGB", size, colour), "PNG")


def encoded(image: Image.Image, format_: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


def line(name: object = "a.png", **keys: object) -> bytes:
    return json.dumps({"file_name": name, **(keys or {"text": "a red thing"})}).encode()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A sound folder of three pictures, one of them in a folder below."""
    (tmp_path / "below").mkdir()
    for i, name in enumerate(["a.png", "b.png", "below/c.png"]):
        (tmp_path / name).write_bytes(png((i, 2, 3)))
    write(tmp_path, line("a.png"), line("b.png", caption="two"), line("below/c.png", text="drei"))
    return tmp_path


def write(root: Path, *lines: bytes) -> None:
    (root / "metadata.jsonl").write_bytes(b"\n".join(lines) + b"\n")


def test_a_sound_folder(root: Path) -> None:
    source = open_source(f"folder:{root}")
    pairs = source.pairs()
    assert pairs.ids == ("a.png", "b.png", "below/c.png")
    assert pairs.captions == pairs.originals == ("a red thing", "two", "drei")
    assert pairs.image("below/c.png").getpixel((0, 0)) == (2, 2, 3)
    assert (source.label, source.resolution, source.notes) == (root.name, 8, ())
    assert source.name == f"folder:{root}"


def jpeg() -> bytes:
    return encoded(
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)), "JPEG"
    )


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "not JSON": (
        lambda r: write(r, line("b.png"), b'{"file_name": "a.png", "text": "x"'),
        r":2: is not JSON \(.*\); a line looks like",
    ),
    "not an object": (lambda r: write(r, b'["a.png", "x"]'), ":1: is not a JSON object"),
    "nested without end": (lambda r: write(r, b"[" * 100_000), ":1: is not JSON"),
    "no file_name": (lambda r: write(r, b'{"text": "x"}'), ":1: has no 'file_name'; give"),
    "file_name a number": (lambda r: write(r, line(7)), ":1: has the file_name 7; give"),
    "file_name empty": (lambda r: write(r, line(" ")), ":1: has the file_name ' '; give"),
    "no caption": (
        lambda r: write(r, line("b.png"), line(label=3)),
        r":2: has no caption \(found 'label'\); add the key 'text' or 'caption'",
    ),
    "caption null": (lambda r: write(r, line(text=None)), r":1: has no caption \(found 'text'\)"),
    "caption empty": (lambda r: write(r, line(text=" \t")), ":1: 'text' is empty; write"),
    "caption a number": (lambda r: write(r, line(caption=4)), ":1: 'caption' is 4; give"),
    "no captions in the list": (
        lambda r: write(r, line(text=[])),
        ":1: 'text' is empty; write a caption",
    ),
    "an empty caption in the list": (
        lambda r: write(r, line(text=["x", " "])),
        ":1: 'text' is empty; write a caption",
    ),
    "a number in the list": (
        lambda r: write(r, line(text=["x", 3])),
        r":1: 'text' is \['x', 3\]; give the caption as text",
    ),
    "a link out of the folder": (
        lambda r: ((r / "a.png").unlink(), (r / "a.png").symlink_to("/etc/hostname")),
        ":1: 'a.png' is a link out of the folder, to /etc/hostname; copy the picture",
    ),
    "a linked folder": (
        lambda r: ((r / "away").symlink_to("/etc"), write(r, line("away/hostname"))),
        ":1: 'away/hostname' is a link out of the folder, to /etc/hostname",
    ),
    "a link to itself": (
        lambda r: ((r / "a.png").unlink(), (r / "a.png").symlink_to(r / "a.png")),
        ":1: 'a.png' cannot be read",
    ),
    "a bomb": (
        lambda r: (r / "a.png").write_bytes(encoded(Image.new("1", (30_000, 3_000)), "PNG")),
        ":1: 'a.png' has more than 89,478,485 pixels; scale it down",
    ),
    "text and caption": (
        lambda r: write(r, line(text="x", caption="y")),
        ":1: has both 'text' and 'caption' and they differ; keep one",
    ),
    "missing picture": (
        lambda r: write(r, line("b.png"), b"", line("z.png")),
        r":3: file 'z.png' is missing \(looked for .*z.png\); restore it or drop it",
    ),
    "relative to the wrong folder": (
        lambda r: write(r, line("train/a.png")),
        ":1: file 'train/a.png' is missing .*; did you mean 'a.png'?",
    ),
    "a folder as picture": (lambda r: write(r, line("below")), ":1: 'below' is not a file; name"),
    "text as picture": (
        lambda r: (r / "b.png").write_text("hello, world\nthis is text"),
        r":2: 'b.png' cannot be decoded as a picture \(it is text that begins 'hello, world.*'\)",
    ),
    "empty picture": (lambda r: (r / "b.png").write_bytes(b""), r":2: 'b.png' .* \(it is empty\)"),
    "truncated png": (
        lambda r: (r / "a.png").write_bytes(png()[:-30]),
        ":1: 'a.png' cannot be decoded as a picture .*; replace it or drop the line",
    ),
    "truncated jpeg": (
        lambda r: (r / "a.png").write_bytes(jpeg()[:-400]),
        ":1: 'a.png' cannot be decoded as a picture .*truncated.*; replace it",
    ),
    "random bytes": (
        lambda r: (r / "a.png").write_bytes(bytes(range(128, 256)) * 4),
        ":1: 'a.png' cannot be decoded as a picture",
    ),
    "floating point": (
        lambda r: (r / "a.png").write_bytes(encoded(Image.new("F", (4, 4)), "TIFF")),
        r":1: 'a.png' .*\(floating-point pixels\)",
    ),
    "listed twice": (
        lambda r: write(r, line("a.png"), line("b.png"), line("below/../a.png")),
        ":3: 'a.png' is listed already on line 1; keep one line a picture, with a list",
    ),
    "above the folder": (
        lambda r: write(r, line("../a.png")),
        r":1: '\.\./a\.png' lies outside the folder; move",
    ),
    "absolute": (
        lambda r: write(r, line("/etc/a.png")),
        ":1: '/etc/a.png' lies outside the folder",
    ),
    "out and in again": (
        lambda r: write(r, line("below/../../x/a.png")),
        ":1: .* lies outside the folder",
    ),
    "not UTF-8": (
        lambda r: write(r, line("b.png"), '{"file_name": "a.png", "text": "Tür"}'.encode("latin1")),
        ":2: is not UTF-8; save the file as UTF-8",
    ),
    "UTF-16": (
        lambda r: (r / "metadata.jsonl").write_bytes(line().decode().encode("utf-16")),
        ":1: is not UTF-8",
    ),
    "half a character": (
        lambda r: write(r, b'{"file_name": "a.png", "text": "x \\ud83d"}'),
        ":1: 'text' holds half a character",
    ),
    "name too long": (lambda r: write(r, line("x" * 5000)), ":1: 'x+' cannot be read"),
    "zero byte in the name": (lambda r: write(r, line("a\0.png")), ":1: has the file_name"),
    "line break in the name": (lambda r: write(r, line("a\nb.png")), ":1: file 'a b.png' is miss"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_folder_is_refused_in_one_line(root: Path, case: str) -> None:
    break_it, expected = BROKEN[case]
    break_it(root)
    with pytest.raises(ValidationError) as caught:
        open_source(f"folder:{root}")
    message = str(caught.value)
    assert re.match(re.escape(f"{root}/metadata.jsonl") + expected, message), message
    assert "\n" not in message
    assert caught.value.exit_code == 3


def test_several_bad_files_are_counted(root: Path) -> None:
    (root / "a.png").write_bytes(b"GIF")
    (root / "b.png").unlink()
    write(root, line("a.png"), line("b.png"), line("below/c.png"), b"?")
    with pytest.raises(ValidationError, match=r":1: 'a.png' .* \(and 2 more such lines\)$"):
        open_source(f"folder:{root}")


def test_nothing_listed(root: Path) -> None:
    write(root, b"", b"  ")
    with pytest.raises(ValidationError, match=r"metadata\.jsonl lists no pictures; add a line"):
        open_source(f"folder:{root}")


@pytest.mark.parametrize(
    ("prepare", "path", "expected"),
    [
        (lambda r: None, "nowhere", "folder .*nowhere does not exist; check the path"),
        (lambda r: None, "a.png", "a.png is a file; give the folder that holds metadata.jsonl"),
        (
            lambda r: None,
            "below",
            "below holds neither metadata.jsonl nor metadata.csv; write one line",
        ),
        (
            lambda r: (r / "metadata.jsonl").rename(r / "below" / "metadata.jsonl"),
            "",
            r"holds neither metadata.jsonl nor metadata.csv, but .*below does; use folder:.*below",
        ),
    ],
)
def test_the_folder_itself_is_wrong(
    root: Path, prepare: Callable[[Path], object], path: str, expected: str
) -> None:
    prepare(root)
    with pytest.raises(UsageError, match=expected) as caught:
        open_source(f"folder:{root / path}")
    assert caught.value.exit_code == 2


def test_small_liberties_are_taken_as_meant(root: Path) -> None:
    write(root, b"\xef\xbb\xbf" + line("./a.png", text=[" one "]) + b"\r", b"", line("b.png"))
    pairs = open_source(f"folder:{root}").pairs()
    assert pairs.ids == ("a.png", "b.png")
    assert pairs.captions == ("one", "a red thing")


def test_unlisted_pictures_are_mentioned(root: Path) -> None:
    write(root, line("a.png"))
    (root / "notes.txt").write_text("x")
    (root / ".b.png").write_bytes(b"")
    assert open_source(f"folder:{root}").notes == (
        f"2 pictures in {root} are not in metadata.jsonl: left out",
    )


def test_identity_is_that_of_the_content(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    first = open_source(f"folder:{root}").identity
    assert re.fullmatch("[0-9a-f]{64}", first)
    assert open_source(f"folder:{root}").identity == first
    copy = tmp_path_factory.mktemp("copy") / "elsewhere"
    root.rename(copy)
    assert open_source(f"folder:{copy}").identity == first
    write(
        copy,
        line("a.png", text="a red thing", extra=1),
        line("b.png", text="two"),
        line("below/c.png", text="drei"),
    )
    assert open_source(f"folder:{copy}").identity == first, "other keys do not count"
    seen = {first}
    for change in (
        lambda: write(
            copy,
            line("a.png", text="other"),
            line("b.png", text="two"),
            line("below/c.png", text="drei"),
        ),
        lambda: (copy / "b.png").write_bytes(png((9, 9, 9))),
        lambda: write(
            copy,
            line("b.png", text="two"),
            line("a.png", text="other"),
            line("below/c.png", text="drei"),
        ),
    ):
        change()
        found = open_source(f"folder:{copy}").identity
        assert found not in seen
        seen.add(found)


def test_each_picture_is_read_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    plain = Path.read_bytes

    def counted(path: Path) -> bytes:
        read.append(path.name)
        return plain(path)

    monkeypatch.setattr(Path, "read_bytes", counted)
    open_source(f"folder:{root}")
    assert sorted(read) == ["a.png", "b.png", "c.png", "metadata.jsonl"]


def test_a_picture_that_vanishes_later_is_one_clear_line(root: Path) -> None:
    pairs = open_source(f"folder:{root}").pairs()
    (root / "a.png").unlink()
    with pytest.raises(BenchError, match=r"a\.png: can no longer be read .*; restore it"):
        pairs.image("a.png")
