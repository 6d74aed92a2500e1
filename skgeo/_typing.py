"""Types of arrays that many modules share."""

import numpy as np
import numpy.typing as npt

#: Arrays of float64.
FloatArray = npt.NDArray[np.float64]
#: Arrays of float32 or float64.
Floats = npt.NDArray[np.floating]
#: Arrays of indices and counts.
Integers = npt.NDArray[np.intp]
