"""`metadata.csv`: what is read of it, and every slip told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from pictured import photos, write_pictures

from bench.data.sources import open_source
from bench.errors import UsageError, ValidationError

NAMES = ("000000.jpg", "000001.jpg", "000002.jpg")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_pictures(tmp_path, photos(3))
    return tmp_path


def captions(root: Path, content: str | bytes) -> tuple[str, ...]:
    data = content.encode() if isinstance(content, str) else content
    (root / "metadata.csv").write_bytes(data)
    return open_source(f"folder:{root}").pairs().captions


def test_quotes_line_breaks_and_other_columns(root: Path) -> None:
    text = (
        "\ufefftext,file_name,likes\r\n"
        '"red, and ""round""",000000.jpg,3\r\n'
        '"two\nlines",000001.jpg,\r\n'
        "\r\n"
        "plain,000002.jpg\r\n"
    )
    assert captions(root, text) == ('red, and "round"', "two\nlines", "plain")


def test_a_cell_may_hold_a_list_as_json(root: Path) -> None:
    text = 'file_name,text\n000000.jpg,"[""one"", ""two""]"\n000001.jpg,[sic] three\n'
    assert captions(root, text) == ("one", "[sic] three")
    assert open_source(f"folder:{root},captions=all").pairs().ids == (
        "000000.jpg#0",
        "000000.jpg#1",
        "000001.jpg#0",
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("name,text\n000000.jpg,x\n", ":1: the header is 'name,text'; it must name each column"),
        ("file_name;text\n000000.jpg;x\n", ":1: the header is 'file_name;text'"),
        ("file_name,text,text\n", ":1: the header is 'file_name,text,text'"),
        ("file_name,label\n000000.jpg,x\n", r":2: has no caption \(found 'label'\)"),
        ("file_name,text\n000000.jpg\n", r":2: has no caption \(found no other key\)"),
        ("file_name,text\n000000.jpg,\n", ":2: 'text' is empty"),
        ("file_name,text\n,x\n", ":2: has the file_name ''"),
        ("file_name,text\n000000.jpg,a, b\n", ":2: has 3 cells and the header 2; put a caption"),
        ('file_name,text\n000000.jpg,"a\nb"\n000000.jpg,c\n', ":4: '000000.jpg' is listed already"),
        ('file_name,text\n000000.jpg,"x\n', r":2: is not CSV \(unexpected end of data\); mind"),
        (b"file_name,text\n000000.jpg,x\n000001.jpg,T\xfcr\n", ":3: is not UTF-8; save"),
        ("file_name,text\n/etc/hostname,x\n", ":2: '/etc/hostname' lies outside the folder"),
        ("file_name,text\n../000000.jpg,x\n", r":2: '\.\./000000.jpg' lies outside the folder"),
        ("file_name,text\ngone.jpg,x\n", ":2: file 'gone.jpg' is missing"),
        ("file_name,text\n", " lists no pictures"),
        ("", " lists no pictures"),
        ('file_name,text\n000000.jpg,"[""a"", 3]"\n', r":2: 'text' is \['a', 3\]; give"),
        (f"file_name,text\n000000.jpg,{'x' * 200_000}\n", r":2: is not CSV \(field larger than"),
    ],
)
def test_every_slip_is_one_line_with_its_number(
    root: Path, content: str | bytes, told: str
) -> None:
    with pytest.raises(ValidationError, match=f"^{root}/metadata.csv{told}") as caught:
        captions(root, content)
    assert "\n" not in str(caught.value)


def test_two_lists_of_one_folder_are_refused(root: Path) -> None:
    (root / "metadata.jsonl").write_text('{"file_name": "000000.jpg", "text": "x"}\n')
    with pytest.raises(UsageError, match=r"holds both metadata.jsonl and metadata.csv; keep one"):
        captions(root, "file_name,text\n000000.jpg,x\n")
