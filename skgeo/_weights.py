"""Sample weights: checked, of the shape of the samples."""

import numpy as np
import numpy.typing as npt

from skgeo._input.coordinates import check_numbers, format_number
from skgeo._validation import MIN_SQUARABLE, check_magnitude


def check_sample_weight(
    sample_weight: npt.ArrayLike, shape: tuple[int, ...], *, some: bool = True
) -> npt.NDArray[np.float64]:
    """Weights of the given shape, flat where that has as many values: finite, not negative, and some not zero."""
    if np.ma.is_masked(sample_weight):
        raise ValueError("sample_weight has masked values: fill them, sample_weight.filled(0), to leave samples out.")
    values = np.asarray(sample_weight)
    if values.dtype.kind == "b":  # a selection
        values = values.astype(np.float64)
    weight = check_numbers(values, "sample_weight").astype(np.float64)
    if weight.shape not in {shape, (int(np.prod(shape)),)}:
        raise ValueError(f"sample_weight has shape {weight.shape}: expected {shape}, one weight per sample.")
    bad = np.flatnonzero(weight < 0.0)
    if bad.size:
        raise ValueError(
            f"sample_weight must not be negative; {bad.size} are, the first at {bad[0]}: {format_number(weight.flat[bad[0]])}."
        )
    check_magnitude("sample_weight", weight, 1e300)  # their sum is a number
    if some and not weight.any():
        raise ValueError("sample_weight is all zero: no sample counts. Give at least one positive weight.")
    return weight.reshape(shape)


def check_scaled_weight(sample_weight: npt.ArrayLike, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Weights whose squares neither overflow nor vanish, too, for models that do not rescale them."""
    weight = check_sample_weight(sample_weight, shape)
    check_magnitude("sample_weight", weight)
    tiny = np.flatnonzero((weight > 0.0) & (weight < MIN_SQUARABLE))
    if tiny.size:
        raise ValueError(
            f"sample_weight is positive but below {MIN_SQUARABLE:g} in {tiny.size} samples, the first at {tiny[0]}: "
            f"{format_number(weight.flat[tiny[0]])}. Give zero to leave samples out."
        )
    return weight
