"""Gaussians of the distance from anchors near the training places."""

import math
from typing import Any, Self

import numpy as np
from scipy.spatial import KDTree
from sklearn.utils.validation import check_is_fitted

from skgeo._base import restore_on_error
from skgeo._kernels.sphere import EARTH_RADIUS, fibonacci_lattice, unit_vectors
from skgeo._kernels.threads import row_blocks
from skgeo._places import points_with_weights
from skgeo._typing import FloatArray
from skgeo._validation import check_parameter, is_real
from skgeo.encoders._base import FormulaEncoder, sin_cos
from skgeo.exceptions import CoordinateError

__all__ = ["RadialBasisEncoder"]

# The lattice of the smallest spacing has 5e10 points on the globe, and 1e6 points within two spacings of a parallel.
_LEAST_KM = 0.1
_MOST_LATTICE_POINTS = 10_000_000
_MOST_ANCHORS = 20_000


class RadialBasisEncoder(FormulaEncoder):
    """Radial basis functions: Gaussians of the distance from anchors, spread evenly around the training places.

    The anchors are the points of a Fibonacci lattice on the globe [1]_ that lie within two spacings of a training
    place. Each anchor has one column exp(-d^2 / (2 s^2)), where d is the straight distance from the anchor to the
    place, and s is the spacing. A linear model on these columns is a sum of bumps. The encoder of [2]_ has random
    training places as anchors.

    The columns are ``rbf0``, ``rbf1`` and so on, in the order of the anchors from south to north.

    Parameters
    ----------
    spacing_km : float, default=1000
        Spacing of the anchors and standard deviation of the Gaussians in km, at least 0.1. Each anchor stands for an
        area of spacing_km^2: half of the spacing gives up to four times as many columns. Choose the spacing by a grid
        search.
    coordinates : (str, str) or None, default=None
        Names of the latitude and the longitude column of a DataFrame. None finds lat, latitude, lon, lng, long,
        longitude, in any order and case, and a single pair such as start_lat, start_lon.
    missing : "error" or "nan", default="error"
        What to do with points that lack a coordinate: refuse them, or embed them as NaN.
    add_indicator : bool, default=False
        Add a column ``missing_location``, 1 where a coordinate is missing.
    verbose : bool or None, default=None
        Show a progress bar; needs tqdm. None shows it in interactive sessions, when work takes longer than two seconds.

    Attributes
    ----------
    anchors_ : ndarray of shape (n_anchors, 3)
        The anchors as vectors of length one, from south to north.
    n_features_in_ : int
        2: latitude and longitude.
    feature_names_in_ : ndarray of shape (2,)
        Columns of the DataFrame seen in ``fit``; only if it was one.

    Raises
    ------
    CoordinateError
        From any method that takes X, if it is not latitude and longitude in degrees; from ``fit``, if all places are
        missing.
    ValueError
        From ``fit``, if a parameter is invalid, or if the spacing is so small that there would be more than 20,000
        anchors, or more than 10 million lattice points between the latitudes of the training places.
    NotFittedError
        From ``transform`` and ``to_torch`` before ``fit``.
    ImportError
        From ``to_torch`` without torch.

    See Also
    --------
    skgeo.encoders.RandomFourierEncoder : Columns without anchors, whose number does not depend on the places.
    skgeo.SphericalGaussianProcessRegressor : Finds the length scale and the noise by itself.

    Notes
    -----
    The columns are smooth everywhere on the sphere, also at the antimeridian and at the poles. The anchors depend on
    where the training places are, and not on their order, their number or weights. A lattice of the whole globe has
    4 pi (6371 / spacing_km)^2 points, 510 for 1000 km, and 12 or more for any spacing. A place that is many spacings
    from all anchors has columns close to 0: a linear model predicts its intercept there.

    Two numbers were chosen by ``experiments/downstream.py``: the width of the Gaussians, and the largest distance of an
    anchor from a training place. The script compared ridge regressions on 500 places by R² of a rough field in Europe,
    and by the accuracy for land and ocean. In comparison with the chosen numbers:

    * Anchors within one spacing of a place lower R² by 0.020 and the accuracy by 0.002.
    * Anchors within three spacings raise R² by 0.001, and do not change the accuracy.
    * Gaussians of 1.4 spacings and the same width in km need twice as many columns. They raise R² by 0.004 to 0.013,
      and the accuracy by 0.002.
    * Gaussians of 0.7 spacings lower R² by 0.057 and the accuracy by 0.008.

    References
    ----------
    .. [1] Gonzalez, A. (2010). Measurement of areas on a sphere using Fibonacci and latitude-longitude lattices.
       Mathematical Geosciences 42, 49-64.
    .. [2] Mai, G., Janowicz, K., Yan, B., Zhu, R., Cai, L. & Lao, N. (2020). Multi-scale representation learning for
       spatial feature distributions using grid cells. International Conference on Learning Representations.

    Examples
    --------
    The number of anchors follows from the region and from the spacing.

    >>> import numpy as np
    >>> from skgeo.encoders import RadialBasisEncoder
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform([45, 5], [50, 15], (200, 2))
    >>> RadialBasisEncoder(500).fit_transform(X).shape
    (200, 23)
    >>> RadialBasisEncoder(250).fit_transform(X).shape
    (200, 38)

    A ridge regression on the columns draws a smooth field through the places.

    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> y = np.sin(X[:, 0]) + np.cos(X[:, 1])
    >>> model = make_pipeline(RadialBasisEncoder(100), Ridge(0.01))
    >>> round(model.fit(X[:150], y[:150]).score(X[150:], y[150:]), 1)
    1.0
    """

    anchors_: FloatArray
    _learns_places = True

    def __init__(
        self,
        spacing_km: float = 1000.0,
        *,
        coordinates: tuple[str, str] | None = None,
        missing: str = "error",
        add_indicator: bool = False,
        verbose: bool | None = None,
    ) -> None:
        self.spacing_km = spacing_km
        self.coordinates = coordinates
        self.missing = missing
        self.add_indicator = add_indicator
        self.verbose = verbose

    def fit(self, X: Any, y: object = None) -> Self:
        """Check the parameters and the coordinates, and choose the anchors near the places.

        Parameters
        ----------
        X : array-like, DataFrame or GeoSeries of shape (n_samples, 2), LatLonGrid, CellGrid or xarray object
            Points as (latitude, longitude) in degrees, or a grid. Missing points and cells outside the mask get no
            anchors. Chunked coordinates (dask) are computed.
        y : None
            Ignored.

        Returns
        -------
        self
        """
        self._check_parameters()
        with restore_on_error(self):
            points, weight = points_with_weights(self._read(X, reset=True))
            # Places that are missing, and cells outside the mask, have the weight zero.
            present = points[weight > 0.0]
            if len(present) == 0:
                raise CoordinateError(
                    "X has no place: all are missing or outside the mask. Expected at least one place."
                )
            self.anchors_ = self._choose_anchors(*present.T)
        return self

    def _choose_anchors(self, latitude: FloatArray, longitude: FloatArray) -> FloatArray:
        """The lattice points within two spacings of a place, as unit vectors from south to north."""
        # Every place has a point of the lattice within one spacing. There is therefore always an anchor.
        reach = 2.0 * self._spacing()
        n_points = max(12, round(4.0 * math.pi / self._spacing() ** 2))
        # The lattice rises from the sine -1 to the sine 1 in equal steps: only points near these latitudes are made.
        margin = 2.0 * math.asin(min(1.0, reach / 2.0))
        south = max(math.radians(latitude.min()) - margin, -math.pi / 2.0)
        north = min(math.radians(latitude.max()) + margin, math.pi / 2.0)
        first = max(0, math.floor((math.sin(south) + 1.0) * n_points / 2.0) - 1)
        stop = min(n_points, math.ceil((math.sin(north) + 1.0) * n_points / 2.0) + 1)
        self._check_number(stop - first <= _MOST_LATTICE_POINTS, f"{stop - first:.3g} lattice points to search")
        tree, chosen, n_chosen = KDTree(unit_vectors(latitude, longitude)), [], 0
        # A block of lattice points at a time: the lattice needs more memory than the anchors.
        for block in row_blocks(stop - first, 3):
            points = unit_vectors(*fibonacci_lattice(n_points, first + block.start, first + block.stop).T)
            distance, _ = tree.query(points, distance_upper_bound=np.nextafter(reach, np.inf))
            chosen.append(points[np.isfinite(distance)])
            n_chosen += len(chosen[-1])
            self._check_number(n_chosen <= _MOST_ANCHORS, f"more than {_MOST_ANCHORS:,} anchors near the places of X")
        return np.concatenate(chosen)

    def _check_number(self, valid: bool, given: str) -> None:
        """Refuse a spacing that is too small for the extent of the places."""
        if not valid:
            raise ValueError(
                f"spacing_km={self.spacing_km!r} gives {given}: expected at most {_MOST_LATTICE_POINTS:,} lattice "
                f"points and {_MOST_ANCHORS:,} anchors. Choose a larger spacing, or places in a smaller region."
            )

    def _spacing(self) -> float:
        """The spacing in radii of the Earth."""
        return 1000.0 * float(self.spacing_km) / EARTH_RADIUS

    def _constants(self) -> dict[str, FloatArray]:
        check_is_fitted(self)
        x, y, z = self.anchors_.T.copy()
        return super()._constants() | {"x": x, "y": y, "z": z}

    def _terms(self) -> tuple[str, ...]:
        return ("rbf{}",)

    def _formula(self, latitude: Any, longitude: Any, constants: dict[str, Any], xp: Any) -> list[Any]:
        lat_sin, lat_cos = sin_cos(latitude, constants["radians_per_degree"], xp)
        lon_sin, lon_cos = sin_cos(longitude, constants["radians_per_degree"], xp)
        # Differences of coordinates keep the digits of short distances. A dot product close to 1 would lose them.
        across = (lat_cos * lon_cos - constants["x"]) ** 2 + (lat_cos * lon_sin - constants["y"]) ** 2
        square = across + (lat_sin - constants["z"]) ** 2
        return [xp.exp(square * (-0.5 / self._spacing() ** 2))]

    def _check_parameters(self) -> None:
        spacing = self.spacing_km
        valid = is_real(spacing) and spacing >= _LEAST_KM
        check_parameter("spacing_km", spacing, valid, f"a number of km, at least {_LEAST_KM}")

    def _embedding_names(self) -> list[str]:
        check_is_fitted(self)
        return [f"rbf{i}" for i in range(len(self.anchors_))]
