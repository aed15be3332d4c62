"""Reads an archive that anybody may have made: nothing but what its manifest says, and no more.

Refused are links, devices and sparse files, names that the manifest has not (so no path leads
anywhere), members of another size, and headers that are larger than any of ours. What is unpacked
is bounded by the sizes in the manifest, whatever the compression.
"""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from bench.archives.manifest import MOST, NAME, Manifest, parse
from bench.errors import UsageError, ValidationError

HEADER = 64 << 10
"""Bytes of one read while a header is read: ours have 512, long names some thousand."""
CHUNK = 1 << 20
GZIP = b"\x1f\x8b"


class Members:
    """The members of an archive, in its order, each looked at once."""

    def __init__(self, tar: tarfile.TarFile, bounded: _Bounded) -> None:
        self._tar, self._bounded = tar, bounded
        first = self._next()
        if first is None or first.name != NAME or first.size > MOST:
            raise ValidationError(f"it does not begin with a {NAME} as `bench export` writes it")
        self.manifest: Manifest = parse(b"".join(self._content(first)))

    def __iter__(self) -> Iterator[tuple[str, int, Iterator[bytes]]]:
        """(name, size, content in pieces); ValidationError at the first that is not as it says."""
        due = self.manifest.sizes()
        while (member := self._next()) is not None:
            size = due.pop(member.name, None)
            if size is None:
                raise ValidationError(f"{_shown(member.name)}: not in its manifest, or twice")
            if size != member.size:
                raise ValidationError(
                    f"{member.name}: {member.size} bytes, of which its manifest says {size}"
                )
            yield member.name, size, self._content(member)
        if due:
            raise ValidationError(f"{min(due)}: missing")
        self._end()

    def _end(self) -> None:
        """Reads on to where the file ends, which is where gzip holds it to its own checksum."""
        self._bounded.most = left = HEADER
        while piece := self._bounded.read(HEADER):
            left -= len(piece)
            if left < 0:
                raise ValidationError("it goes on behind its end")

    def _next(self) -> tarfile.TarInfo | None:
        self._bounded.most = HEADER
        member = self._tar.next()
        if member is not None and not _is_plain(member):
            raise ValidationError(f"{_shown(member.name)}: a link, a device or a folder")
        return member

    def _content(self, member: tarfile.TarInfo) -> Iterator[bytes]:
        self._bounded.most = CHUNK
        content = cast(IO[bytes], self._tar.extractfile(member))  # a plain file has one
        left = member.size
        while left:
            piece = content.read(min(left, CHUNK))
            if not piece:
                raise ValidationError(f"{member.name}: cut short")
            left -= len(piece)
            yield piece


@contextmanager
def opened(file: Path) -> Iterator[Members]:
    """ValidationError, with the file's name, for whatever is wrong with it while this lasts."""
    try:
        raw = file.open("rb")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}; name an archive") from None
    with raw:
        packed = raw.read(2) == GZIP
        raw.seek(0)
        try:
            bounded = _Bounded(gzip.GzipFile(fileobj=raw) if packed else raw)
            with tarfile.TarFile(fileobj=cast(IO[bytes], bounded)) as tar:
                yield Members(tar, bounded)
        except ValidationError as error:
            raise ValidationError(f"{file}: {error}; nothing of it was taken") from None
        except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, RecursionError) as error:
            said = str(error) or "cut short"
            raise ValidationError(
                f"{file} is no whole archive of `bench export` ({said}); nothing of it was taken"
            ) from None


class _Bounded:
    """A file of which nobody reads more at once than is right at the moment."""

    def __init__(self, file: IO[bytes] | gzip.GzipFile) -> None:
        self._file, self.most = file, HEADER

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= self.most:
            raise ValidationError("a header larger than any of ours")
        return self._file.read(size)

    def seek(self, place: int, whence: int = 0) -> int:
        return self._file.seek(place, whence)

    def tell(self) -> int:
        return self._file.tell()


def _is_plain(member: tarfile.TarInfo) -> bool:
    return member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and member.sparse is None


def _shown(name: str) -> str:
    """A name from who knows where, fit for a terminal."""
    return ascii(name[:120])
