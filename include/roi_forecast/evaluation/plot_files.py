"""A version's pictures beside its model, and in TensorBoard's logs of its training."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from roi_forecast.errors import RegistryError
from roi_forecast.evaluation.baselines import noise_limit
from roi_forecast.evaluation.scores import counted_smoothed
from roi_forecast.evaluation.version_plots import VersionFigures, draw_version
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.returns import implied_log_roi, known_sum, to_percent
from roi_forecast.features.scaling import FloatArray
from roi_forecast.files.artifacts import PLOTS_DIRECTORY, TENSORBOARD_DIRECTORY, write_file
from roi_forecast.forecaster.next_day import NextDayCalibration, counted_log_roi
from roi_forecast.network.training.result import TrainingResult, find_members, read_result
from roi_forecast.network.training.tensorboard import write_images

logger = logging.getLogger(__name__)


def save_plots(
    dataset: Dataset,
    test_forecast: FloatArray,
    calibration: NextDayCalibration,
    directory: Path,
    version_id: str,
) -> list[Path]:
    """Draw a version on its test rows and write the pictures to `directory`/plots.

    Where its training wrote logs for TensorBoard, the pictures are put there too.

    Args:
        dataset: What the version was trained on.
        test_forecast: Its scaled smoothed log ROI of the test targets, shape (targets, assets).
        calibration: How its next-day forecasts are published.
        directory: Of the version.
        version_id: Named in the pictures.

    Returns:
        The files, by name.

    Raises:
        RegistryError: The version's trainings are not there or not whole.
    """
    targets = dataset.split.test
    rows = slice(targets.start, targets.stop)
    known = known_sum(dataset.log_roi, targets, dataset.smoothing)
    implied = implied_log_roi(dataset.scaler.inverse(test_forecast), known, dataset.smoothing)
    members = find_members(directory)
    trainings = _trainings(members)
    simulated = " (simulated prices)" if dataset.source == "simulated" else ""
    pictures = draw_version(
        VersionFigures(
            title=f"Version {version_id}{simulated}",
            symbols=dataset.symbols,
            dates=dataset.dates[rows],
            actual=counted_smoothed(dataset, targets),
            forecast=test_forecast,
            noise_limit=noise_limit(dataset, targets),
            actual_roi_pct=to_percent(counted_log_roi(dataset)[rows]),
            intervals=calibration.intervals(dataset, implied, targets),
            losses=[
                [(record.loss, record.validation_loss) for record in training.history]
                for training in trainings
            ],
            best_epochs=[training.best_epoch for training in trainings],
        )
    )
    folder = directory / PLOTS_DIRECTORY
    folder.mkdir(exist_ok=True)
    files = []
    for name, png in sorted(pictures.items()):
        write_file(folder / f"{name}.png", png)
        files.append(folder / f"{name}.png")
    for member, training in zip(members, trainings, strict=True):
        if (member / TENSORBOARD_DIRECTORY).is_dir():
            write_images(member / TENSORBOARD_DIRECTORY, pictures, training.best_epoch)
    logger.info("%d pictures in %s", len(files), folder)
    return files


def _trainings(members: Sequence[Path]) -> list[TrainingResult]:
    trainings = []
    for member in members:
        training = read_result(member)
        if training is None:
            raise RegistryError(f"{member} holds no finished training; train the version again")
        trainings.append(training)
    return trainings
