from __future__ import annotations

import numpy as np
import pytest

from network.saved_network import network_bytes, random_network
from network.synthetic_dataset import SMALL
from roi_forecast.errors import RegistryError
from roi_forecast.network.network import build_network
from roi_forecast.network.training.fine_tuning import FineTuning

LAYERS = ["bidirectional_lstm_1", "bidirectional_lstm_2", "self_attention", "layer_normalization"]
LAYERS += ["dense", "output"]


@pytest.mark.parametrize("context", [0, 2])
@pytest.mark.parametrize("trained", [1, 2, 6])
def test_a_network_takes_the_weights_of_its_base_and_trains_its_last_layers(context, trained):
    base = random_network(context=context)
    network = build_network(SMALL, 8, 3, context)

    FineTuning(network_bytes(base), trained).prepare(network)

    for own, other in zip(network.get_weights(), base.get_weights(), strict=True):
        np.testing.assert_array_equal(own, other)
    layers = [layer for layer in network.layers if layer.weights]
    assert [layer.name for layer in layers] == LAYERS
    assert [layer.name for layer in layers if layer.trainable] == LAYERS[-trained:]


@pytest.mark.parametrize(
    ("base", "changes", "context"),
    [
        ("hybrid", {}, 0),
        ("hybrid_linear", {"architecture": "hybrid"}, 0),
        ("hybrid_linear", {}, 2),
        ("hybrid_linear", {"dense_units": 16}, 0),
        ("hybrid_linear", {"batch_normalization": True}, 0),
    ],
)
def test_a_base_of_another_kind_is_refused(base, changes, context):
    """Both architectures have the same weights, but only one adds them to the baseline."""
    content = network_bytes(random_network(SMALL.model_copy(update={"architecture": base})))
    network = build_network(SMALL.model_copy(update=changes), 8, 3, context)
    with pytest.raises(RegistryError, match=r"cannot continue .*training_mode to scratch"):
        FineTuning(content, 2).prepare(network)


def test_a_damaged_base_is_refused():
    network = build_network(SMALL, 8, 3)
    content = network_bytes(random_network())
    with pytest.raises(RegistryError, match="cannot continue from the champion's network"):
        FineTuning(content[: len(content) // 2], 2).prepare(network)
