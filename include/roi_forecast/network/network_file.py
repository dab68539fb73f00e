"""What a .keras file holds, read so that it takes no more memory than the file has bytes."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import h5py

from roi_forecast.files.arrays import read_archive

_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"


@dataclass(frozen=True)
class NetworkFile:
    """The two parts of a .keras file that matter.

    Attributes:
        config: The architecture, as Keras describes it.
        weights: An open HDF5 file; each of its arrays takes as many bytes there as in memory.
    """

    config: dict[str, Any]
    weights: h5py.File


@contextmanager
def open_network_file(content: bytes) -> Iterator[NetworkFile]:
    """Open a .keras file.

    Raises:
        ValueError: It is damaged, or a part of it is elsewhere or would unpack to more.
        KeyError, OSError: It is damaged.
    """
    entries = read_archive(content)
    config = json.loads(entries[_CONFIG])
    with h5py.File(io.BytesIO(entries[_WEIGHTS]), "r") as weights:
        _require_stored(weights, set())
        yield NetworkFile(config, weights)


def _require_stored(group: h5py.Group, known: set[int]) -> None:
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise ValueError(f"{group.name}/{name} is a link to another place")
        item = group[name]
        address = h5py.h5o.get_info(item.id).addr
        if address in known:
            raise ValueError(f"{group.name}/{name} is there under a second name")
        known.add(address)
        if isinstance(item, h5py.Group):
            _require_stored(item, known)
        elif (
            item.external is not None
            or item.is_virtual
            or item.chunks is not None
            or item.id.get_storage_size() != item.nbytes
        ):
            raise ValueError(
                f"{item.name} takes {item.nbytes} bytes in memory and "
                f"{item.id.get_storage_size()} in the file"
            )
