"""Random Fourier features of the position on the sphere."""

import math
from typing import Any, Self

import numpy as np
from sklearn.utils import check_random_state

from skgeo._kernels.sphere import EARTH_RADIUS
from skgeo._typing import FloatArray
from skgeo._validation import check_parameter, is_integer, is_real
from skgeo.encoders._base import FormulaEncoder, sin_cos

__all__ = ["RandomFourierEncoder"]


class RandomFourierEncoder(FormulaEncoder):
    """Waves in random directions, whose products approximate a kernel of distance: random Fourier features [1]_.

    Each random vector w gives two columns: the cosine and the sine of w x, times sqrt(2 / n_components), where x is the
    position on the unit sphere. The product of two rows approximates a Gaussian or Matern kernel of the straight
    distance between two places through the Earth. A ridge regression on these columns is an approximate Gaussian
    process with this kernel.

    There are n_components columns, ``rff0`` to ``rff{n_components - 1}``: the cosine and the sine of the first vector,
    then those of the second, and so on.

    Parameters
    ----------
    n_components : int, default=500
        Number of columns. An odd number leaves out the sine of the last vector. Products of rows deviate from the
        kernel by about 1 / sqrt(n_components).
    length_scale_km : float, default=1000
        Length scale of the kernel in km, measured straight through the Earth. Choose the length scale by a grid search.
    smoothness : float, default=math.inf
        Smoothness of the Matern kernel. 0.5 is the exponential kernel. ``math.inf`` is the Gaussian kernel. Its
        columns have no waves that are much shorter than the length scale.
    random_state : int, RandomState or None, default=None
        Seed of the random vectors, which ``fit`` draws. An integer gives the same columns in every fit.
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
    frequencies_ : ndarray of shape (ceil(n_components / 2), 3)
        The random vectors w, in radians for each Earth radius.
    n_features_in_ : int
        2: latitude and longitude.
    feature_names_in_ : ndarray of shape (2,)
        Columns of the DataFrame seen in ``fit``; only if it was one.

    Raises
    ------
    CoordinateError
        From any method that takes X, if it is not latitude and longitude in degrees.
    ValueError
        From ``fit``, if a parameter is invalid.
    NotFittedError
        From ``transform`` and ``to_torch`` before ``fit``.
    ImportError
        From ``to_torch`` without torch.

    See Also
    --------
    skgeo.encoders.SphericalHarmonics : Has an exact kernel, and needs many columns for short length scales.
    skgeo.SphericalGaussianProcessRegressor : Finds the length scale and the noise by itself.

    Notes
    -----
    The columns are smooth everywhere on the sphere, also at the antimeridian and the poles. The vectors w are drawn
    from the spectral density of the kernel. For the Gaussian kernel exp(-d^2 / (2 l^2)) the density is a normal
    distribution with the standard deviation 1 / l. For the Matern kernel it is a t distribution with 2 ``smoothness``
    degrees of freedom. This Matern kernel is scikit-learn's ``Matern(l, nu=smoothness)`` of Cartesian coordinates. The
    straight distance d is 2 R sin(angle / 2). At 3,100 km d is 1 % shorter than the distance along the surface.

    References
    ----------
    .. [1] Rahimi, A. & Recht, B. (2007). Random features for large-scale kernel machines. Advances in Neural
       Information Processing Systems 20.

    Examples
    --------
    Two places that lie one length scale apart. The product of their rows is about exp(-1/2), which is 0.61.

    >>> from skgeo.encoders import RandomFourierEncoder
    >>> encoder = RandomFourierEncoder(5000, length_scale_km=1000, random_state=0)
    >>> Z = encoder.fit_transform([[0.0, 0.0], [9.0, 0.0]])
    >>> (Z @ Z.T).round(2)
    array([[1.  , 0.61],
           [0.61, 1.  ]])
    """

    frequencies_: FloatArray

    def __init__(
        self,
        n_components: int = 500,
        length_scale_km: float = 1000.0,
        smoothness: float = math.inf,
        *,
        random_state: int | np.random.RandomState | None = None,
        coordinates: tuple[str, str] | None = None,
        missing: str = "error",
        add_indicator: bool = False,
        verbose: bool | None = None,
    ) -> None:
        self.n_components = n_components
        self.length_scale_km = length_scale_km
        self.smoothness = smoothness
        self.random_state = random_state
        self.coordinates = coordinates
        self.missing = missing
        self.add_indicator = add_indicator
        self.verbose = verbose

    def fit(self, X: Any, y: object = None) -> Self:
        """Check the parameters and the coordinates, and draw the random vectors.

        Parameters
        ----------
        X : array-like, DataFrame or GeoSeries of shape (n_samples, 2), LatLonGrid, CellGrid or xarray object
            Points as (latitude, longitude) in degrees, or a grid. Nothing is learned from them. Chunked coordinates
            (dask) are not read.
        y : None
            Ignored.

        Returns
        -------
        self
        """
        super().fit(X)
        rng = check_random_state(self.random_state)
        waves = rng.standard_normal((self._n_waves(), 3))
        # A normal vector divided by the root of a chi-squared number has a t distribution.
        if not math.isinf(self.smoothness):
            freedom = 2.0 * float(self.smoothness)
            waves /= np.sqrt(rng.chisquare(freedom, (len(waves), 1)) / freedom)
        self.frequencies_ = waves * (EARTH_RADIUS / 1000.0 / float(self.length_scale_km))
        return self

    def _n_waves(self) -> int:
        """The number of random vectors. Each has a cosine and a sine; the last has no sine if n_components is odd."""
        return -(-int(self.n_components) // 2)

    def _own_parameters(self) -> dict[str, Any]:
        """The parameters of the formula, without the seed."""
        # The torch module and its file hold the vectors: they need no seed, which may be a RandomState.
        own = super()._own_parameters()
        del own["random_state"]
        return own

    def _constants(self) -> dict[str, FloatArray]:
        # A module from a file is made without a fit: its vectors come from the file afterwards.
        waves = getattr(self, "frequencies_", np.zeros((self._n_waves(), 3)))
        x, y, z = waves.repeat(2, axis=0)[: int(self.n_components)].T.copy()
        # A sine is a cosine that lags a quarter of a wave behind.
        phase = np.resize([0.0, np.pi / 2.0], x.size)
        return super()._constants() | {"x": x, "y": y, "z": z, "phase": phase}

    def _terms(self) -> tuple[str, ...]:
        return ("rff{}",)

    def _formula(self, latitude: Any, longitude: Any, constants: dict[str, Any], xp: Any) -> list[Any]:
        lat_sin, lat_cos = sin_cos(latitude, constants["radians_per_degree"], xp)
        lon_sin, lon_cos = sin_cos(longitude, constants["radians_per_degree"], xp)
        # The products are written out: matrix products would round by blocks, and in half precision under autocast.
        angle = lat_cos * lon_cos * constants["x"] + lat_cos * lon_sin * constants["y"] + lat_sin * constants["z"]
        return [math.sqrt(2.0 / int(self.n_components)) * xp.cos(angle - constants["phase"])]

    def _check_parameters(self) -> None:
        number, length, smoothness = self.n_components, self.length_scale_km, self.smoothness
        check_parameter("n_components", number, is_integer(number) and number >= 1, "an integer, at least 1")
        check_parameter("length_scale_km", length, is_real(length) and length > 0, "a positive number")
        valid = (is_real(smoothness) or smoothness == math.inf) and smoothness > 0
        check_parameter("smoothness", smoothness, valid, "a positive number, or math.inf for the Gaussian kernel")
        # An invalid seed raises ValueError before fit changes anything.
        check_random_state(self.random_state)

    def _embedding_names(self) -> list[str]:
        return [f"rff{i}" for i in range(int(self.n_components))]
