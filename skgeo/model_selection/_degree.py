"""The degree of harmonics: a suggestion from the spacing of the data, and a selection by blocked folds."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import is_classifier
from sklearn.model_selection import GridSearchCV, check_cv
from sklearn.utils import check_random_state

from skgeo._input.numbers import shortened
from skgeo._kernels.sphere import unit_vectors
from skgeo._places import as_grid
from skgeo._spectrum import degree_wavelength_km
from skgeo._typing import FloatArray
from skgeo._validation import check_parameter, check_verbose, is_integer, is_real
from skgeo.exceptions import CoordinateError
from skgeo.model_selection._base import (
    EARTH_RADIUS_KM,
    HALF_CIRCUMFERENCE_KM,
    LocationSplitter,
    chord_to_km,
    distinct_places,
    kd_tree,
    nearest_km,
    read_domain,
    read_samples,
    splits_of,
)
from skgeo.model_selection._blocks import MIN_BLOCK_KM, SphericalBlockKFold, labels_of_blocks, number_of_blocks
from skgeo.model_selection._scores import (
    GatheredWarnings,
    check_scores,
    choose,
    fit_search,
    quieten_processes,
)

__all__ = ["DegreeSuggestion", "select_max_degree", "suggest_max_degree"]

# The median distance to the nearest neighbour is that of at most this number of places.
_MAX_MEASURED_PLACES = 10_000
# Width of blocks in median nearest-neighbour distances. If places are random, three in a hundred blocks of this width
# inside the domain hold no place by chance.
_BLOCK_WIDTH_DISTANCES = 4.0
# Default number of degrees that select_max_degree compares.
_N_CANDIDATE_DEGREES = 6
# The number of components that a domain supports was measured at N + 13 sqrt(N) + 8, with its Shannon number N.
_TRANSITION, _FEWEST = 13.0, 8.0
# Larger degrees are not recommended: the work grows with the fourth to sixth power of the degree.
_MAX_ALLOWED_DEGREE = 300
# A region covers at most this share of the sphere.
_MAX_REGION_SHARE = 0.25
# Linear models with more components for each place than this were worse than others (experiments/regional.py).
_MAX_COMPONENTS_PER_PLACE = 0.25
# A mean of unit vectors that is shorter than this has no direction: the places are all around the Earth.
_MIN_MEAN_LENGTH = 1e-9


@dataclass(frozen=True)
class DegreeSuggestion:
    """A degree for the harmonics of a domain, with the reason, as ``suggest_max_degree`` returns it.

    Parameters
    ----------
    max_degree : int
        The suggestion L.
    reason : str
        The reason in a few sentences. ``print`` shows it.
    wavelength_km : float
        Wavelength of degree L. The resolution is half of it.
    spacing_km : float
        Distance between the points of a square lattice with the same number of points on the same area; for a grid,
        between its cells.
    median_distance_km : float
        Median distance from a place to the nearest other place.
    extent_km : float
        Diameter of a circle on the ground around all places, at most half the circumference of the Earth.
    area_km2 : float
        Area of the domain: of the cells of a grid inside its mask, or of blocks that hold points.
    n_places : int
        Number of different places, or of cells.
    n_harmonics : int
        (L + 1)^2, the columns of ``SphericalHarmonics``.
    shannon_number : float
        (L + 1)^2 times the share of the sphere that the domain covers. About this number of combinations of harmonics
        lies inside the domain.
    n_components : int
        Approximate number of components that ``SphericalHarmonicPCA(max_degree)`` keeps: the combinations of harmonics
        that lie inside the domain, and those that lie partly inside.
    rank : int
        Largest number of independent columns of harmonics at these places, the smaller of ``n_harmonics`` and
        ``n_places``.

    Examples
    --------
    >>> from skgeo.datasets import fibonacci_lattice
    >>> from skgeo.model_selection import suggest_max_degree
    >>> suggest_max_degree(fibonacci_lattice(400)).n_harmonics
    324
    """

    max_degree: int
    reason: str
    wavelength_km: float
    spacing_km: float
    median_distance_km: float
    extent_km: float
    area_km2: float
    n_places: int
    n_harmonics: int
    shannon_number: float
    n_components: int
    rank: int

    def __str__(self) -> str:
        """The degree and the reason."""
        return f"max_degree={self.max_degree}. {self.reason}"


def suggest_max_degree(
    X: Any, resolution_km: float | None = None, *, largest: int = 60, coordinates: Any = None
) -> DegreeSuggestion:
    """Suggest the degree that resolves a length, at most the degree that the spacing of the data supports.

    Degree L resolves half a wavelength, 20,015 km / L. Data cannot show detail finer than the distance between places.
    If half a wavelength is this distance, about 0.8 harmonics lie in the domain for each place. The suggestion is the
    degree that resolves ``resolution_km``, but not more than the places resolve. Without a resolution, it is the
    largest degree that the places resolve. With noise a lower degree may predict better: :func:`select_max_degree`
    finds this degree.

    Parameters
    ----------
    X : array-like, DataFrame, GeoDataFrame, xarray object, LatLonGrid or CellGrid
        Points, as the splitters take them, or a grid: the cells inside its mask are the domain.
    resolution_km : float, default=None
        The finest detail that you need, in km.
    largest : int, default=60
        Largest degree to suggest. The number of harmonics grows with the square of the degree, and the work with its
        fourth to sixth power. In a region :class:`~skgeo.SphericalHarmonicPCA` works up to degrees of some hundreds.
    coordinates : (str, str), array-like, DataFrame or GeoSeries with n_samples rows, default=None
        Names of the columns of X, or latitude and longitude in degrees, where X does not have them.

    Returns
    -------
    DegreeSuggestion
        The degree, the reason as text, and the numbers from which it follows.

    Raises
    ------
    CoordinateError
        If there are no coordinates, if some are missing or out of range, or if all places are the same.
    ValueError
        If a parameter is invalid.

    Notes
    -----
    The distance between points is the square root of their area over their number. Their area is the area of all blocks
    that hold points. The blocks have equal areas, and a width of four median nearest-neighbour distances, at least 10
    m. Copies of a point count once. If points form clusters, the distance is the distance inside of the clusters, where
    few harmonics lie (``shannon_number``). If the coordinates of a station vary slightly, round them first.

    Examples
    --------
    >>> from skgeo.datasets import fibonacci_lattice
    >>> from skgeo.model_selection import suggest_max_degree
    >>> print(suggest_max_degree(fibonacci_lattice(400)))
    max_degree=17. 400 places are about 1,129 km apart, half a wavelength of degree 17.
    At degree 17 half a wavelength is 1,177 km, and 324 of 324 harmonics lie in the
    domain.
    >>> print(suggest_max_degree(fibonacci_lattice(400), resolution_km=5000))
    max_degree=5. 5,000 km is half a wavelength of degree 5. The places can resolve this:
    400 places are about 1,129 km apart, half a wavelength of degree 17. At degree 5
    half a wavelength is 4,003 km, and 36 of 36 harmonics lie in the domain.
    """
    valid = resolution_km is None or (is_real(resolution_km) and resolution_km > 0)
    check_parameter("resolution_km", resolution_km, valid, "None or a positive number")
    check_parameter("largest", largest, is_integer(largest) and largest >= 1, "an integer, at least 1")
    return _suggestion(*_domain(X, coordinates), resolution_km, largest)


def _suggestion(
    vectors: FloatArray, area: float, median: float, resolution_km: float | None = None, largest: int = 60
) -> DegreeSuggestion:
    """The suggestion for a domain, as :func:`_domain` gives it."""
    spacing = EARTH_RADIUS_KM * math.sqrt(area / len(vectors))
    if median == 0.0:
        raise CoordinateError("X is one place, or its places are the same to rounding: a domain has an extent.")

    # Half a wavelength of the finest degree is the spacing of the places.
    from_data = max(1, math.floor(HALF_CIRCUMFERENCE_KM / spacing))
    reason = f"{len(vectors):,} places are about {_km(spacing)} apart, half a wavelength of degree {from_data}"
    degree = from_data
    if resolution_km is not None:
        wanted = max(1, math.ceil(HALF_CIRCUMFERENCE_KM / resolution_km))
        degree = min(wanted, from_data)
        can = "can" if wanted <= from_data else "cannot"
        reason = (
            f"{_km(resolution_km)} is half a wavelength of degree {wanted}. The places {can} resolve this: {reason}"
        )
    if degree > largest:
        reason += f"; no more than largest={largest} is suggested"
        if resolution_km is not None:
            reason += _cure_for_largest(degree)
        degree = int(largest)
    # The Shannon number: how many functions of this degree can be concentrated in the domain.
    n_harmonics = (degree + 1) ** 2
    shannon = n_harmonics * area / (4.0 * math.pi)
    wavelength = float(degree_wavelength_km(degree))
    n_components = min(n_harmonics - 1, round(shannon + _TRANSITION * math.sqrt(shannon) + _FEWEST))
    reason += f". At degree {degree} half a wavelength is {_km(wavelength / 2.0)}"
    if area < _MAX_REGION_SHARE * 4.0 * math.pi:
        reason += "." + _advice_in_a_region(degree, n_components, len(vectors))
    else:
        reason += f", and {shannon:,.0f} of {n_harmonics:,} harmonics lie in the domain."
    return DegreeSuggestion(
        max_degree=degree,
        reason=reason,
        wavelength_km=wavelength,
        spacing_km=spacing,
        median_distance_km=median,
        extent_km=_extent(vectors),
        area_km2=area * EARTH_RADIUS_KM**2,
        n_places=len(vectors),
        n_harmonics=n_harmonics,
        shannon_number=shannon,
        n_components=n_components,
        rank=min(n_harmonics, len(vectors)),
    )


def _cure_for_largest(degree: int) -> str:
    """How to get the detail of a degree that ``largest`` does not allow."""
    if degree <= _MAX_ALLOWED_DEGREE:
        return f": give largest={degree}, or take RandomFourierEncoder"
    return ": for finer detail take RandomFourierEncoder, whose length scale is in km"


def _advice_in_a_region(degree: int, n_components: int, n_places: int) -> str:
    """What to take in a region, for which harmonics of the whole sphere have many columns too many."""
    advice = (
        f" The domain is a region, where SphericalHarmonicPCA({degree}) keeps about {n_components:,} components: take "
        f"these as features, in place of {(degree + 1) ** 2:,} harmonics."
    )
    if n_components > _MAX_COMPONENTS_PER_PLACE * n_places:
        advice += (
            f" That is more than a quarter of {n_places:,} places: search lower degrees, too, with select_max_degree, "
            "and try spectrum='matern'."
        )
    return advice


def select_max_degree(
    model: Any,
    X: Any,
    y: Any,
    *,
    degrees: "Sequence[int] | npt.ArrayLike | None" = None,
    param_grid: Mapping[str, Sequence[Any]] | None = None,
    cv: Any = None,
    coordinates: Any = None,
    scoring: Any = None,
    groups: Any = None,
    params: Mapping[str, Any] | None = None,
    n_jobs: int | None = None,
    verbose: bool | None = None,
) -> GridSearchCV:
    """Choose ``max_degree``, and optionally other parameters, by their scores in folds of blocks.

    Random folds prefer high degrees, with which the model copies neighbours. This function runs the ``GridSearchCV`` of
    scikit-learn with folds of equal-area blocks. It searches the ``max_degree`` of the step of the model that has this
    parameter. It fits the model once for each candidate and fold, and once on all data.

    Parameters
    ----------
    model : estimator
        An estimator or Pipeline that has one parameter ``max_degree``, at any depth.
    X : array-like, DataFrame or GeoDataFrame with n_samples rows
        The samples that the model is fitted on. A frame may have latitude and longitude among its columns, as
        :class:`SphericalBlockKFold` finds them; else give ``coordinates``.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        The target.
    degrees : array-like of int, default=None
        The degrees to compare. None is six degrees in geometric progression, up to that of ``suggest_max_degree``.
    param_grid : dict of str to sequence, default=None
        Further parameters to search together with the degree, such as ``{"ridge__alpha": [0.1, 1, 10]}``.
    cv : int, splitter or iterable of splits, default=None
        The splits. An int means the same as in ``GridSearchCV``. None is ``SphericalBlockKFold(5)``.
    coordinates : (str, str), array-like, DataFrame or GeoSeries with n_samples rows, default=None
        Names of the columns of X, or latitude and longitude in degrees, where X does not have them.
    scoring : str, callable or None, default=None
        One metric, as in ``GridSearchCV``; None is the model's own score.
    groups : array-like of shape (n_samples,), default=None
        Groups, for a ``cv`` that uses them.
    params : dict, default=None
        Passed on to ``GridSearchCV.fit``, such as ``{"sample_weight": weight}``; for a Pipeline with the name of the
        step, ``{"ridge__sample_weight": weight}``.
    n_jobs : int or None, default=None
        Processes, as in ``GridSearchCV``.
    verbose : bool or None, default=None
        Show a progress bar that counts fits; needs tqdm. None shows it in interactive sessions, when work takes longer
        than two seconds.

    Returns
    -------
    sklearn.model_selection.GridSearchCV
        The fitted search. It has ``best_params_``, ``cv_results_``, and ``best_estimator_``, which is fitted on all
        data. Folds in which no candidate has a score are left out of means and ranks. A candidate without a score in
        one of the other folds is never chosen.

    Raises
    ------
    CoordinateError
        If there are no coordinates, or some are missing or out of range.
    ValueError
        If the model has no or several parameters ``max_degree``, a parameter is invalid, or no candidate
        has a score in all folds that count.

    Warns
    -----
    UndefinedMetricWarning
        If some folds or candidates have no score, because a class is missing or the model cannot be fitted.
    ResolutionWarning
        If fits give this warning: one warning for all fits. With ``n_jobs``, only the last fit, on all data, warns.
    CoordinateWarning
        If coordinates look like radians.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> from skgeo.datasets import fibonacci_lattice
    >>> from skgeo.encoders import SphericalHarmonics
    >>> from skgeo.model_selection import select_max_degree
    >>> X = fibonacci_lattice(600)
    >>> harmonics = SphericalHarmonics(5).fit_transform(X)
    >>> waves = harmonics[:, 16:].sum(axis=1)  # the harmonics of degree 4 and 5
    >>> noise = 2 * np.random.default_rng(0).standard_normal(600)
    >>> model = make_pipeline(SphericalHarmonics(), Ridge(0.1))
    >>> search = select_max_degree(model, X, waves + noise, degrees=[3, 5, 8, 12, 18])
    >>> search.best_params_
    {'sphericalharmonics__max_degree': 5}
    """
    check_verbose(verbose)
    name = _degree_parameter(model)
    with GatheredWarnings() as caught:
        vectors = unit_vectors(*read_samples(X, y, coordinates))
        if degrees is None:
            last = _suggestion(*_domain_of(vectors)).max_degree
            degrees = np.unique(np.geomspace(min(2, last), last, _N_CANDIDATE_DEGREES).round().astype(int))
        grid = {name: np.atleast_1d(np.asarray(degrees)).tolist()} | dict(param_grid or {})
        splitter = SphericalBlockKFold(5) if cv is None else check_cv(cv, y, classifier=is_classifier(model))
        # Coordinates may be beside X, where GridSearchCV would not find them: the splits are made here.
        by_place = isinstance(splitter, LocationSplitter)
        splits = splits_of(splitter, vectors, y) if by_place else list(splitter.split(X, y, groups))
        search = GridSearchCV(model, grid, cv=splits, scoring=scoring, n_jobs=n_jobs, refit=choose)
        quieten_processes(n_jobs)
        fit_search(search, X, y, dict(params or {}), verbose)
        check_scores(search, caught)
    return search


def _degree_parameter(model: Any) -> str:
    """The name of the only parameter ``max_degree`` of a model, such as ``pca__max_degree`` for a Pipeline."""
    parameters = model.get_params()
    found = [name for name in parameters if name.rpartition("__")[2] == "max_degree"]
    if len(found) == 1:
        return found[0]
    kind = type(model).__name__
    if found:
        raise ValueError(
            f"model={kind} has several parameters max_degree, {shortened(repr(found))}: expected one; search them with "
            "GridSearchCV."
        )
    cure = "add SphericalHarmonics or SphericalHarmonicPCA as a step"
    # Location models of skgeo.nn have an encoder as a parameter.
    if "encoder" in parameters:
        cure = f"give it an encoder that has one, {kind}(encoder=SphericalHarmonics())"
    raise ValueError(f"model={kind} has no parameter max_degree: expected one; {cure}.")


def _domain(X: Any, coordinates: Any) -> tuple[FloatArray, float, float]:
    """Unit vectors of the distinct places of a domain, its area on the unit sphere, and the median distance in km.

    The distance is that to the nearest other place.
    """
    if as_grid(X) is not None:
        vectors, weight = read_domain(X)
        return vectors, float(weight.sum()), _median_distance(vectors)
    return _domain_of(unit_vectors(*read_samples(X, None, coordinates)))


def _domain_of(vectors: FloatArray) -> tuple[FloatArray, float, float]:
    """As :func:`_domain`, for points given as unit vectors."""
    # Points have no area: blocks of the sphere that hold places stand for the domain.
    vectors = vectors[np.unique(distinct_places(vectors), return_index=True)[1]]
    median = _median_distance(vectors)
    n_blocks = number_of_blocks(max(MIN_BLOCK_KM, _BLOCK_WIDTH_DISTANCES * median))
    held = int(labels_of_blocks(vectors, n_blocks).max()) + 1
    return vectors, 4.0 * math.pi * held / n_blocks, median


def _median_distance(vectors: FloatArray) -> float:
    """Median distance in km to the nearest other place; zero if there is no other."""
    if len(vectors) < 2:
        return 0.0
    measured = check_random_state(0).permutation(len(vectors))[:_MAX_MEASURED_PLACES]
    return float(np.median(nearest_km(kd_tree(vectors), vectors[measured], rank=2)))


def _extent(vectors: FloatArray) -> float:
    """Diameter in km of the circle around the mean of the places that contains all of them."""
    mean = vectors.mean(axis=0)
    length = float(np.linalg.norm(mean))
    if length < _MIN_MEAN_LENGTH:
        return HALF_CIRCUMFERENCE_KM
    return min(HALF_CIRCUMFERENCE_KM, 2.0 * float(chord_to_km(np.linalg.norm(vectors - mean / length, axis=1).max())))


def _km(value: float) -> str:
    """A length as text, in km with three digits or more."""
    return f"{value:,.0f} km" if value >= 100.0 else f"{value:.3g} km"
