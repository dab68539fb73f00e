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


@pytest.fixture(scope="module", params=["hybrid", "hybrid_linear"])
def saved(request, tmp_path_factory) -> tuple[keras.Model, Predictor]:
    """A network with random weights and two context assets, and what its file gives."""
    directory = tmp_path_factory.mktemp(request.param)
    config = SMALL.model_copy(update={"architecture": request.param})
    network = random_network(config, context=2)
    save_network(directory, network)
    return network, load_predictor(directory)


def baseline(targets: range, assets: int = 3) -> np.ndarray:
    return np.random.default_rng(1).random((301, assets))[targets.start : targets.stop]


def test_predictor_from_a_file_predicts_what_the_network_in_memory_does(saved):
    network, predictor = saved
    dataset = synthetic_dataset(rows=300, context=2)
    targets = range(8, 301)

    predicted = predictor.predict(dataset.inputs, baseline(targets), targets)

    assert predicted.dtype == np.float64
    assert predicted.shape == (293, 3)
    for target in (8, 9, 263, 264, 265, 299, 300):
        window = {
            "scaled": dataset.inputs[None, target - 8 : target],
            "baseline": baseline(range(target, target + 1)).astype(np.float32),
        }
        alone = network({tensor.name: window[tensor.name] for tensor in network.inputs})
        np.testing.assert_allclose(predicted[target - 8], np.asarray(alone)[0], atol=1e-6)


def test_a_network_that_adds_nothing_gives_the_baseline_back_to_the_last_digit(tmp_path):
    network = random_network(SMALL.model_copy(update={"architecture": "hybrid_linear"}))
    output = network.get_layer("output")
    output.set_weights([np.zeros_like(weight) for weight in output.get_weights()])
    save_network(tmp_path / "silent", network)
    given = baseline(range(5))
    assert (given != given.astype(np.float32)).all()
    windows = np.random.default_rng(3).random((5, 8, 3)).astype(np.float32)
    predictor = load_predictor(tmp_path / "silent")
    found = predictor.forecast_windows(predictor.project(windows), given)
    np.testing.assert_array_equal(found, given)


def test_prediction_does_not_change_with_its_target_or_later_rows(saved):
    _, predictor = saved
    dataset = synthetic_dataset(context=2)
    targets = range(140, 151)
    changed = dataset.inputs.copy()
    changed[150:, :3], changed[150:, 3:] = np.nan, 1e6
    np.testing.assert_array_equal(
        predictor.predict(changed, baseline(targets), targets),
        predictor.predict(dataset.inputs, baseline(targets), targets),
    )


def test_the_last_context_move_before_a_target_takes_part(saved):
    _, predictor = saved
    dataset = synthetic_dataset(context=2)
    targets = range(149, 151)
    changed = dataset.inputs.copy()
    changed[149, 4] += 1
    before, after = (
        predictor.predict(rows, baseline(targets), targets) for rows in (dataset.inputs, changed)
    )
    np.testing.assert_array_equal(after[0], before[0])
    assert (after[1] != before[1]).all()


def test_a_saved_network_forecasts_without_tensorflow(saved):
    _, predictor = saved
    program = (
        "import sys\nfrom pathlib import Path\nimport numpy as np\n"
        "from roi_forecast.network.predictor import load_predictor\n"
        "rows, baseline = np.zeros((20, 5), np.float32), np.zeros((13, 3))\n"
        f"saved = load_predictor(Path({str(predictor.directory)!r}))\n"
        "saved.predict(rows, baseline, range(8, 21))\n"
        "print([name for name in ('tensorflow', 'keras') if name in sys.modules])\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=True
    )
    assert answer.stdout.strip() == "[]"


def test_predictor_knows_its_window_assets_and_context(saved):
    _, predictor = saved
    assert (predictor.seq_len, predictor.n_assets, predictor.n_inputs) == (8, 3, 5)


@pytest.mark.parametrize(("assets", "context", "forecast"), [(5, 2, 3), (3, 0, 3), (4, 1, 4)])
def test_predictor_refuses_rows_or_a_baseline_of_other_assets(saved, assets, context, forecast):
    _, predictor = saved
    dataset, targets = synthetic_dataset(assets=assets, context=context), range(8, 20)
    received = rf"received \(200, {assets + context}\) and \(12, {forecast}\)"
    with pytest.raises(
        DatasetError, match=f"rows of 5 inputs and a baseline of 3 assets; {received}"
    ):
        predictor.predict(dataset.inputs, baseline(targets, forecast), targets)


@pytest.mark.parametrize("targets", [range(7, 20), range(190, 202)])
def test_predictor_refuses_targets_out_of_range(saved, targets):
    _, predictor = saved
    dataset = synthetic_dataset(context=2)
    with pytest.raises(DatasetError, match="from 8 to 200"):
        predictor.predict(dataset.inputs, baseline(targets), targets)


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


@pytest.mark.parametrize("shapes", [((3, 0), (4, 0)), ((3, 0), (3, 1)), ((3, 1), (4, 0))])
def test_load_predictor_refuses_members_with_windows_of_different_shapes(tmp_path, shapes):
    for number, (assets, context) in enumerate(shapes):
        network = random_network(assets=assets, context=context)
        save_network(tmp_path / f"member_{number}", network)
    with pytest.raises(RegistryError, match="windows of different shapes"):
        load_predictor(tmp_path)
