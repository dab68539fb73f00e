"""Names of the array types that signatures use; their docstrings give the shapes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
IndexArray = npt.NDArray[np.intp]
DateArray = npt.NDArray[np.datetime64]
MomentArray = npt.NDArray[np.datetime64]
