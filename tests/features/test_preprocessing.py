from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from network.synthetic_dataset import synthetic_dataset
from roi_forecast.config import parse_run_config
from roi_forecast.errors import DatasetError
from roi_forecast.features.build import assemble_dataset
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.preprocessing import Preprocessing
from roi_forecast.features.rows import PriceRows, align_rows, with_context
from roi_forecast.files.artifacts import write_manifest
from roi_forecast.files.verified import open_verified
from roi_forecast.universe import Context

from .prices import AS_OF, ASSETS, CONTEXT, START, context_bars, simulated_bars

CONFIG = parse_run_config({"seq_len": 12})


def aligned(context: Context = CONTEXT) -> PriceRows:
    rows = align_rows(simulated_bars(), ASSETS, START, AS_OF, 0.1)
    return with_context(rows, ASSETS, context, context_bars())


def assembled(rows: PriceRows) -> Dataset:
    return assemble_dataset(rows, CONFIG, "simulated", Path())


def test_prepared_rows_are_those_of_the_dataset() -> None:
    rows = aligned()
    dataset = assembled(rows)
    prepared = Preprocessing.of_dataset(dataset).apply(rows)
    for name in vars(prepared):
        np.testing.assert_array_equal(getattr(prepared, name), getattr(dataset, name))


def test_inputs_are_the_scaled_assets_then_the_moves_over_their_training_root_mean_square() -> None:
    dataset = assembled(aligned())
    assert dataset.inputs.dtype == np.float32
    assert dataset.inputs.shape == (len(dataset.dates), len(ASSETS) + 2)
    np.testing.assert_array_equal(dataset.inputs[:, : len(ASSETS)], dataset.scaled)
    of_training = dataset.context[: dataset.split.train.stop]
    expected = dataset.context / np.sqrt((of_training**2).mean(axis=0))
    np.testing.assert_allclose(dataset.inputs[:, len(ASSETS) :], expected, rtol=1e-6)


def test_without_context_the_inputs_are_the_scaled_rows_alone() -> None:
    dataset = assembled(aligned(Context()))
    assert dataset.inputs is dataset.scaled


def test_a_context_asset_that_the_rows_lack_is_missing_and_does_not_move() -> None:
    preprocessing = Preprocessing.of_dataset(assembled(aligned()))
    oil_only = aligned(replace(CONTEXT, assets=CONTEXT.assets[1:]))
    prepared = preprocessing.apply(oil_only)
    assert prepared.context_symbols == CONTEXT.symbols
    assert prepared.context_missing[:, 0].all()
    assert not prepared.context[:, 0].any()
    lost = preprocessing.smoothing
    np.testing.assert_array_equal(prepared.context[:, 1], oil_only.context[lost:, 0])
    assert np.isfinite(prepared.inputs).all()


def test_a_context_asset_that_never_moved_in_training_scales_to_zero() -> None:
    bars = context_bars()
    rows = align_rows(
        simulated_bars(),
        ASSETS,
        START,
        AS_OF,
        0.1,
        context=CONTEXT,
        context_bars=bars[bars["symbol"] == "AAPL"],
    )
    dataset = assembled(rows)
    assert dataset.context_missing[:, 1].all()
    assert not dataset.inputs[:, -1].any()


def test_it_reads_the_same_context_in_another_order() -> None:
    dataset = assembled(aligned())
    turned = assembled(aligned(replace(CONTEXT, assets=CONTEXT.assets[::-1])))
    read = Preprocessing.of_dataset(dataset).read(turned)
    assert read.context_symbols == CONTEXT.symbols
    np.testing.assert_array_equal(read.inputs, dataset.inputs)
    np.testing.assert_array_equal(read.context_missing, dataset.context_missing)


def test_it_keeps_its_own_scale_of_the_context() -> None:
    dataset = assembled(aligned())
    doubled = replace(dataset.scaler, context_scale=2 * dataset.scaler.context_scale)
    own = replace(Preprocessing.of_dataset(dataset), scaler=doubled)
    np.testing.assert_allclose(own.read(dataset).scaled_context, dataset.scaled_context / 2)


@pytest.mark.parametrize(
    ("context", "reason"),
    [
        (Context(), "it has context assets that the run lacks: AAPL, CL=F"),
        (replace(CONTEXT, assets=CONTEXT.assets[:1]), "context assets that the run lacks: CL=F"),
        (replace(CONTEXT, publish="before_open"), "publish is after_close, the run's is before_"),
    ],
)
def test_another_context_or_publication_is_a_difference(context: Context, reason: str) -> None:
    own, other = Preprocessing.of_dataset(assembled(aligned())), assembled(aligned(context))
    with pytest.raises(DatasetError, match=reason):
        own.read(other)


def test_it_is_stored_with_context_and_scale(tmp_path: Path) -> None:
    own = Preprocessing.of_dataset(synthetic_dataset(context=2))
    own.save(tmp_path)
    write_manifest(tmp_path, {})
    read = Preprocessing.load(open_verified(tmp_path, DatasetError))
    assert read.scaler.to_json() == own.scaler.to_json()
    assert replace(read, scaler=own.scaler) == own


def test_a_stored_publication_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    replace(Preprocessing.of_dataset(synthetic_dataset()), publish="later").save(tmp_path)
    write_manifest(tmp_path, {})
    with pytest.raises(DatasetError, match="not a readable scaler file"):
        Preprocessing.load(open_verified(tmp_path, DatasetError))


def test_it_names_the_context_that_its_rows_need() -> None:
    context = Preprocessing.of_dataset(assembled(aligned())).context
    assert context == CONTEXT
