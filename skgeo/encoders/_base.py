"""The base classes of encoders that learn nothing, and a mixin for encoders with several scales."""

import math
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from skgeo._base import LocationTransformer, restore_on_error
from skgeo._kernels.sphere import wrap_longitude
from skgeo._kernels.threads import Advance, fill_in_threads, row_blocks
from skgeo._typing import FloatArray, Floats
from skgeo._validation import check_flag, check_parameter, is_integer, is_real
from skgeo._values_at_places import Places, fill_at_places

if TYPE_CHECKING:
    from skgeo.nn._encoder_modules import EncoderModule

# Number of values of one term in a block: 0.5 MB of float64, which fits into the inner caches of a CPU.
_TERM_VALUES = 2**16

# More scales would be nearly equal. The limit also protects from damaged files, which could ask for all memory.
_MOST_SCALES = 1000

# Parameters that every encoder has. They concern the reading of X and the output, and are no part of the formula.
_OF_EVERY_ENCODER = frozenset({"coordinates", "missing", "add_indicator", "verbose"})


class FixedEncoder(LocationTransformer):
    """An encoder that is a fixed function of the place. ``fit`` checks X and the parameters, and learns nothing."""

    _public_module = "skgeo.encoders"
    _missing_policies: tuple[str, ...] = ("error", "nan")
    # RadialBasisEncoder is the exception: its fit learns where the places are.
    _learns_places = False

    def fit(self, X: Any, y: object = None) -> Self:
        """Check the parameters and the coordinates; nothing is learned from them.

        Parameters
        ----------
        X : array-like, DataFrame or GeoSeries of shape (n_samples, 2), LatLonGrid, CellGrid or xarray object
            Points as (latitude, longitude) in degrees, or a grid. Chunked coordinates (dask) are not read.
        y : None
            Ignored.

        Returns
        -------
        self
        """
        self._check_parameters()
        with restore_on_error(self):
            self._read(X, reset=True, chunked=True)
        return self

    @abstractmethod
    def _check_parameters(self) -> None:
        """Raise ValueError if a parameter is invalid."""


class FormulaEncoder(FixedEncoder):
    """An encoder whose columns are a formula of elementary functions, written once for numpy and for torch.

    The formula returns terms. Each term is a run of columns, one column for each scale.
    """

    @abstractmethod
    def _terms(self) -> tuple[str, ...]:
        """Names of the terms. ``{}`` stands for the scale if the encoder has scales."""

    @abstractmethod
    def _formula(self, latitude: Any, longitude: Any, constants: dict[str, Any], xp: Any) -> list[Any]:
        """The terms at places in degrees, with longitudes in [-180, 180).

        ``xp`` is numpy or torch. The last axis of latitude and longitude has the length one, and the scales extend
        along it. On a grid latitude and longitude have different axes. The terms must broadcast to the cells.
        """

    def _constants(self) -> dict[str, FloatArray]:
        """The arrays that the formula uses. The torch module has them as buffers."""
        # The array has an axis of length one, the axis of the scales.
        return {"radians_per_degree": np.radians([1.0])}

    def _own_parameters(self) -> dict[str, Any]:
        """The parameters of the formula as plain Python values. The torch module and its file are made from them."""
        own = (item for item in self.get_params(deep=False).items() if item[0] not in _OF_EVERY_ENCODER)
        return {name: value.item() if isinstance(value, np.generic) else value for name, value in own}

    def to_torch(self) -> "EncoderModule":
        """Make a differentiable torch module that computes ``transform``, with the constants as buffers.

        Returns
        -------
        skgeo.nn.EncoderModule
            Maps (latitude, longitude) in degrees (..., 2) to (..., n_outputs). Latitude is always the first column.
        """
        check_is_fitted(self)
        self._check_to_torch()
        from skgeo.nn._encoder_modules import EncoderModule  # needs torch

        return EncoderModule(self)

    def _embed_places(self, places: Places) -> npt.NDArray[np.floating]:
        # One function writes points, the other one writes the cells between two axes.
        writes = self._write_points, self._write_grid
        return fill_at_places(places, len(self._embedding_names()), places.dtype, *writes, verbose=self.verbose)

    def _write_points(self, latitude: FloatArray, longitude: FloatArray, out: Floats, advance: Advance) -> None:
        """Write the terms of points (n,) into ``out``."""
        self._write(latitude[:, np.newaxis], longitude[:, np.newaxis], out, advance)

    def _write_grid(self, latitude: FloatArray, longitude: FloatArray, out: Floats, advance: Advance) -> None:
        """Write the terms of a grid between its two axes into ``out``."""
        self._write(latitude[:, np.newaxis, np.newaxis], longitude[:, np.newaxis], out, advance)

    def _write(self, latitude: FloatArray, longitude: FloatArray, out: Floats, advance: Advance) -> None:
        """Write the terms block by block along the first axis of ``out``."""
        constants, n_terms = self._constants(), len(self._terms())
        longitude = wrap_longitude(longitude, np)
        # The first axis of a grid is latitude alone. The first axis of points is both coordinates.
        along = latitude.ndim == longitude.ndim
        # The columns of one term are consecutive: split the columns into an axis of terms and an axis of scales.
        terms = out.reshape(*out.shape[:-1], n_terms, out.shape[-1] // n_terms)

        def fill(part: slice) -> None:
            """Write all terms of one block."""
            places = latitude[part], longitude[part] if along else longitude
            for i, values in enumerate(self._formula(*places, constants, np)):
                terms[part, ..., i, :] = values

        # One term of a block holds _TERM_VALUES numbers.
        blocks = row_blocks(len(out), math.prod(out.shape[1:]), _TERM_VALUES * n_terms)
        fill_in_threads(fill, blocks, None, advance, math.prod(out.shape[1:-1]))

    def _check_parameters(self) -> None:
        """Accept everything; an encoder with parameters overrides this method."""

    def _embedding_names(self) -> list[str]:
        return list(self._terms())


class ScaledEncoder:
    """Divides coordinates by scales in geometric progression. A class lists this mixin before FormulaEncoder."""

    n_scales: int
    min_scale: float
    max_scale: float
    units: str
    periodic: bool

    if TYPE_CHECKING:

        def _terms(self) -> tuple[str, ...]: ...

    def _constants(self) -> dict[str, FloatArray]:
        """Radians per degree for each scale: ``rate`` along latitude and ``east`` along longitude."""
        rate = self._unscaled() / np.geomspace(float(self.min_scale), float(self.max_scale), int(self.n_scales))
        return {"rate": rate, "east": self._eastwards(rate)}

    def _unscaled(self) -> FloatArray:
        """Radians per degree for the scale 1."""
        # With units="degrees" the sine takes a number of degrees as a number of radians.
        return np.array([1.0 if self.units == "degrees" else math.radians(1.0)])

    def _eastwards(self, rate: FloatArray) -> FloatArray:
        """The rate along longitude. If periodic, a whole number of waves, at least one, goes around the Earth."""
        # A rate of n pi / 180 radians per degree makes n waves in 360 degrees. Round n, but not to zero.
        return np.radians(np.maximum(1.0, np.round(np.degrees(rate)))) if self.periodic else rate

    def _check_parameters(self) -> None:
        low, high = self.min_scale, self.max_scale
        valid = is_integer(self.n_scales) and 1 <= self.n_scales <= _MOST_SCALES
        check_parameter("n_scales", self.n_scales, valid, f"an integer from 1 to {_MOST_SCALES}")
        check_parameter("min_scale", low, is_real(low) and low > 0, "a positive number")
        valid = is_real(high) and high >= low
        check_parameter("max_scale", high, valid, f"a number, at least min_scale={low!r}")
        valid = isinstance(self.units, str) and self.units in ("degrees", "radians")
        check_parameter("units", self.units, valid, "'degrees' or 'radians'")
        check_flag("periodic", self.periodic)

    def _embedding_names(self) -> list[str]:
        return [term.format(f"s{scale}") for term in self._terms() for scale in range(int(self.n_scales))]


def sin_cos(angle: Any, radians_per_degree: Any, xp: Any) -> tuple[Any, Any]:
    """Sine and cosine of an angle in degrees."""
    # The cosine as a product of two sines is exactly zero at 90 degrees, and differentiable everywhere.
    half = angle / 2.0
    cosine = 2.0 * xp.sin((45.0 + half) * radians_per_degree) * xp.sin((45.0 - half) * radians_per_degree)
    return xp.sin(angle * radians_per_degree), cosine
