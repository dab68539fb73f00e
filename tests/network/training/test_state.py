from __future__ import annotations

import numpy as np
import pytest

from roi_forecast.network.training.result import (
    EpochRecord,
    TrainingResult,
    finish,
    read_finished,
    write_history,
)
from roi_forecast.network.training.state import TrainingState, load_state, save_state

IDENTITY = {"dataset_id": "d1", "config": {"seed": 1}, "keras": "3"}
HISTORY = (
    EpochRecord(0, None, None, 0.5, 0.4, 0.001, 1.0),
    EpochRecord(1, 0.1 + 0.2, 0.3, 0.45, 0.35, 0.001, 2.0),
)


def state(weight: float = 1.0) -> TrainingState:
    return TrainingState(
        variables=(np.full((2, 3), weight, np.float32), np.array([7, 9], np.uint32)),
        optimizer_variables=(np.array(5, np.int64),),
        best_weights=(np.full((2, 3), -weight, np.float32),),
        early_stopping={"wait": 1, "best": 0.1 + 0.2, "best_epoch": 0, "stopped_epoch": 0},
        plateau={"wait": 1, "best": 0.45, "cooldown_counter": 0},
        history=HISTORY,
        stopped=False,
    )


def test_state_comes_back_with_every_digit_and_type(tmp_path):
    save_state(tmp_path, state(), IDENTITY)
    loaded = load_state(tmp_path, IDENTITY)
    assert loaded is not None
    for name in ("variables", "optimizer_variables", "best_weights"):
        for own, other in zip(getattr(loaded, name), getattr(state(), name), strict=True):
            assert own.dtype == other.dtype
            np.testing.assert_array_equal(own, other)
    assert loaded.early_stopping == state().early_stopping
    assert loaded.plateau == state().plateau
    assert loaded.history == HISTORY


def test_state_is_absent_before_the_first_epoch(tmp_path):
    assert load_state(tmp_path, IDENTITY) is None


@pytest.mark.parametrize("change", [{"dataset_id": "d2"}, {"config": {"seed": 2}}, {"keras": "4"}])
def test_state_of_another_training_is_discarded_with_a_log_line(tmp_path, caplog, change):
    save_state(tmp_path, state(), IDENTITY)
    with caplog.at_level("INFO"):
        assert load_state(tmp_path, {**IDENTITY, **change}) is None
    assert "of other data or settings" in caplog.text


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.99])
def test_state_that_was_cut_short_is_discarded_with_a_log_line(tmp_path, caplog, kept):
    save_state(tmp_path, state(), IDENTITY)
    (file,) = (tmp_path / "training_state").iterdir()
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * kept)])
    assert load_state(tmp_path, IDENTITY) is None
    assert "is damaged" in caplog.text


def test_state_with_a_flipped_bit_is_discarded(tmp_path, caplog):
    save_state(tmp_path, state(), IDENTITY)
    (file,) = (tmp_path / "training_state").iterdir()
    content = bytearray(file.read_bytes())
    position = bytes(content).index(np.float32(1.0).tobytes() * 6)
    content[position] ^= 1
    file.write_bytes(bytes(content))
    assert load_state(tmp_path, IDENTITY) is None
    assert "is damaged" in caplog.text


def test_state_stays_the_former_one_where_writing_the_next_fails(tmp_path):
    save_state(tmp_path, state(1.0), IDENTITY)
    with pytest.raises(TypeError):
        save_state(tmp_path, state(2.0), {**IDENTITY, "not JSON": object()})
    unsavable = np.array([object()])
    with pytest.raises(ValueError, match="allow_pickle"):
        save_state(tmp_path, TrainingState(**{**vars(state(2.0)), "variables": (unsavable,)}), {})

    loaded = load_state(tmp_path, IDENTITY)
    assert loaded is not None
    assert loaded.variables[0][0, 0] == 1.0
    assert len(list((tmp_path / "training_state").iterdir())) == 1


def finished(directory) -> TrainingResult:
    (directory / "model.keras").write_bytes(b"weights")
    (directory / "network.npz").write_bytes(b"weights")
    write_history(directory, HISTORY)
    result = TrainingResult(directory, "d1", HISTORY, 1, "CPU", {"train": 2.0})
    finish(result, IDENTITY)
    return result


def test_result_comes_back_from_a_finished_directory(tmp_path):
    result = finished(tmp_path)
    assert read_finished(tmp_path, IDENTITY) == result
    assert (result.epochs, result.seconds) == (1, 3.0)


@pytest.mark.parametrize("name", ["network.npz", "model.keras", "history.json"])
def test_result_does_not_count_where_a_file_was_changed(tmp_path, caplog, name):
    finished(tmp_path)
    with (tmp_path / name).open("ab") as file:
        file.write(b" ")
    assert read_finished(tmp_path, IDENTITY) is None
    assert "is damaged" in caplog.text


@pytest.mark.parametrize("name", ["network.npz", "model.keras", "history.json", "training.json"])
def test_result_does_not_count_where_a_file_is_missing(tmp_path, name):
    finished(tmp_path)
    (tmp_path / name).unlink()
    assert read_finished(tmp_path, IDENTITY) is None


def test_result_of_another_training_does_not_count(tmp_path):
    finished(tmp_path)
    assert read_finished(tmp_path, {**IDENTITY, "dataset_id": "d2"}) is None
