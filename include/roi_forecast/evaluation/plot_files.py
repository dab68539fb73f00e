"""A version's pictures in the registry, and in TensorBoard's logs of its training."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from roi_forecast.data_path import DataPath
from roi_forecast.errors import RegistryError
from roi_forecast.evaluation.baselines import no_skill
from roi_forecast.evaluation.scores import counted_smoothed
from roi_forecast.evaluation.version_plots import VersionFigures, draw_version
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.returns import to_percent
from roi_forecast.files.artifacts import (
    delete_folder,
    published_directory,
    write_file,
    write_manifest,
)
from roi_forecast.forecaster.forecasts import Forecasts
from roi_forecast.forecaster.shrinkage import counted_log_roi
from roi_forecast.network.training.result import TrainingResult, find_members, read_result
from roi_forecast.network.training.tensorboard import has_logs, write_images
from roi_forecast.registry.plots import plots_directory
from roi_forecast.registry.versions import ModelVersion

logger = logging.getLogger(__name__)


def save_plots(
    dataset: Dataset,
    test: Forecasts,
    trainings: Sequence[TrainingResult],
    version: ModelVersion,
    models_directory: DataPath,
) -> list[DataPath]:
    """Draw a version on its test rows and write the pictures to the registry.

    They take the place of those that an earlier evaluation drew. Where its training wrote logs for
    TensorBoard, the pictures are put there too.

    Args:
        dataset: The rows of the version.
        test: Its forecasts of the test targets, with bounds.
        trainings: How its networks were trained.
        version: The version.
        models_directory: Folder of the registry.

    Returns:
        The files, by name.

    Raises:
        RegistryError: A stored path leads out of the registry.
    """
    targets = test.origins
    rows = slice(targets.start, targets.stop)
    simulated = " (simulated prices)" if dataset.source == "simulated" else ""
    pictures = draw_version(
        VersionFigures(
            title=f"Version {version.version_id}{simulated}",
            symbols=dataset.symbols,
            dates=dataset.dates[rows],
            actual=counted_smoothed(dataset, targets),
            forecast=dataset.scaler.transform(test.smoothed[0]),
            no_skill=dataset.scaler.transform(no_skill(dataset, targets).smoothed[0]),
            actual_roi_pct=to_percent(counted_log_roi(dataset)[rows]),
            intervals=test.intervals[0],
            losses=[
                [(record.loss, record.validation_loss) for record in training.history]
                for training in trainings
            ],
            best_epochs=[training.best_epoch for training in trainings],
        )
    )
    folder = plots_directory(models_directory, version.model_name, version.version_id)
    delete_folder(folder)
    with published_directory(folder) as working:
        for name, png in pictures.items():
            write_file(working / f"{name}.png", png)
        write_manifest(working, {"version_id": version.version_id})
    for member, training in zip(
        find_members(version.directory(models_directory)), trainings, strict=True
    ):
        if has_logs(member):
            write_images(member, pictures, training.best_epoch)
    logger.info("%d pictures in %s", len(pictures), folder)
    return [folder / f"{name}.png" for name in sorted(pictures)]


def read_trainings(members: Sequence[DataPath]) -> list[TrainingResult]:
    """Read how each network of a version was trained.

    Raises:
        RegistryError: A training is not there or not whole.
    """
    trainings = []
    for member in members:
        training = read_result(member)
        if training is None:
            raise RegistryError(f"{member} holds no finished training; train the version again")
        trainings.append(training)
    return trainings
