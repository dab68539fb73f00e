"""What the process does with memory that a training step frees."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

# The names of glibc's mallopt, from its malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -3, -4, -8

_LARGEST = 2**31 - 1
_MIB = 2**20


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Keep what is freed in the block for what is allocated next, and give it back at the end.

    glibc gives large blocks back to the system as soon as they are freed, and so does each thread
    with the end of its own heap. Every step of a training allocates what the step before has freed,
    and the system would fill all of it with zeros again, page by page. In the block all threads
    share one heap, which only grows. Threads that already have a heap keep it, so the block begins
    before TensorFlow starts its own.

    After it, thresholds are fixed where glibc's own would have risen to. With another C library
    nothing changes.
    """
    library = ctypes.CDLL(None)
    if not (hasattr(library, "mallopt") and hasattr(library, "malloc_trim")):
        yield
        return
    library.mallopt(_ARENA_MAX, 1)
    library.mallopt(_MMAP_MAX, 0)
    library.mallopt(_TRIM_THRESHOLD, _LARGEST)
    try:
        yield
    finally:
        library.mallopt(_MMAP_MAX, 65536)
        library.mallopt(_MMAP_THRESHOLD, 32 * _MIB)
        library.mallopt(_TRIM_THRESHOLD, 64 * _MIB)
        library.malloc_trim(0)
