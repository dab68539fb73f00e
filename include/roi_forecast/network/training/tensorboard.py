"""TensorBoard's logs of a training, and pictures in them."""

from __future__ import annotations

import io
import struct
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from roi_forecast.data_path import DataPath
from roi_forecast.files.artifacts import (
    TENSORBOARD_DIRECTORY,
    create_folder,
    files_below,
    write_file,
)
from roi_forecast.files.leftovers import local_folder

_RGBA = 4


@contextmanager
def log_directory(directory: DataPath) -> Iterator[Path]:
    """Yield the local folder into which TensorBoard's logs of a training are to be written.

    Where trainings lie in an object store, the logs are copied there at the end of the block.

    Args:
        directory: Folder of the training.

    Raises:
        OSError: The logs cannot be copied.
    """
    logs = directory / TENSORBOARD_DIRECTORY
    if isinstance(logs, Path):
        logs.mkdir(parents=True, exist_ok=True)
        yield logs
        return
    with local_folder() as folder:
        yield folder
        for name in files_below(folder):
            write_file(logs / name, (folder / name).read_bytes())


def has_logs(directory: DataPath) -> bool:
    """Tell whether a training wrote logs for TensorBoard."""
    return bool(files_below(directory / TENSORBOARD_DIRECTORY))


def write_images(directory: DataPath, images: Mapping[str, bytes], step: int) -> None:
    """Add pictures to the logs of a training; TensorFlow is not needed.

    Args:
        directory: Folder of the training.
        images: A PNG by tag.
        step: The epoch that the pictures show.
    """
    now = time.time()
    content = io.BytesIO()
    # TensorBoard's own writer of event files would load TensorFlow for its file system.
    records = RecordWriter(content)
    for tag, png in images.items():
        width, height = png_size(png)
        image = Summary.Image(
            height=height, width=width, colorspace=_RGBA, encoded_image_string=png
        )
        summary = Summary(value=[Summary.Value(tag=tag, image=image)])
        event = Event(wall_time=now, step=step, summary=summary)
        records.write(event.SerializeToString())
    logs = directory / TENSORBOARD_DIRECTORY
    create_folder(logs)
    write_file(logs / f"events.out.tfevents.{now:.6f}.images", content.getvalue())


def png_size(png: bytes) -> tuple[int, int]:
    """Return width and height of a PNG, in pixels, from its header chunk.

    Raises:
        ValueError: The bytes are not a PNG.
    """
    if png[:8] != b"\x89PNG\r\n\x1a\n" or png[12:16] != b"IHDR":
        raise ValueError(f"expected a PNG; received {png[:16]!r}")
    width, height = struct.unpack(">II", png[16:24])
    return int(width), int(height)
