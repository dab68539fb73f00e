from __future__ import annotations

import subprocess
import sys

import keras
import numpy as np
import pytest

from network.saved_network import random_network, save_network
from network.synthetic_dataset import SMALL, synthetic_dataset
from roi_forecast.errors import DatasetError, RegistryError
from roi_forecast.network.predictor import Predictor, load_predictor


@pytest.fixture(scope="module", params=["hybrid", "hybrid_ar"])
def saved(request, tmp_path_factory) -> tuple[keras.Model, Predictor]:
    """A network with random weights, and what its file gives."""
    directory = tmp_path_factory.mktemp(request.param)
    network = random_network(SMALL.model_copy(update={"architecture": request.param}))
    save_network(directory, network)
    return network, load_predictor(directory)


def test_predictor_from_a_file_predicts_what_the_network_in_memory_does(saved):
    network, predictor = saved
    dataset = synthetic_dataset(rows=300)
    targets = range(8, 301)

    predicted = predictor.predict(dataset.scaled, dataset.scaled_log_roi, targets)

    assert predicted.dtype == np.float64
    assert predicted.shape == (293, 3)
    for target in (8, 9, 263, 264, 265, 299, 300):
        window = {
            "scaled": dataset.scaled[None, target - 8 : target],
            "scaled_log_roi": dataset.scaled_log_roi[None, target - 8 : target],
        }
        alone = network({tensor.name: window[tensor.name] for tensor in network.inputs})
        np.testing.assert_allclose(predicted[target - 8], np.asarray(alone)[0], atol=1e-6)


def test_prediction_does_not_change_with_its_target_or_later_rows(saved):
    _, predictor = saved
    dataset = synthetic_dataset()
    scaled, plain = dataset.scaled.copy(), dataset.scaled_log_roi.copy()
    scaled[150:], plain[150:] = np.nan, 1e6
    np.testing.assert_array_equal(
        predictor.predict(scaled, plain, range(140, 151)),
        predictor.predict(dataset.scaled, dataset.scaled_log_roi, range(140, 151)),
    )


def test_a_saved_network_forecasts_without_tensorflow(saved):
    _, predictor = saved
    program = (
        "import sys\nfrom pathlib import Path\nimport numpy as np\n"
        "from roi_forecast.network.predictor import load_predictor\n"
        "rows = np.zeros((20, 3), np.float32)\n"
        f"load_predictor(Path({str(predictor.directory)!r})).predict(rows, rows, range(8, 21))\n"
        "print([name for name in ('tensorflow', 'keras') if name in sys.modules])\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=True
    )
    assert answer.stdout.strip() == "[]"


def test_predictor_knows_its_window_and_assets(saved):
    _, predictor = saved
    assert (predictor.seq_len, predictor.n_assets) == (8, 3)


def test_predictor_refuses_rows_of_other_assets(saved):
    _, predictor = saved
    dataset = synthetic_dataset(assets=5)
    with pytest.raises(DatasetError, match=r"\(rows, 3\); received \(200, 5\)"):
        predictor.predict(dataset.scaled, dataset.scaled_log_roi, range(8, 20))


@pytest.mark.parametrize("targets", [range(7, 20), range(190, 202)])
def test_predictor_refuses_targets_out_of_range(saved, targets):
    _, predictor = saved
    dataset = synthetic_dataset()
    with pytest.raises(DatasetError, match="from 8 to 200"):
        predictor.predict(dataset.scaled, dataset.scaled_log_roi, targets)


def test_load_predictor_refuses_a_directory_without_a_network(tmp_path):
    with pytest.raises(RegistryError, match=r"no network\.npz in"):
        load_predictor(tmp_path)


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.95])
def test_load_predictor_refuses_a_file_that_was_cut_short(saved, tmp_path, kept):
    content = (saved[1].directory / "network.npz").read_bytes()
    (tmp_path / "network.npz").write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(RegistryError, match="damaged"):
        load_predictor(tmp_path)


def test_load_predictor_refuses_arrays_of_another_kind(tmp_path):
    np.savez(tmp_path / "network.npz", seq_len=np.array(8), kernel=np.zeros((4, 1), np.float32))
    with pytest.raises(RegistryError, match="not a network of this project"):
        load_predictor(tmp_path)


def test_load_predictor_refuses_members_with_windows_of_different_shapes(tmp_path):
    for number, assets in enumerate((3, 4)):
        save_network(tmp_path / f"member_{number}", random_network(assets=assets))
    with pytest.raises(RegistryError, match="windows of different shapes"):
        load_predictor(tmp_path)
