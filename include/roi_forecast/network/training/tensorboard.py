"""Pictures in the TensorBoard logs of a training."""

from __future__ import annotations

import struct
import time
from collections.abc import Mapping
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

_RGBA = 4


def write_images(directory: Path, images: Mapping[str, bytes], step: int) -> None:
    """Add pictures to the logs of a training; TensorFlow is not needed.

    Args:
        directory: Directory of the logs.
        images: A PNG by tag.
        step: The epoch that the pictures show.
    """
    directory.mkdir(parents=True, exist_ok=True)
    now = time.time()
    # TensorBoard's own writer of event files would load TensorFlow for its file system.
    path = directory / f"events.out.tfevents.{now:.6f}.images"
    with path.open("wb") as file:
        records = RecordWriter(file)
        for tag, png in images.items():
            width, height = png_size(png)
            image = Summary.Image(
                height=height, width=width, colorspace=_RGBA, encoded_image_string=png
            )
            summary = Summary(value=[Summary.Value(tag=tag, image=image)])
            event = Event(wall_time=now, step=step, summary=summary)
            records.write(event.SerializeToString())


def png_size(png: bytes) -> tuple[int, int]:
    """Return width and height of a PNG, in pixels, from its header chunk.

    Raises:
        ValueError: The bytes are not a PNG.
    """
    if png[:8] != b"\x89PNG\r\n\x1a\n" or png[12:16] != b"IHDR":
        raise ValueError(f"expected a PNG; received {png[:16]!r}")
    width, height = struct.unpack(">II", png[16:24])
    return int(width), int(height)
