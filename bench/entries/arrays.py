"""`scores.npz`: plain arrays, written alike for alike scores, read without trust.

    seed0-ids.npy               <U..  ids of all pairs that were scored, sorted
    seed0-members.npy           |b1   whether the target was trained on each
    seed0-attacker2-target.npy  <f4   score of each under attacker 2 (<f8 where rounding would tell)
    seed0-attacker2-base.npy          the same attack on the base, where that is a control

Numpy's own reader evaluates a header and allocates what it claims; here a header is matched letter
by letter, and its claim held against the size of the member, before anything is allocated.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.entries.problems import FlawError, shown
from bench.entries.schema import SCORES

MOST_BYTES = 16 << 20
MOST_UNPACKED = 64 << 20
MOST_PAIRS = 100_000
ANY_TIME = (1980, 1, 1, 0, 0, 0)
HEADER = re.compile(
    rb"\x93NUMPY\x01\x00(?P<length>..)\{'descr': '(?P<descr>[<|][a-zA-Z]\d{0,4})', "
    rb"'fortran_order': False, 'shape': \((?P<n>\d{1,9}),\), \} *\n",
    re.DOTALL,
)
FIRST = 128
"""Bytes of a member within which the header of a short array ends."""
KINDS = {"ids": re.compile(r"<U\d{1,3}"), "members": re.compile(r"\|b1"),
         "scores": re.compile(r"<f[48]")}  # fmt: skip


def write_scores(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """The bytes of `scores.npz`; the same for the same arrays, since no time is in them."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, array, version=(1, 0), allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy", ANY_TIME)
            info.compress_type, info.create_system = zipfile.ZIP_DEFLATED, 3
            packed.writestr(info, member.getvalue())
    return made.getvalue()


def read_scores(data: bytes, needed: Collection[str]) -> dict[str, NDArray[Any]]:
    """The arrays of these names and no others; FlawError if not plain and short."""
    names = {f"{name}.npy" for name in needed}
    # Every member costs memory before its name can be looked at.
    if data.count(b"PK\x01\x02") > len(names) + 100:
        raise FlawError(SCORES, f"far more members than the {len(names)} of this entry")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            _check_members(packed, names)
            return {name: _array(packed, name) for name in needed}
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, EOFError, OSError,
            ValueError, RuntimeError, zlib.error) as error:  # fmt: skip
        raise FlawError(SCORES, f"no readable zip file ({shown(str(error))})") from None


def _check_members(packed: zipfile.ZipFile, names: set[str]) -> None:
    members = packed.infolist()
    found = [member.filename for member in members]
    for name in found:
        if name not in names:
            raise FlawError(SCORES, f"unknown member {shown(name)}")
        if found.count(name) > 1:
            raise FlawError(SCORES, f"member {name} is there twice")
    if missing := names - set(found):
        raise FlawError(SCORES, f"{min(missing)} is missing")
    if sum(member.file_size for member in members) > MOST_UNPACKED:
        raise FlawError(SCORES, f"unpacks to more than {MOST_UNPACKED >> 20} MB")
    for member in members:
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise FlawError(SCORES, f"{member.filename} is packed in a way that is not read here")
        if member.flag_bits & 0x1:
            raise FlawError(SCORES, f"{member.filename} is encrypted")


def _array(packed: zipfile.ZipFile, name: str) -> NDArray[Any]:
    size = packed.getinfo(f"{name}.npy").file_size
    with packed.open(f"{name}.npy") as member:
        start = member.read(FIRST)
        dtype, n, begin = _header(name, start)
        if begin + n * dtype.itemsize != size:
            raise FlawError(
                SCORES, f"{name}: claims {n} values of {dtype.itemsize} bytes and holds "
                f"{size - begin} bytes"
            )  # fmt: skip
        content = start + member.read(size)  # to the end, where the checksum is compared
    if len(content) != size:
        raise FlawError(SCORES, f"{name}: ends early")
    return _values(name, np.frombuffer(content, np.uint8)[begin:], dtype)


def _header(name: str, start: bytes) -> tuple[np.dtype[Any], int, int]:
    match = HEADER.match(start)
    if match is None or int.from_bytes(match["length"], "little") != match.end() - 10:
        raise FlawError(SCORES, f"{name}: has no plain header of a one-row array")
    kind, descr, n = name.rpartition("-")[2], match["descr"].decode(), int(match["n"])
    if descr == "|O":
        raise FlawError(SCORES, f"{name}: holds objects (a pickle), which are never read")
    if not KINDS.get(kind, KINDS["scores"]).fullmatch(descr):
        raise FlawError(SCORES, f"{name}: values of type {shown(descr)} are not read here")
    if not 0 < n <= MOST_PAIRS:
        raise FlawError(SCORES, f"{name}: {n} values; 1 to {MOST_PAIRS:,} are read")
    return np.dtype(descr), n, match.end()


def _values(name: str, raw: NDArray[np.uint8], dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype.kind == "b" and raw.max(initial=0) > 1:
        raise FlawError(SCORES, f"{name}: flags other than true and false")
    if dtype.kind == "U" and raw.view("<u4").max(initial=0) > 0x10FFFF:
        raise FlawError(SCORES, f"{name}: no text")
    return raw.view(dtype)


def file_sha256(data: bytes) -> str:
    """sha256 of bytes that are in memory anyway."""
    return hashlib.sha256(data).hexdigest()
