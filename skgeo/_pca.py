"""Area-weighted principal components of spherical harmonics over a domain."""

import functools
import math
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from skgeo._base import restore_on_error
from skgeo._callers import MAX_REGION_SHARE, warn_few_components, warn_once_a_search
from skgeo._input.coordinates import Points, read_coordinates
from skgeo._integrate import weight_coefficients
from skgeo._inverse import DegreeOne, InverseTransformer, degree_one_of_components
from skgeo._kernels import domain as _domain
from skgeo._kernels.domain_basis import coordinate_share, domain_eigenbasis
from skgeo._kernels.eigenbasis import Eigenbasis, no_eigenbasis, number_to_keep, number_wanted
from skgeo._kernels.harmonics import degrees_and_orders
from skgeo._kernels.sphere import Boxes
from skgeo._kernels.threads import blas_threads_for
from skgeo._spectrum import check_spectrum, prior_variance
from skgeo._validation import check_clip, check_degree, check_flag, check_n_jobs, check_parameter, is_integer, is_real
from skgeo._values_at_places import Places, map_at_places
from skgeo.exceptions import ResolutionWarning

if TYPE_CHECKING:
    from skgeo.nn._transformer_modules import HarmonicPCA

__all__ = ["SphericalHarmonicPCA"]


class SphericalHarmonicPCA(InverseTransformer):
    """Principal components of real spherical harmonics, weighted by area over a domain.

    The transformer computes features of a place. It subtracts the mean over the training domain from the harmonics of
    degree 0 to ``max_degree``, and projects them onto their principal axes over this domain. It scales each component
    to unit variance there, and applies a soft clip, ``clip * tanh(z / clip)``. Apart from the mean, the components are
    Slepian functions of the domain [1]_.

    The basis depends on the domain only. The output over the domain is the same to 1e-6 for any cell size of a grid,
    order of rows, chunks, number of threads, convention of longitudes and machine. Outside the domain, columns of small
    variance have large values: two fits agree to 1e-3 there, and to 1e-6 in as many leading columns as the Shannon
    number. No array of the size ``n_samples x (L + 1)^2`` is made.

    Parameters
    ----------
    max_degree : int, default=10
        Largest degree L of the harmonics, at least 1. The resolution is half a wavelength, 180 / L degrees.
    n_components : int, float, "shannon" or None, default=None
        Number of components to keep. An integer is this number, up to (L + 1)^2 - 1. A float in (0, 1) is a fraction of
        the variance. "shannon" is the Shannon number N = (L + 1)^2 A / 4 pi of the domain of area A. None keeps all
        that the domain supports, about N + 13 sqrt(N). "shannon" and fractions leave out the last components of a
        region, which describe its edges. Take None if there are four rows of data for each component, else 0.99 or a
        lower degree. If the number is larger than the domain supports, the other columns are zero, with a warning.
    spectrum : None, "matern" or array-like of shape (L + 1,), default=None
        Prior variance of each degree. None gives all harmonics the same variance. ``"matern"`` is
        ``matern_spectrum(max_degree)``: the components are then the Karhunen-Loeve basis, over the domain, of a
        smooth random field on the sphere, large scales first.
    clip : float or None, default=3.0
        Bound of the output in standard deviations; None does not clip.
    area_weighted : bool, default=True
        Weigh grid cells by their area, and points by the cosine of latitude, as if they were cell centres of a
        regular grid. Give False for scattered observations, so that each has the same weight.
    coordinates : (str, str) or None, default=None
        Names of the latitude and the longitude column of a DataFrame. None finds lat, latitude, lon, lng, long,
        longitude, in any order and case, and a single pair such as start_lat, start_lon.
    missing : "error", "nan" or "mean", default="error"
        What to do with points that lack a coordinate: refuse them, or leave them out of ``fit`` and embed
        them as NaN or as the mean of the embedding over the domain, which is zero.
    add_indicator : bool, default=False
        Add a column ``missing_location``, 1 where a coordinate is missing.
    n_jobs : int or None, default=None
        Threads for ``transform``; None is 1 unless in a ``joblib.parallel_config``. The output does not depend on it.
    verbose : bool or None, default=None
        Show a progress bar; needs tqdm, or dask for chunked input. None shows it in interactive sessions, when work
        takes longer than two seconds.

    Attributes
    ----------
    mean_ : ndarray of shape (D,)
        Weighted mean over the domain of each of the D = (L + 1)^2 harmonics; (l, m) is at ``l * l + l + m``.
    components_ : ndarray of shape (n_components, D)
        Principal axes, orthonormal rows; with a spectrum, times the square root of the prior variance of the degree.
    explained_variance_ : ndarray of shape (n_components,)
        Variance over the domain of each component before standardising; zero beyond the supported number. The order is
        descending, except for the last supported components, which are equal to rounding.
    explained_variance_ratio_ : ndarray of shape (n_components,)
        Share of the total variance.
    scale_ : ndarray of shape (n_components,)
        Standard deviation that divides each component; 1 where the variance is zero.
    n_components_ : int
        Number of output columns.
    total_weight_ : float
        Sum of all weights: steradians for a grid, the sum of cos(latitude) times sample weight for points.
    shannon_number_ : float
        (L + 1)^2 A / 4 pi. For points A is the area over which they spread, (integral of w)^2 / integral of w^2, where
        w is their weight function up to degree 2 L. For small domains this area is too large.
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
        From ``fit``, if a parameter or ``sample_weight`` is out of range, or the domain has no extent.
    NotFittedError
        From ``transform`` and ``to_torch`` before ``fit``.
    ImportError
        From ``to_torch`` without torch.

    Warns
    -----
    ResolutionWarning
        From ``fit``, if the domain supports fewer components than ``n_components``; if ``n_components`` separates
        components of equal variance, so that their choice is a convention; or if there are many points in a region, and
        its components explain less than 95 % of the variance of the coordinates.

    See Also
    --------
    skgeo.PatchPositionEncoder : Computes the mean of this embedding over patches.

    Notes
    -----
    The covariance of harmonics over a domain follows from the harmonic coefficients of its weight function up to degree
    2 L. ``fit`` sums these coefficients, and integrates exactly over each cell of a grid. Time and memory for a region
    depend on the number of components k that it supports [2]_: a box of 30 x 50 degrees takes 1 s and 0.3 GB at degree
    60, and 6 s and 0.5 GB at degree 100. ``components_`` has 8 k (L + 1)^2 bytes, in memory and in files. ``transform``
    interpolates points of a region in a table, correct to 1e-9, if the table is at most half as large as
    ``components_``.

    Eigenvalues below 1e-9 L times (the largest plus the squared norm of the mean) are rounding, and their components
    are left out. If eigenvalues agree to 1e-6, or to five times this bound, their components are made as close to
    single harmonics as possible, lowest degree first. On the whole globe the components are the harmonics.

    float32 input is computed in float32, and agrees with the float64 result to 1e-5 (without ``clip``, to 1e-5 of the
    largest values). Components whose variance is too small for this are computed in float64.

    References
    ----------
    .. [1] Simons, F. J., Dahlen, F. A. & Wieczorek, M. A. (2006). Spatiospectral concentration on a sphere.
       SIAM Review 48(3), 504-536.
    .. [2] Halko, N., Martinsson, P. G. & Tropp, J. A. (2011). Finding structure with randomness. SIAM Review 53(2),
       217-288.

    Examples
    --------
    The first three harmonics beyond the constant are y, z and x of the unit sphere. Over the whole globe they are
    also the first components, in units of their standard deviation sqrt(1/3).

    >>> import numpy as np
    >>> from skgeo import LatLonGrid, SphericalHarmonicPCA
    >>> globe = LatLonGrid(np.arange(-89.5, 90), np.arange(0.5, 360))
    >>> pca = SphericalHarmonicPCA(max_degree=1, clip=None).fit(globe)
    >>> pca.transform([[0.0, 0.0], [0.0, 90.0], [90.0, 0.0]]).round(3) + 0.0
    array([[0.   , 0.   , 1.732],
           [1.732, 0.   , 0.   ],
           [0.   , 1.732, 0.   ]])
    """

    n_components_: int
    _coefficients: npt.NDArray[np.float64]
    _area: float

    def __init__(
        self,
        max_degree: int = 10,
        n_components: int | float | str | None = None,
        *,
        spectrum: "str | npt.ArrayLike | None" = None,
        clip: float | None = 3.0,
        area_weighted: bool = True,
        coordinates: tuple[str, str] | None = None,
        missing: str = "error",
        add_indicator: bool = False,
        n_jobs: int | None = None,
        verbose: bool | None = None,
    ) -> None:
        self.max_degree = max_degree
        self.n_components = n_components
        self.spectrum = spectrum
        self.clip = clip
        self.area_weighted = area_weighted
        self.coordinates = coordinates
        self.missing = missing
        self.add_indicator = add_indicator
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X: Any, y: object = None, sample_weight: "npt.ArrayLike | None" = None) -> Self:
        """Learn the mean, the components and their scale over a domain.

        Parameters
        ----------
        X : array-like, DataFrame or GeoSeries of shape (n_samples, 2), LatLonGrid or CellGrid
            Points as (latitude, longitude) in degrees; a LatLonGrid, which is integrated exactly over its cells; or a
            CellGrid, which is sampled at the centres of its cells. Chunked input (dask) is summed block by block, also
            on a cluster.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,) or that of the grid, default=None
            Weights of points or cells. Area and mask are further factors.

        Returns
        -------
        self
        """
        return self._fit(X, sample_weight, partial=False)

    def partial_fit(self, X: Any, y: object = None, sample_weight: "npt.ArrayLike | None" = None) -> Self:
        """Add a part of the domain to the earlier parts. The order of the parts does not matter.

        Parameters
        ----------
        X : array-like, DataFrame or GeoSeries of shape (n_samples, 2), LatLonGrid or CellGrid
            More points as (latitude, longitude) in degrees, or another grid. Overlaps count twice.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,) or that of the grid, default=None
            Weights of points or cells. Area and mask are further factors.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            As in ``fit``; or if ``max_degree`` has changed.

        Notes
        -----
        Each call takes as long as ``fit``. Grid cells weigh their area in steradians. To mix grids and points, give
        each point the weight area / cos(latitude), with its area in steradians.
        """
        return self._fit(X, sample_weight, partial=True)

    def to_torch(self) -> "HarmonicPCA":
        """Make a differentiable torch module that computes ``transform``, with the fitted numbers as buffers.

        Returns
        -------
        skgeo.nn.HarmonicPCA
            Maps (latitude, longitude) in degrees (..., 2) to (..., n_components). Latitude is always the first column.
        """
        check_is_fitted(self)
        self._check_to_torch()
        from skgeo.nn._transformer_modules import HarmonicPCA  # needs torch

        return HarmonicPCA(self._affine(), clip=self.clip)

    def harmonic_map(self) -> tuple[npt.NDArray[np.float64], float | None]:
        """Return the embedding as a linear map of harmonics with a soft clip; patches are averaged by this map.

        Returns
        -------
        coefficients : ndarray of shape (n_components, (max_degree + 1)^2)
            Coefficients of the real spherical harmonics, (l, m) in column ``l * l + l + m``.
        clip : float or None
            The embedding is ``clip * tanh(coefficients @ harmonics / clip)``; None does not clip.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        """
        check_is_fitted(self)
        return self._affine(), self.clip

    def _embed_places(self, places: Places) -> npt.NDArray[np.floating]:
        options: dict[str, Any] = {"n_jobs": self.n_jobs, "verbose": self.verbose, "domain": self._coefficients}
        return map_at_places(places, self._affine(), self.clip, places.dtype, **options)

    def _unclipped(self, values: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        if self.clip is None:
            return super()._unclipped(values)
        saturated = np.abs(values) >= self.clip  # arctanh is infinite there
        return self.clip * np.arctanh(np.where(saturated, 0.0, values / self.clip)), saturated

    def _degree_one(self) -> DegreeOne | None:
        """The map to x, y and z, or None if the components do not span the harmonics of degree 1."""
        degree, _ = degrees_and_orders(int(self.max_degree))
        root = np.sqrt(prior_variance(self.spectrum, int(self.max_degree)))[degree]
        return degree_one_of_components(self.components_, self.scale_, self.mean_, root)

    def _fit(self, X: Any, sample_weight: npt.ArrayLike | None, *, partial: bool) -> Self:
        """Fit on the domain; with ``partial`` on this part and all earlier parts."""
        self._check_parameters()
        resume = partial and hasattr(self, "_coefficients")  # earlier parts were learned
        with restore_on_error(self), blas_threads_for((int(self.max_degree) + 1) ** 2):
            places = self._read(X, reset=not resume, chunked=True, centres=False)
            if resume:
                self._warn_radians(places)  # _read warns in the first call only
            sums = self._integrate(places, sample_weight, partial=partial)
            coefficients, area = sums[:-1], float(sums[-1])  # the area comes last
            if resume:
                if self._coefficients.size != coefficients.size:
                    raise ValueError(
                        f"max_degree={self.max_degree!r} differs from that of the earlier parts: use fit to start anew."
                    )
                coefficients, area = coefficients + self._coefficients, area + self._area
            self._coefficients, self._area = coefficients, area
            supported = self._set_basis(partial=partial)
            if isinstance(places, Points) and not partial:
                self._warn_few_components(places, supported)
        return self

    def _integrate(self, places: Any, sample_weight: npt.ArrayLike | None, *, partial: bool) -> npt.NDArray[np.float64]:
        """Coefficients of the weight function to degree 2 L, then the area of the domain (NaN for points)."""
        return weight_coefficients(
            places,
            sample_weight,
            2 * int(self.max_degree),
            area_weighted=self.area_weighted,
            allow_all_zero=partial,
            read_block=functools.partial(
                read_coordinates,
                names=self.coordinates,
                allow_missing=self.missing != "error",
                cure=self._missing_cure(),
            ),
            verbose=self.verbose,
        )

    def _fit_union(self, patches: Boxes) -> None:
        """Fit on the area that patches cover together. The numbers of their pixels do not count."""
        self._check_parameters()
        with restore_on_error(self), blas_threads_for((int(self.max_degree) + 1) ** 2):
            self.n_features_in_ = self._n_columns
            edges = patches[:4]
            self._coefficients = _domain.union_coefficients(*edges, 2 * int(self.max_degree))
            # The harmonic of degree 0 is 1 / sqrt(4 pi).
            self._area = float(self._coefficients[0]) * math.sqrt(4.0 * math.pi)
            self._set_basis(partial=False)

    def _set_basis(self, *, partial: bool) -> int:
        """Solve the eigenproblem of the accumulated domain and set all fitted attributes.

        Returns the number of components that the domain supports.
        """
        max_degree = int(self.max_degree)
        self._set_moments(partial=partial)
        degree, _ = degrees_and_orders(max_degree)
        root = np.sqrt(prior_variance(self.spectrum, max_degree))[degree]
        wanted = number_wanted(self.n_components, self.shannon_number_)
        basis, variance = no_eigenbasis(degree.size), 0.0
        if self.total_weight_ > 0.0:
            basis, variance = domain_eigenbasis(self._coefficients, root, self.shannon_number_, wanted)
        # A first part may have no extent or no weight. A whole domain may not.
        if basis.n_supported == 0 and not partial:
            raise ValueError(
                f"X has no extent that max_degree={max_degree} could resolve: no component varies by more than "
                "rounding. X is one place (n_samples=1), one place many times, a few kilometres wide, or all places "
                "but one have no weight (poles have none with area_weighted=True). Fit on the whole domain."
            )
        variance = variance or 1.0  # never divide by zero
        share = basis.variance / variance
        self.n_components_ = number_to_keep(self.n_components, self.shannon_number_, share, basis.n_supported)
        self._warn_resolution(basis)
        # Components beyond the supported number stay zero and have the scale 1.
        kept = min(self.n_components_, basis.n_supported)
        self.components_ = np.zeros((self.n_components_, degree.size))
        self.components_[:kept, 1:] = basis.components[:kept] * root[1:]
        self.explained_variance_ = np.zeros(self.n_components_)
        self.explained_variance_[:kept] = basis.variance[:kept]
        self.explained_variance_ratio_ = self.explained_variance_ / variance
        self.scale_ = np.ones(self.n_components_)
        self.scale_[:kept] = np.sqrt(basis.variance[:kept])
        return basis.n_supported

    def _set_moments(self, *, partial: bool) -> None:
        """Set the total weight, mean and Shannon number of the accumulated domain."""
        n_harmonics = (int(self.max_degree) + 1) ** 2
        if not self._coefficients[0] > 0.0:
            if not partial:
                raise ValueError(
                    "The total weight of X is zero: points at the poles have no area, missing places have no weight, "
                    "and sample_weight or the mask leaves nothing else. area_weighted=False weighs all points alike."
                )
            self.total_weight_, self.mean_, self.shannon_number_ = 0.0, np.zeros(n_harmonics), 0.0
            return
        self.total_weight_, self.mean_ = _domain.total_and_mean(self._coefficients)
        area = self._area
        if np.isnan(area):  # points: take the area over which they spread
            area = 4.0 * np.pi / np.square(self._coefficients / self._coefficients[0]).sum()
        self.shannon_number_ = float(n_harmonics * area / (4.0 * np.pi))

    def _warn_resolution(self, basis: Eigenbasis) -> None:
        """Warn if the number kept is more than the domain supports, or splits equal eigenvalues."""
        kept, supported = self.n_components_, basis.n_supported
        if kept > supported:
            message = (
                f"n_components={self.n_components!r}: this domain supports {supported} components at "
                f"max_degree={self.max_degree}, the others are zero. n_components=None keeps the supported ones; a "
                "larger max_degree supports more."
            )
        elif kept < supported and kept not in basis.whole_sizes:
            below = basis.whole_sizes[basis.whole_sizes < kept].max(initial=0)
            sizes = [str(size) for size in (below, basis.whole_sizes[basis.whole_sizes > kept].min()) if size]
            message = (
                f"n_components={self.n_components!r} cuts through components of equal variance, which are only "
                f"defined together: {' or '.join(sizes)} keeps them whole."
            )
        else:
            return
        warn_once_a_search(message, ResolutionWarning)

    def _warn_few_components(self, points: Points, supported: int) -> None:
        """Warn if the components kept hold less of a region than the coordinates of its points."""
        prior = prior_variance(self.spectrum, int(self.max_degree))[1]
        in_a_region = self.shannon_number_ < MAX_REGION_SHARE * self.mean_.size
        if in_a_region and prior > 0.0 and self.n_components_ < supported:
            share = coordinate_share(self.components_ / prior, self.explained_variance_, self.mean_)
            warn_few_components(
                points.latitude, points.longitude, self.n_components, self.n_components_, supported, share
            )

    def _affine(self) -> npt.NDArray[np.float64]:
        """``components_ / scale_``. The coefficient of the constant harmonic subtracts the mean."""
        affine = self.components_ / self.scale_[:, np.newaxis]
        # The constant harmonic is 1 / sqrt(4 pi): its coefficient is the constant times sqrt(4 pi).
        affine[:, 0] -= affine @ self.mean_ * np.sqrt(4.0 * np.pi)
        return affine

    def _check_parameters(self) -> None:
        self._check_input_parameters()
        asked, clip = self.n_components, self.clip
        degree = check_degree(self.max_degree)
        most = (degree + 1) ** 2 - 1
        if isinstance(asked, str):
            valid = asked == "shannon"
        elif asked is None or is_integer(asked):
            valid = asked is None or 1 <= asked <= most
        else:
            valid = is_real(asked) and 0.0 < asked < 1.0
        accepted = f"an integer from 1 to (max_degree + 1)^2 - 1 = {most}, a fraction in (0, 1), 'shannon' or None"
        check_parameter("n_components", asked, valid, accepted)
        check_clip(clip)
        check_flag("area_weighted", self.area_weighted)
        check_n_jobs(self.n_jobs)
        check_spectrum(self.spectrum, degree)

    def _embedding_names(self) -> list[str]:
        return [f"shpca{i}" for i in range(self.n_components_)]
