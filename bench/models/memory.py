"""What a process does with memory that a forward has freed."""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
KEPT = 256 << 20
"""Bytes of free memory that a process keeps."""
FROM_THE_HEAP = 32 << 20
"""The most that glibc takes: larger blocks are always fetched from the system and given back."""


def keep_freed() -> bool:
    """Free memory stays with the process for the next forward; False where libc has no such choice.

    glibc gives back what is free at the end of its heap, and a small model's next layer fetches it
    again, page by page: a tenth of a forward. Numbers do not change.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    # Each is tried: setting one ends glibc's own adjustment of both.
    return all([mallopt(M_MMAP_THRESHOLD, FROM_THE_HEAP), mallopt(M_TRIM_THRESHOLD, KEPT)])
