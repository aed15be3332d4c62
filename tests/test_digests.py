"""Digests are remembered for the very file, and never for another."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from bench import digests
from bench.digests import known_digest


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of a kilobyte that counts as large, last changed an hour ago as far as we look."""
    monkeypatch.setattr(digests, "LARGE", 1000)
    monkeypatch.setattr(digests, "SETTLED", -1e9)
    monkeypatch.setattr(digests, "_notes", lambda: tmp_path / "notes")
    path = tmp_path / "weights"
    path.write_bytes(b"a" * 1000)
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(path: Path) -> str:
        raise AssertionError(f"{path} is read")

    monkeypatch.setattr(digests, "file_digest", read)


def test_a_large_file_is_read_once(large, monkeypatch):
    assert known_digest(large) == digest(large)
    unread(monkeypatch)
    assert known_digest(large) == digest(large)


def test_a_link_to_it_is_the_same_file(large, tmp_path, monkeypatch):
    known_digest(large)
    (tmp_path / "link").symlink_to(large)
    unread(monkeypatch)
    assert known_digest(tmp_path / "link") == digest(large)


def test_a_small_file_is_always_read(large, tmp_path):
    large.write_bytes(b"a" * 999)
    assert known_digest(large) == digest(large)
    assert not (tmp_path / "notes").exists()


def test_another_content_of_the_same_size_and_time_is_read(large):
    known_digest(large)
    before = large.stat()
    large.write_bytes(b"b" * 1000)
    os.utime(large, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert large.stat().st_mtime_ns == before.st_mtime_ns
    assert known_digest(large) == digest(large)


def test_another_file_put_in_its_place_is_read(large, tmp_path):
    known_digest(large)
    other = tmp_path / "other"
    other.write_bytes(b"c" * 1000)
    os.utime(other, ns=(large.stat().st_atime_ns, large.stat().st_mtime_ns))
    other.replace(large)
    assert known_digest(large) == digest(large)


def test_what_has_just_changed_is_not_remembered(large, tmp_path, monkeypatch):
    monkeypatch.setattr(digests, "SETTLED", 3600.0)
    assert known_digest(large) == digest(large)
    assert not (tmp_path / "notes").exists()


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"size": 1000}'])
def test_a_damaged_note_is_written_anew(large, tmp_path, content, monkeypatch):
    known_digest(large)
    (note,) = (tmp_path / "notes").iterdir()
    note.write_text(content)
    assert known_digest(large) == digest(large)
    unread(monkeypatch)
    assert known_digest(large) == digest(large)


def test_without_a_place_for_notes_the_file_is_read(large, tmp_path):
    (tmp_path / "notes").write_text("a file where the folder would be")
    assert known_digest(large) == digest(large)
