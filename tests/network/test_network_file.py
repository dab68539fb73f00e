from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from network.synthetic_dataset import SMALL
from roi_forecast.errors import RegistryError
from roi_forecast.files.artifacts import write_manifest
from roi_forecast.network.keras_network import load_keras_network
from roi_forecast.network.network import build_network
from roi_forecast.network.network_file import open_network_file
from roi_forecast.network.numpy_network import read_numpy_network
from roi_forecast.network.predictor import load_predictor

WEIGHTS = "model.weights.h5"


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("network") / "model.keras"
    build_network(SMALL, 8, 3, np.full(3, 0.5), None).save(path)
    return path.read_bytes()


def changed(content: bytes, **parts: bytes) -> bytes:
    """The file with other parts, stored as Keras does."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, entry in (entries | parts).items():
            archive.writestr(name, entry)
    return file.getvalue()


def weights(content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(WEIGHTS)


def with_weights(content: bytes, change: Callable[[h5py.File, str], None]) -> bytes:
    """The file with one of its arrays changed."""
    file = io.BytesIO(weights(content))
    with h5py.File(file, "r+") as opened:
        found: list[str] = []
        opened.visititems(
            lambda name, item: found.append(name) if hasattr(item, "nbytes") else None
        )
        name = max(found, key=lambda name: opened[name].nbytes)
        change(opened, name)
    return changed(content, **{WEIGHTS: file.getvalue()})


def compressed(file: h5py.File, name: str) -> None:
    del file[name]
    file.create_dataset(name, data=np.zeros((2**12, 2**12), np.float32), compression="gzip")


def never_written(file: h5py.File, name: str) -> None:
    del file[name]
    file.create_dataset(name, shape=(2**16, 2**16), dtype=np.float32, fillvalue=1.0)


def elsewhere(file: h5py.File, name: str) -> None:
    shape = file[name].shape
    del file[name]
    file.create_dataset(name, shape=shape, dtype=np.float32, external=[("/etc/passwd", 0, 10**6)])


def external_link(file: h5py.File, name: str) -> None:
    del file[name]
    file[name] = h5py.ExternalLink("/etc/passwd", "/x")


def soft_link(file: h5py.File, name: str) -> None:
    file.move(name, "moved")
    file[name] = h5py.SoftLink("/moved")


def virtual(file: h5py.File, name: str) -> None:
    shape = file[name].shape
    del file[name]
    layout = h5py.VirtualLayout(shape, np.float32)
    layout[...] = h5py.VirtualSource("/etc/passwd", "x", shape)
    file.create_virtual_dataset(name, layout)


def in_itself(file: h5py.File, name: str) -> None:
    file["layers/again"] = file["/"]


@pytest.mark.parametrize(
    "change",
    [compressed, never_written, elsewhere, external_link, soft_link, virtual, in_itself],
)
def test_weights_that_are_elsewhere_or_grow_in_memory_are_refused_by_every_reader(
    network: bytes, tmp_path: Path, change: Callable[[h5py.File, str], None]
) -> None:
    content = with_weights(network, change)
    for read in (read_numpy_network, load_keras_network):
        with pytest.raises(ValueError):
            read(content)
    (tmp_path / "model.keras").write_bytes(content)
    with pytest.raises(RegistryError, match="is damaged or not a model of this project"):
        load_predictor(tmp_path)


def test_a_file_that_unpacks_to_far_more_than_its_size_is_refused_by_every_reader(
    network: bytes,
) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b"{}")
        archive.writestr(WEIGHTS, bytes(2**26))
    for read in (read_numpy_network, load_keras_network):
        with pytest.raises(ValueError, match="unpacks to"):
            read(file.getvalue())


def test_a_file_of_keras_is_opened(network: bytes) -> None:
    with open_network_file(network) as file:
        assert file.config["class_name"] == "Functional"
        assert "layers" in file.weights


def other_network(path: Path) -> None:
    network = build_network(SMALL, 8, 3, np.full(3, 0.5), None)
    network.set_weights([weight + 1 for weight in network.get_weights()])
    network.save(path)


def test_an_unlisted_network_in_an_ensembles_folder_changes_no_forecast(
    network: bytes, tmp_path: Path
) -> None:
    for number in range(2):
        (tmp_path / f"member_{number}").mkdir()
        (tmp_path / f"member_{number}" / "model.keras").write_bytes(network)
    write_manifest(tmp_path, {})
    rows = np.random.default_rng(0).random((20, 3)).astype(np.float32)
    before = load_predictor(tmp_path).predict_members(rows, rows, range(8, 21))

    for place in (tmp_path, tmp_path / "member_2"):
        place.mkdir(exist_ok=True)
        other_network(place / "model.keras")
        found = load_predictor(tmp_path).predict_members(rows, rows, range(8, 21))
        np.testing.assert_array_equal(found, before)


@pytest.mark.parametrize("names", [("model.keras", "member_0"), ("member_0", "member_2")])
def test_a_manifest_of_two_kinds_of_network_or_with_a_gap_is_refused(
    network: bytes, tmp_path: Path, names: tuple[str, ...]
) -> None:
    for name in names:
        path = tmp_path / name if name == "model.keras" else tmp_path / name / "model.keras"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(network)
    write_manifest(tmp_path, {})
    with pytest.raises(RegistryError, match="received members"):
        load_predictor(tmp_path)
