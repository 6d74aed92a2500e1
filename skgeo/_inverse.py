"""The base of transformers that find the place of an embedding."""

from abc import abstractmethod
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from skgeo._base import LocationTransformer, detached_copy
from skgeo._input.coordinates import Points, masked_to_nan
from skgeo._kernels.nearest_places import SAME_PLACE_RADIANS, nearest_places
from skgeo._kernels.sphere import degrees_of_vectors
from skgeo._spectrum import degree_wavelength_km
from skgeo._typing import FloatArray
from skgeo._validation import check_magnitude, warn_caller
from skgeo.exceptions import ResolutionWarning

# If the soft clip shrinks a value by more than this factor, the value has too few digits to give the place directly.
_MAX_CLIP_SHRINKAGE = 5.0
# Smallest number of values below the bound of the clip that determines a place.
_MIN_UNCLIPPED_VALUES = 3
# Largest difference between a harmonic and its projection onto the components if these span the harmonic.
_SPANNED = 1e-12
# Columns of the harmonics of degree 1 that are x, y and z of the unit sphere, times sqrt(3 / 4 pi).
_XYZ = [3, 1, 2]


class DegreeOne(NamedTuple):
    """The map from a linear embedding z (k,) to a vector towards its place: ``matrix`` (3, k) ``@ z + offset``."""

    matrix: FloatArray
    offset: FloatArray


def degree_one_of_components(
    components: FloatArray, scale: FloatArray, mean: FloatArray, root: FloatArray
) -> DegreeOne | None:
    """The map from standardised principal components to x, y and z; None if the components do not span these.

    ``components`` (k, D), ``scale`` (k,) and ``mean`` (D,) are those of the harmonics. ``root`` (D,) is the prior
    standard deviation of each harmonic, by which the components are multiplied.
    """
    if root[1] == 0.0:
        return None
    # Divided by the prior deviations the components are orthonormal rows: project x, y and z onto them.
    axes = components[:, _XYZ] / root[1]
    held = axes.T @ np.divide(components, root, out=np.zeros_like(components), where=root > 0.0)
    held[np.arange(3), _XYZ] -= 1.0
    if np.abs(held).max() > _SPANNED:
        return None
    return DegreeOne(axes.T * scale / root[1], mean[_XYZ])


class InverseTransformer(LocationTransformer):
    """A transformer of places that can also find the place of an embedding."""

    max_degree: int

    @property
    def wavelength_km_(self) -> npt.NDArray[np.float64]:
        """Wavelength on the ground, in km, of harmonics of degree 0 to ``max_degree``."""
        check_is_fitted(self)
        return degree_wavelength_km(np.arange(int(self.max_degree) + 1))

    def inverse_transform(self, X: Any) -> npt.NDArray[np.floating]:
        """Find the places of given embeddings.

        If the columns span the harmonics of degree 1, which are the coordinates x, y and z, the place follows from
        these. Otherwise the result is the place whose embedding is nearest, by least squares. Levenberg-Marquardt steps
        start from every cell of a lattice on the sphere that may contain the place. A row takes about ten milliseconds.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_outputs)
            Embeddings in the order of the columns of ``transform``; names do not matter. Rows of missing places may be
            NaN or masked unless ``missing="error"``.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            Latitude and longitude in degrees, longitudes in [-180, 180]; float32 for float32 embeddings, else float64.
            Exact to 1e-9 degrees on the sphere for embeddings in float64 that are not clipped. NaN for rows that are
            NaN, that the indicator says are missing, or that have no nearest place.

        Raises
        ------
        ValueError
            If X has another number of columns, or values that are infinite, or NaN with ``missing="error"``.
        NotFittedError
            Before ``fit``.

        Warns
        -----
        ResolutionWarning
            If rows do not determine their place, because the embedding of another place, or of a line of places, is
            equally near. The reason is too few columns, or a soft clip with at most two values inside its bound. The
            message gives the number of such rows and the first row.

        Examples
        --------
        >>> from skgeo.encoders import SphericalHarmonics
        >>> harmonics = SphericalHarmonics(4).fit([[0.0, 0.0]])
        >>> embedding = harmonics.transform([[47.4, 8.5], [-33.9, -161.6]])
        >>> harmonics.inverse_transform(embedding).round(9)
        array([[  47.4,    8.5],
               [ -33.9, -161.6]])
        """
        check_is_fitted(self)
        finite: Any = self.missing == "error" or "allow-nan"
        table = check_array(masked_to_nan(X), dtype=(np.float64, np.float32), ensure_all_finite=finite, input_name="X")
        names = self._feature_names()
        if table.shape[1] != len(names):
            raise ValueError(
                f"X has {table.shape[1]} columns: expected {len(names)}, those of transform, {names[0]} to {names[-1]}."
            )
        values = table.astype(np.float64)
        check_magnitude("X", values[~np.isnan(values)])
        # A missing place has a row of NaN, an indicator of 1, or, with missing="mean", a row of zeros.
        absent = np.isnan(values).any(axis=1)
        if self.add_indicator:
            absent |= values[:, -1] > 0.5
            values = values[:, :-1]
        elif self.missing == "mean":
            absent |= ~values.any(axis=1)
        places = np.full((len(values), 2), np.nan)
        rows = np.flatnonzero(~absent)
        if rows.size:
            places[rows], uncertain = self._places(values[rows])
            _warn(rows[uncertain])
        return places.astype(table.dtype, copy=False)

    def _places(self, values: FloatArray) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
        """Places (n, 2) of embeddings (n, k), and a mask (n,) of the places that the embeddings leave undetermined."""
        degree_one = self._degree_one()
        linear, saturated = self._unclipped(values)
        if degree_one is None:
            direct = np.zeros(len(values), dtype=bool)
        else:
            # The direct map needs accurate values only in the columns that it uses.
            used = (np.abs(degree_one.matrix) > 0.0).any(axis=0)
            blunt = saturated | (np.abs(linear) > _MAX_CLIP_SHRINKAGE * np.abs(values))
            direct = np.asarray(~blunt[:, used].any(axis=1))
        places = np.empty((len(values), 2))
        uncertain = saturated.any(axis=1) & (np.count_nonzero(~saturated, axis=1) < _MIN_UNCLIPPED_VALUES)
        if degree_one is not None and direct.any():
            vectors = linear[direct] @ degree_one.matrix.T + degree_one.offset
            # A vector of length zero has no direction: the place is NaN and uncertain.
            length = np.linalg.norm(vectors, axis=1)
            uncertain[direct] |= length < SAME_PLACE_RADIANS
            vectors[length < SAME_PLACE_RADIANS] = np.nan
            places[direct] = degrees_of_vectors(vectors)
        if not direct.all():
            # The copy shows no progress bar: each step of the search embeds points.
            embed = detached_copy(self)._embed_points
            places[~direct], undetermined = nearest_places(embed, values[~direct], int(self.max_degree))
            uncertain[~direct] |= undetermined
        return places, uncertain

    def _embed_points(self, points: FloatArray) -> FloatArray:
        """The embedding (n, k) of points (n, 2), without indicator."""
        latitude, longitude = points.T
        return self._embed_places(Points(latitude, longitude, points.dtype)).astype(np.float64, copy=False)

    def _unclipped(self, values: FloatArray) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
        """The embedding before the clip, and a mask of the values at the bound of the clip."""
        return values, np.zeros(values.shape, dtype=bool)

    @abstractmethod
    def _degree_one(self) -> DegreeOne | None:
        """The map to the harmonics of degree 1, or None if the columns do not span them."""


def _warn(rows: npt.NDArray[np.intp]) -> None:
    """Warn if there are rows that do not determine their place."""
    if rows.size:
        warn_caller(
            f"{rows.size} rows of X, the first row {rows[0]}, do not determine their place: another place, or a whole "
            "line of places, has the same embedding. Take more components, or a wider clip.",
            ResolutionWarning,
        )
