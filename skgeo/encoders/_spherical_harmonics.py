"""Real spherical harmonics."""

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from skgeo._inverse import DegreeOne, InverseTransformer
from skgeo._kernels.evaluate_harmonics import write_grid, write_points
from skgeo._kernels.harmonics import convention_factors, degrees_and_orders
from skgeo._spectrum import check_spectrum, prior_variance
from skgeo._typing import FloatArray, Floats
from skgeo._validation import check_convention, check_degree, check_n_jobs, check_parameter, is_integer
from skgeo._values_at_places import Places, fill_at_places
from skgeo.encoders._base import FixedEncoder

if TYPE_CHECKING:
    from skgeo.nn._encoder_modules import Harmonics

__all__ = ["SphericalHarmonics"]

# The columns of a single place take 32 MB at this degree. A number of a damaged file could ask for all memory.
_MOST_DEGREE = 2000


class SphericalHarmonics(InverseTransformer, FixedEncoder):
    """Real spherical harmonics: waves on the sphere, as sines and cosines are waves on the circle.

    With max_degree L there are (L + 1)^2 - min_degree^2 columns: ``sh_l0_m0``, ``sh_l1_m-1``, ``sh_l1_m0``,
    ``sh_l1_m1``, ``sh_l2_m-2`` and so on, by degree l and order m from -l to l. Columns with m < 0 are sines. The
    harmonics are orthonormal on the unit sphere, without the Condon-Shortley phase. [1]_ uses them as a location
    encoder.

    Parameters
    ----------
    max_degree : int, default=10
        Largest degree L, at least 1. The resolution is half a wavelength, 180 / L degrees.
    min_degree : int, default=0
        Smallest degree; 1 drops the constant column.
    spectrum : None, "matern" or array-like of shape (L + 1,), default=None
        Prior variance of each degree, from 0 to L. Each column is multiplied by the square root of the variance of its
        degree. None does not change the columns. ``"matern"`` is ``matern_spectrum(max_degree)``.
    convention : "orthonormal", "satclip" or "satclip_closed_form", default="orthonormal"
        Signs and scale of the columns: those of this package, or those that networks of SatCLIP [2]_ were trained on.
        "satclip" multiplies column (l, m) by (-1)^l, and by pi if m = 0. "satclip_closed_form" multiplies it by
        (-1)^(l + m), as the ``harmonics_calculation="closed-form"`` of SatCLIP does.
    coordinates : (str, str) or None, default=None
        Names of the latitude and the longitude column of a DataFrame. None finds lat, latitude, lon, lng, long,
        longitude, in any order and case, and a single pair such as start_lat, start_lon.
    missing : "error" or "nan", default="error"
        What to do with points that lack a coordinate: refuse them, or embed them as NaN.
    add_indicator : bool, default=False
        Add a column ``missing_location``, 1 where a coordinate is missing.
    n_jobs : int or None, default=None
        Threads for ``transform``; None is 1 unless in a ``joblib.parallel_config``. The output does not depend on it.
    verbose : bool or None, default=None
        Show a progress bar; needs tqdm. None shows it in interactive sessions, when work takes longer than two seconds.

    Attributes
    ----------
    wavelength_km_ : ndarray of shape (L + 1,)
        Wavelength on the ground, in km, of harmonics of each degree, ``skgeo.degree_wavelength_km``. The resolution is
        half the last wavelength.
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
    skgeo.SphericalHarmonicPCA : Computes principal components of the harmonics over a domain, each of unit variance.
    skgeo.matern_spectrum : Computes the prior variances of a smooth random field.
    skgeo.nn.load_satclip : Reads a published network on the harmonics of SatCLIP.

    Notes
    -----
    The columns are smooth everywhere on the sphere, also at the poles and the antimeridian. A rotation of the sphere
    combines only columns of the same degree.

    With a spectrum s_l the product of two rows is the covariance of a Gaussian random field at the two places. By the
    addition theorem it is the sum over l of s_l (2 l + 1) / 4 pi P_l(cos distance). A ridge regression on these columns
    is therefore Gaussian process regression with this kernel, where ``alpha`` is the variance of the noise. The time
    grows linearly with the number of samples. Give the regression ``fit_intercept=False``, or the encoder
    ``min_degree=1``.

    float32 input is computed in float64 and rounded.

    The code of SatCLIP evaluates the harmonics at longitude + 180 and at the colatitude latitude + 90. It multiplies
    the harmonics of order 0 by sqrt((2 l + 1) / 4 * pi) instead of sqrt((2 l + 1) / (4 * pi)). The parity of the
    Legendre functions is (-1)^(l + m), and that of the waves along longitude is (-1)^m. ``convention="satclip"``
    therefore gives the same columns. ``legendre_polys`` of SatCLIP is ``max_degree + 1``. The closed form of SatCLIP
    has the usual scale of order 0, and keeps the Condon-Shortley phase, which is a further factor (-1)^m.

    References
    ----------
    .. [1] Russwurm, M., Klemmer, K., Rolf, E., Zbinden, R. & Tuia, D. (2024). Geographic location encoding with
       spherical harmonics and sinusoidal representation networks. International Conference on Learning Representations.
    .. [2] Klemmer, K., Rolf, E., Robinson, C., Mackey, L. & Russwurm, M. (2025). SatCLIP: global, general-purpose
       location embeddings with satellite imagery. Proceedings of the AAAI Conference on Artificial Intelligence 39(4),
       4347-4355.

    Examples
    --------
    The harmonics of degree 1 are y, z and x of the unit sphere, times sqrt(3 / 4 pi).

    >>> from skgeo.encoders import SphericalHarmonics
    >>> harmonics = SphericalHarmonics(1).fit([[0.0, 90.0]])
    >>> harmonics.get_feature_names_out().tolist()
    ['sh_l0_m0', 'sh_l1_m-1', 'sh_l1_m0', 'sh_l1_m1']
    >>> harmonics.transform([[0.0, 90.0], [90.0, 0.0]]).round(4)
    array([[0.2821, 0.4886, 0.    , 0.    ],
           [0.2821, 0.    , 0.4886, 0.    ]])

    A Gaussian process of the temperature of a place, in linear time.

    >>> import numpy as np
    >>> from sklearn.linear_model import RidgeCV
    >>> from sklearn.pipeline import make_pipeline
    >>> from skgeo.datasets import fibonacci_lattice
    >>> stations = fibonacci_lattice(400)
    >>> temperature = 30 * np.cos(np.radians(stations[:, 0])) ** 2
    >>> place = SphericalHarmonics(10, min_degree=1, spectrum="matern")
    >>> model = make_pipeline(place, RidgeCV())
    >>> model.fit(stations, temperature).predict([[0.0, 20.0], [60.0, 20.0]]).round(1)
    array([30. ,  7.5])
    """

    def __init__(
        self,
        max_degree: int = 10,
        *,
        min_degree: int = 0,
        spectrum: "str | npt.ArrayLike | None" = None,
        convention: str = "orthonormal",
        coordinates: tuple[str, str] | None = None,
        missing: str = "error",
        add_indicator: bool = False,
        n_jobs: int | None = None,
        verbose: bool | None = None,
    ) -> None:
        self.max_degree = max_degree
        self.min_degree = min_degree
        self.spectrum = spectrum
        self.convention = convention
        self.coordinates = coordinates
        self.missing = missing
        self.add_indicator = add_indicator
        self.n_jobs = n_jobs
        self.verbose = verbose

    def to_torch(self) -> "Harmonics":
        """Make a differentiable torch module that computes ``transform``, with the constants as buffers.

        Returns
        -------
        skgeo.nn.Harmonics
            Maps (latitude, longitude) in degrees (..., 2) to (..., n_outputs). Latitude is always the first column.
        """
        check_is_fitted(self)
        self._check_to_torch()
        from skgeo.nn._encoder_modules import Harmonics  # needs torch

        return Harmonics(
            int(self.max_degree),
            min_degree=int(self.min_degree),
            spectrum=self._variance(),
            convention=self.convention,
        )

    def harmonic_map(self) -> tuple[FloatArray, None]:
        """Return the factor of each harmonic in the columns. Exact means over patches need these factors.

        Returns
        -------
        factors : ndarray of shape (n_outputs,)
            Factors of the real spherical harmonics, from ``min_degree`` on.
        clip : None
            Harmonics are not clipped.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        """
        check_is_fitted(self)
        return self._factors(), None

    def _embed_places(self, places: Places) -> Floats:
        # Both functions compute the same columns: one at points, the other one at the cells between two axes.
        options: dict[str, Any] = {
            "factors": self._factors(),
            "max_degree": int(self.max_degree),
            "n_jobs": self.n_jobs,
        }
        writes = partial(write_points, **options), partial(write_grid, **options)
        return fill_at_places(places, options["factors"].size, places.dtype, *writes, verbose=self.verbose)

    def _degree_one(self) -> DegreeOne | None:
        factors = self._factors()
        columns = np.arange(1, 4) - min(int(self.min_degree), 1)  # the columns of degree 1
        # The place follows from the three harmonics of degree 1, unless they are left out or multiplied by zero.
        if self.min_degree > 1 or self._variance()[1] == 0.0:
            return None
        matrix = np.zeros((3, factors.size))
        # The harmonics of degree 1 are y, z and x times their factors: divide by these.
        matrix[[1, 2, 0], columns] = 1.0 / factors[columns]
        return DegreeOne(matrix, np.zeros(3))

    def _variance(self) -> FloatArray:
        """Prior variance of each degree."""
        return prior_variance(self.spectrum, int(self.max_degree))

    def _factors(self) -> FloatArray:
        """The factor of each harmonic of degree ``min_degree`` to ``max_degree``."""
        degree, order = degrees_and_orders(int(self.max_degree))
        # A column is a harmonic times the square root of its prior variance and a factor of the convention.
        factors = np.sqrt(self._variance())[degree] * convention_factors(degree, order, self.convention)
        return factors[degree >= self.min_degree]

    def _check_parameters(self) -> None:
        degree, least = check_degree(self.max_degree), self.min_degree
        check_parameter("max_degree", degree, degree <= _MOST_DEGREE, f"an integer from 1 to {_MOST_DEGREE}")
        valid = is_integer(least) and 0 <= least <= degree
        check_parameter("min_degree", least, valid, f"an integer from 0 to max_degree={degree}")
        check_spectrum(self.spectrum, degree)
        check_convention(self.convention)
        check_n_jobs(self.n_jobs)

    def _embedding_names(self) -> list[str]:
        degree, order = degrees_and_orders(int(self.max_degree))
        return [f"sh_l{l}_m{m}" for l, m in zip(degree, order, strict=True) if l >= self.min_degree]  # noqa: E741
