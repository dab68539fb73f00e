"""Reading arrays and archives that may not unpack to more than their own size.

This project compresses nothing, so it has not written a file that unpacks to much more.
"""

from __future__ import annotations

import io
import math
import zipfile

import numpy as np
import numpy.lib.format as npy
import numpy.typing as npt

_MAX_ENTRIES = 64
_MAX_GROWTH = 2
_READ_HEADER = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read_array(content: bytes) -> npt.NDArray[np.generic]:
    """Read a .npy file.

    Raises:
        ValueError: The file is invalid, holds Python objects, or its size does not fit its shape.
    """
    file = io.BytesIO(content)
    version = npy.read_magic(file)
    if version not in _READ_HEADER:
        raise ValueError(f"an array of format {version}; known are {sorted(_READ_HEADER)}")
    shape, _, dtype = _READ_HEADER[version](file)
    stored, promised = len(content) - file.tell(), math.prod(shape) * dtype.itemsize
    if dtype.hasobject or stored != promised:
        raise ValueError(f"an array of {dtype} in the shape {shape} in {stored} bytes")
    found: npt.NDArray[np.generic] = np.load(io.BytesIO(content), allow_pickle=False)
    return found


def read_arrays(content: bytes) -> dict[str, npt.NDArray[np.generic]]:
    """Read a .npz file.

    Raises:
        ValueError: The file is damaged, or unpacks to far more than its size.
    """
    entries = read_archive(content)
    return {name.removesuffix(".npy"): read_array(entry) for name, entry in entries.items()}


def read_archive(content: bytes) -> dict[str, bytes]:
    """Read all entries of a zip file, by name.

    Raises:
        ValueError: It is damaged, has a duplicate name, or unpacks to far more than its size.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            names = {entry.filename for entry in entries}
            if len(entries) > _MAX_ENTRIES or len(names) != len(entries):
                raise ValueError(
                    f"a zip file of {len(entries)} entries with {len(names)} names; "
                    f"expected at most {_MAX_ENTRIES}, each once"
                )
            # zipfile never returns more bytes of an entry than this size.
            unpacked = sum(entry.file_size for entry in entries)
            if unpacked > _MAX_GROWTH * len(content):
                raise ValueError(
                    f"a zip file of {len(content)} bytes that unpacks to {unpacked}; "
                    f"expected at most {_MAX_GROWTH} times its size"
                )
            return {entry.filename: archive.read(entry) for entry in entries}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise ValueError(f"a damaged zip file: {error}") from error
