"""Rows of a table of image features that may be too large for memory."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from skgeo._kernels.threads import row_blocks

__all__ = ["FeatureRows"]

# Values of the table in one block: 32 MB of float64.
_VALUES_PER_BLOCK = 2**22


class FeatureRows:
    """Some rows of a table of features, which may be a file. Numbers are read only when they are needed."""

    def __init__(
        self,
        table: npt.NDArray[Any],
        index: npt.NDArray[np.intp] | None = None,
        mean_and_scale: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None = None,
    ) -> None:
        self._table = table
        self._index = np.arange(len(table)) if index is None else index
        self._mean_and_scale = mean_and_scale

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of features."""
        return len(self._index), self._table.shape[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the table."""
        return self._table.dtype

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, rows: Any) -> "FeatureRows":
        # Choose rows of the index only: no number of the table is read.
        return FeatureRows(self._table, self._index[rows], self._mean_and_scale)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Read the numbers of the rows, and standardise them if a mean and a scale are set."""
        values = self._table[self._index]
        if self._mean_and_scale is not None:
            mean, scale = self._mean_and_scale
            # The difference is float64, as mean is. In float32 the difference from a large mean would have few digits.
            values = (values - mean) / scale
        return np.asarray(values, dtype=dtype)

    def standardised(self, mean: npt.NDArray[np.float64], scale: npt.NDArray[np.float64]) -> "FeatureRows":
        """The same rows, whose numbers are ``(value - mean) / scale``."""
        return FeatureRows(self._table, self._index, (mean, scale))

    def blocks(self) -> Iterator[npt.NDArray[Any]]:
        """The numbers, block by block of consecutive rows."""
        return (np.asarray(self[rows]) for rows in row_blocks(len(self), self.shape[1], _VALUES_PER_BLOCK))

    def finite_blocks(self, name: str) -> Iterator[npt.NDArray[Any]]:
        """The same blocks; refuses numbers that are not finite."""
        start = 0
        for block in self.blocks():
            bad = np.flatnonzero(~np.isfinite(block).all(axis=1))
            if bad.size:
                raise ValueError(
                    f"{name} has NaN or infinite numbers, first in row {self._index[start + bad[0]]}: expected finite "
                    "features of every image; leave such pairs out."
                )
            start += len(block)
            yield block

    def check(self, n_features: int, name: str, source: str) -> None:
        """Refuse another number of features than in the fit, and numbers that are not finite.

        The error for the number of features has ``name``. That for numbers that are not finite has ``source``.
        """
        if self.shape[1] != n_features:
            raise ValueError(f"{name} has {self.shape[1]} features of each image: expected {n_features}, as in fit.")
        for _ in self.finite_blocks(source):
            pass

    def mean_and_scale(self, name: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Mean and deviation of each feature (1 if it is constant); refuses numbers that are not finite."""
        # Differences from the first row keep the sum of squares accurate if the mean is far above the deviation.
        origin = np.asarray(self[:1], dtype=np.float64)[0]
        sums, squares = np.zeros_like(origin), np.zeros_like(origin)
        for block in self.finite_blocks(name):
            shifted = block.astype(np.float64) - origin
            sums, squares = sums + shifted.sum(axis=0), squares + np.square(shifted).sum(axis=0)
        mean = sums / len(self)
        # Rounding can make the variance of a constant feature slightly negative: the maximum sets it to zero.
        scale = np.sqrt(np.maximum(squares / len(self) - mean**2, 0.0))
        mean += origin
        # A deviation below the rounding error of the table counts as zero: the feature is constant.
        rounding = 4 * np.finfo(np.result_type(self.dtype, np.float16)).eps * np.abs(mean)
        return mean, np.where(scale > rounding, scale, 1.0)
