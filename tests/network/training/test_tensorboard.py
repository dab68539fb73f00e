from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imsave
from tensorboard.backend.event_processing.event_accumulator import IMAGES, EventAccumulator

from roi_forecast.network.training.tensorboard import png_size, write_images


def test_pictures_are_read_back_by_tensorboard_itself(tmp_path: Path) -> None:
    imsave(tmp_path / "one.png", np.zeros((20, 30)))
    png = (tmp_path / "one.png").read_bytes()

    write_images(tmp_path, {"error_by_asset": png, "loss_curves": png}, step=7)

    logs = EventAccumulator(str(tmp_path / "tensorboard"), size_guidance={IMAGES: 0})
    logs.Reload()
    assert sorted(logs.Tags()["images"]) == ["error_by_asset", "loss_curves"]
    (image,) = logs.Images("error_by_asset")
    assert (image.step, image.width, image.height) == (7, 30, 20)
    assert image.encoded_image_string == png


def test_what_is_no_png_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a PNG; received b'GIF89a"):
        png_size(b"GIF89a" + bytes(30))


def test_writing_pictures_loads_no_tensorflow(tmp_path: Path) -> None:
    imsave(tmp_path / "one.png", np.zeros((2, 2)))
    code = (
        "import sys; from pathlib import Path; "
        "from roi_forecast.network.training.tensorboard import write_images; "
        f"write_images(Path({str(tmp_path)!r}), "
        f"{{'a': Path({str(tmp_path / 'one.png')!r}).read_bytes()}}, 0); "
        "sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
