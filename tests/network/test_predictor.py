from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import keras
import numpy as np
import pytest

from network.synthetic_dataset import SMALL, synthetic_dataset
from roi_forecast.errors import DatasetError, RegistryError
from roi_forecast.network.keras_network import load_keras_network
from roi_forecast.network.network import build_network
from roi_forecast.network.predictor import Predictor, load_predictor


@pytest.fixture(scope="module", params=["hybrid", "hybrid_ar"])
def saved(request, tmp_path_factory) -> tuple[keras.Model, Predictor]:
    """A network with random weights, and what its file gives."""
    directory = tmp_path_factory.mktemp(request.param)
    config = SMALL.model_copy(update={"architecture": request.param})
    keras.utils.set_random_seed(3)
    network = build_network(config, 8, 3, np.full(3, 0.5), None)
    generator = np.random.default_rng(0)
    network.set_weights(
        [weight + generator.normal(0, 0.1, weight.shape) for weight in network.get_weights()]
    )
    network.save(directory / "model.keras")
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


def test_prediction_by_keras_is_not_compiled_anew_for_each_number_of_targets(saved):
    _, predictor = saved
    network = load_keras_network((predictor.directory / "model.keras").read_bytes())
    by_keras = replace(predictor, networks=(network,))
    dataset = synthetic_dataset()
    for last in (9, 12, 40, 41, 100, 201):
        by_keras.predict(dataset.scaled, dataset.scaled_log_roi, range(8, last))
    # One for the first size, one for every other.
    assert network.model.predict_function.experimental_get_tracing_count() <= 2


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


def test_load_predictor_refuses_a_directory_without_a_model(tmp_path):
    with pytest.raises(RegistryError, match=r"no model\.keras in"):
        load_predictor(tmp_path)


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.95])
def test_load_predictor_refuses_a_file_that_was_cut_short(saved, tmp_path, kept):
    content = (saved[1].directory / "model.keras").read_bytes()
    (tmp_path / "model.keras").write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(RegistryError, match="damaged"):
        load_predictor(tmp_path)


def test_load_predictor_refuses_a_model_of_another_kind(tmp_path):
    inputs = keras.Input((4,))
    keras.Model(inputs, keras.layers.Dense(1)(inputs)).save(tmp_path / "model.keras")
    with pytest.raises(RegistryError, match="not a model of this project"):
        load_predictor(tmp_path)
