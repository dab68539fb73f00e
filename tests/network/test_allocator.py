from __future__ import annotations

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="another C library keeps its own ways"
)

# Each round allocates and frees 40 MB, more than glibc would ever keep.
ROUNDS = """
import ctypes
import resource
import psutil
from roi_forecast.network.allocator import freed_memory_kept

library = ctypes.CDLL(None)
library.malloc.argtypes, library.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
library.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
library.free.argtypes, library.free.restype = [ctypes.c_void_p], None

def faults(rounds):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(rounds):
        block = library.malloc(40_000_000)
        library.memset(block, 1, 40_000_000)
        library.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return psutil.Process().memory_info().rss / 1e6
"""


def answer(program: str) -> list[float]:
    command = [sys.executable, "-c", ROUNDS + program]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    return [float(number) for number in ended.stdout.split()]


def test_memory_that_is_freed_in_the_block_serves_the_next_allocation():
    outside, inside = answer(
        "print(faults(10))\nwith freed_memory_kept():\n    faults(1)\n    print(faults(10))\n"
    )
    assert outside > 10_000
    assert inside < outside / 100


def test_memory_is_given_back_after_the_block():
    before, inside, after = answer(
        "print(resident())\n"
        "with freed_memory_kept():\n    faults(1)\n    print(resident())\n"
        "print(resident())\n"
    )
    assert inside > before + 35
    assert after < before + 5


def test_an_error_in_the_block_ends_it_too():
    (after,) = answer(
        "try:\n"
        "    with freed_memory_kept():\n"
        "        raise KeyError\n"
        "except KeyError:\n"
        "    faults(1)\n"
        "    print(resident())\n"
    )
    (without,) = answer("faults(1)\nprint(resident())\n")
    assert after < without + 5
