"""A trained network's forecasts from its file, without TensorFlow.

Importing TensorFlow takes many times longer than the few hundred forecasts that an evaluation or a
daily forecast needs. This module knows the layers that `build_network` uses, with the options it
gives them, and refuses every other layer or option: such a network is left to Keras.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import h5py

from roi_forecast.network.network_file import open_network_file
from roi_forecast.network.numpy_layers import (
    LAYERS,
    Array,
    Config,
    Function,
    UnknownArchitectureError,
    require_options,
)


@dataclass(frozen=True)
class _Step:
    name: str
    sources: tuple[str, ...]
    compute: Function


@dataclass(frozen=True)
class NumpyNetwork:
    """A network as a list of steps in an order in which each finds its sources computed.

    Attributes:
        input_shapes: By input name, (rows, assets) of its window.
    """

    input_shapes: Mapping[str, tuple[int, ...]]
    _steps: tuple[_Step, ...]
    _output: str

    def predict(self, inputs: Mapping[str, Array]) -> Array:
        """Forecast windows.

        Args:
            inputs: By input name, shape (windows, rows, assets), float32.

        Returns:
            Shape (windows, assets), scaled.
        """
        values = {name: inputs[name] for name in self.input_shapes}
        for step in self._steps:
            values[step.name] = step.compute([values[source] for source in step.sources])
        return values[self._output]


def read_numpy_network(content: bytes) -> NumpyNetwork:
    """Read a network from a .keras file.

    Args:
        content: The file's bytes.

    Raises:
        UnknownArchitectureError: A layer, an option or a wiring is not one of `build_network`.
        KeyError, OSError, ValueError: The file is damaged, or unpacks to far more than its size.
    """
    with open_network_file(content) as file:
        kind = file.config["class_name"]
        if kind != "Functional":
            raise UnknownArchitectureError(f"a model of the class {kind}")
        return _assemble(file.config["config"], file.weights)


def _assemble(config: Config, file: h5py.File) -> NumpyNetwork:
    shapes: dict[str, tuple[int, ...]] = {}
    waiting: list[_Step] = []
    counts: dict[str, int] = {}
    for layer in config["layers"]:
        kind, name = layer["class_name"], layer["name"]
        if kind == "InputLayer":
            shapes[name] = tuple(layer["config"]["batch_shape"][1:])
            continue
        if kind not in LAYERS:
            raise UnknownArchitectureError(f"the layer {name} of the class {kind}")
        folder, options, build = LAYERS[kind]
        require_options(name, layer["config"], {"dtype": "float32", **options})
        # Keras numbers the layers of a class in the order of the network.
        number = counts[folder] = counts.get(folder, -1) + 1
        place = f"layers/{folder}_{number}" if number else f"layers/{folder}"
        compute = build(layer["config"], partial(_read, file, place))
        waiting.append(_Step(name, _sources(layer), compute))
    steps: list[_Step] = []
    known = set(shapes)
    while waiting:
        ready = [step for step in waiting if known.issuperset(step.sources)]
        if not ready:
            raise UnknownArchitectureError(f"the layer {waiting[0].name} has no computable source")
        steps += ready
        known.update(step.name for step in ready)
        waiting = [step for step in waiting if step.name not in known]
    output = config["output_layers"]
    if len(output) != 3 or output[1:] != [0, 0] or output[0] not in known:
        raise UnknownArchitectureError(f"the outputs {output}")
    return NumpyNetwork(shapes, tuple(steps), output[0])


def _sources(layer: Config) -> tuple[str, ...]:
    nodes = layer["inbound_nodes"]
    if len(nodes) != 1:
        raise UnknownArchitectureError(f"the layer {layer['name']} is called {len(nodes)} times")
    found: list[str] = []

    def collect(value: Any) -> None:
        if isinstance(value, list):
            for entry in value:
                collect(entry)
        elif isinstance(value, Mapping) and value.get("class_name") == "__keras_tensor__":
            found.append(value["config"]["keras_history"][0])
        else:
            raise UnknownArchitectureError(f"an argument of the layer {layer['name']}")

    collect(nodes[0]["args"])
    if any(value not in (None, False) for value in nodes[0]["kwargs"].values()):
        raise UnknownArchitectureError(f"an option of the call of {layer['name']}")
    return tuple(found)


def _read(file: h5py.File, place: str, part: str) -> list[Array]:
    variables = file[f"{place}{part}/vars"]
    return [variables[str(number)][()] for number in range(len(variables))]
