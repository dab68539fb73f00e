from __future__ import annotations

from typing import TYPE_CHECKING

from tensorboard.backend.event_processing.event_accumulator import IMAGES, EventAccumulator

from manifests import read_manifest
from roi_forecast.errors import RegistryError
from roi_forecast.registry.plots import plots_directory
from roi_forecast.registry.training_inputs import candidate_path
from serving_version import MODEL_NAME

if TYPE_CHECKING:
    from serving_version import Served

PICTURES = ["error_by_asset", "forecast_and_outcome", "interval_calibration", "loss_curves"]


def test_a_published_version_has_its_pictures_next_to_its_files_and_carries_no_logs(
    served: Served,
) -> None:
    plots = plots_directory(served.models, MODEL_NAME, served.champion.version_id)
    assert sorted(path.stem for path in plots.glob("*.png")) == PICTURES
    assert list(read_manifest(plots, RegistryError)["files"]) == [
        f"{name}.png" for name in PICTURES
    ]
    directory = served.champion_directory
    listed = read_manifest(directory, RegistryError)["files"]
    assert not (directory / "tensorboard").exists()
    assert not any("tensorboard" in name or name.endswith(".png") for name in listed)


def test_the_pictures_stand_in_tensorboards_logs_of_the_candidate(served: Served) -> None:
    run = served.outcome.run
    candidate = served.models / candidate_path(run.model_name, run.run_id)
    logs = EventAccumulator(str(candidate / "tensorboard"), size_guidance={IMAGES: 0})
    logs.Reload()
    assert sorted(logs.Tags()["images"]) == PICTURES
    plots = plots_directory(served.models, MODEL_NAME, served.champion.version_id)
    png = (plots / "error_by_asset.png").read_bytes()
    assert logs.Images("error_by_asset")[0].encoded_image_string == png
