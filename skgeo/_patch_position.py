"""The position of a patch: the area-weighted mean of a location encoder over its pixels."""

import copy
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from skgeo._base import LocationTransformer, PatchTransformer, restore_on_error, table_for
from skgeo._cells import CellGrid
from skgeo._grid import LatLonGrid
from skgeo._input.patch_table import Patches, PixelStack, has_areas
from skgeo._kernels.harmonics import sin_cos_latitude
from skgeo._kernels.patch_means import area_means, map_area_means, map_pixel_means
from skgeo._kernels.threads import Advance
from skgeo._patches.cut import Cut
from skgeo._patches.pixels import (
    PIXELS_AT_A_TIME,
    Pixels,
    count_pixels,
    distinct_pixels,
    distinct_stacked_pixels,
    stacked_pixels,
    table_pixels,
)
from skgeo._patches.search import cells_of, covered_cells, find_patches, grid_pixels, in_memory, mask_stack
from skgeo._pca import SphericalHarmonicPCA
from skgeo._validation import check_parameter, check_verbose, progress
from skgeo.encoders._base import FixedEncoder
from skgeo.exceptions import CoordinateError, CoordinateWarning

if TYPE_CHECKING:
    from skgeo.nn._transformer_modules import PatchPosition

__all__ = ["PatchPositionEncoder"]

# Largest number of pixels that are averaged one by one, which takes hours.
_MOST_PIXELS = 1e11


class PatchPositionEncoder(PatchTransformer):
    """Compute the mean of a location encoder over each patch, over its pixels or over its exact area.

    The pixels of a patch table divide each patch evenly in latitude and longitude, and their areas are exact. Patches
    of a curvilinear grid or a swath are given as the centres of their pixels. The areas of these pixels are computed
    from the distances between neighbours, and missing pixels are left out.

    Parameters
    ----------
    encoder : transformer of (latitude, longitude) points, default=None
        None means ``SphericalHarmonicPCA()``. A clone of the encoder is fitted on the union of the training patches.
        Harmonics are fitted on the area of the union (with ``area_weighted=True``). Other encoders are fitted on the
        centres of its pixels, each pixel once, with their areas as ``sample_weight`` if ``fit`` has this parameter (the
        ``fit`` of a Pipeline does not). To keep a fitted encoder, wrap it in ``sklearn.frozen.FrozenEstimator``.
    average : "pixels" or "exact", default="pixels"
        "pixels" is the mean of any encoder at the centres of the pixels. "exact" is the integral of the harmonics over
        the area between the edges of the patch, for :class:`~skgeo.SphericalHarmonicPCA` and
        :class:`~skgeo.encoders.SphericalHarmonics`. Its result and run time do not depend on the pixel counts. X must
        be a patch table.
    grid : LatLonGrid, CellGrid or None, default=None
        The grid that the patches were cut from. The cells of the grid are then the pixels, and the weight of a pixel is
        the area of its cell times the mask. The position of a patch on a coast is therefore the mean over its pixels
        inside the mask. If a patch has no such pixel, its position is the mean over all of its pixels. For patches of
        another grid, give that grid with ``set_params(grid=...)``; a new fit is not needed. Stacks of cells have their
        own areas, and the grid gives the mask only. None means that all pixels count.
    verbose : bool or None, default=None
        Show a progress bar while patches are transformed; needs tqdm. None shows it in interactive sessions, when work
        takes longer than two seconds.

    Attributes
    ----------
    encoder_ : transformer
        The fitted encoder.
    n_features_in_ : int
        6, the columns of a patch table.
    feature_names_in_ : ndarray of shape (6,)
        Columns of the DataFrame seen in ``fit``; only if it was one.

    Raises
    ------
    CoordinateError
        If X is no patch table: a value that is not finite, latitudes out of range, south >= north to rounding,
        east == west, wider than 360 degrees, or pixel counts that are no whole numbers; if a patch is not in ``grid``.
    ValueError
        From ``fit``, if a parameter is invalid, or the encoder refuses the pixels.
    NotFittedError
        From ``transform`` before ``fit``, and from ``fit`` if the encoder in FrozenEstimator is not fitted.
    ImportError
        From ``transform`` with ``verbose=True`` and without tqdm.

    See Also
    --------
    skgeo.LatLonGrid.patches : Makes the patch table.
    skgeo.PatchScaleFeaturizer : Describes how large the patch is.

    Notes
    -----
    ``average="pixels"`` applies the soft clip of SphericalHarmonicPCA to each pixel, and then takes the mean.
    ``average="exact"`` takes the mean of the standardised components, and then applies the clip:
    ``clip * tanh(mean / clip)``. Without a clip (``clip=None``), "pixels" converges to "exact" with the square of the
    size of the pixels.

    The mask belongs to the grid and not to the table, because the table has one row for each patch, and the mask has
    one number for each pixel. The rows and columns of the grid are found by the edges in the table.

    If your own encoder is a linear map of real spherical harmonics, give it a method ``harmonic_map()``. The method
    returns coefficients (k, (L + 1)^2), with the harmonic (l, m) in column l * l + l + m, and the bound of the soft
    clip or None. Instead of coefficients it may return the factors (k,) of the last k harmonics up to its
    ``max_degree``. "exact" then accepts the encoder, and "pixels" is faster. If a subclass overrides ``transform`` and
    not ``harmonic_map``, its ``transform`` is used.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.frozen import FrozenEstimator
    >>> from skgeo import LatLonGrid, PatchPositionEncoder, SphericalHarmonicPCA
    >>> globe = LatLonGrid(np.arange(-89.5, 90), np.arange(0.5, 360))
    >>> xyz = SphericalHarmonicPCA(max_degree=1, clip=None).fit(globe)
    >>> hemispheres = globe.patches((90, 360))
    >>> PatchPositionEncoder(FrozenEstimator(xyz)).fit_transform(hemispheres).round(3) + 0.0
    array([[ 0.   , -0.866,  0.   ],
           [ 0.   ,  0.866,  0.   ]])

    The exact mean over a hemisphere is the limit for ever smaller pixels: sqrt(3) times the mean of the sine of
    latitude, which is 1/2 in the north.

    >>> exact = PatchPositionEncoder(FrozenEstimator(xyz), average="exact").fit(hemispheres)
    >>> north = exact.transform(hemispheres)[1]
    >>> bool(np.allclose(north, [0, np.sqrt(3) / 2, 0], atol=1e-15))
    True
    >>> exact.transform([[0, 90, -180, 180, 1, 1]]).round(3) + 0.0
    array([[0.   , 0.866, 0.   ]])

    The mask keeps the half of the sphere around 0 degrees north, 90 degrees east. The mean is over this half only:

    >>> mask = np.tile(globe.longitude < 180, (180, 1))
    >>> eastern = LatLonGrid(globe.latitude, globe.longitude, mask)
    >>> masked = PatchPositionEncoder(FrozenEstimator(xyz), grid=eastern)
    >>> masked.fit_transform(eastern.patches((180, 360))).round(3) + 0.0
    array([[0.866, 0.   , 0.   ]])
    """

    def __init__(
        self,
        encoder: Any = None,
        *,
        average: str = "pixels",
        grid: LatLonGrid | CellGrid | None = None,
        verbose: bool | None = None,
    ) -> None:
        self.encoder = encoder
        self.average = average
        self.grid = grid
        self.verbose = verbose

    def fit(self, X: Any, y: object = None) -> Self:
        """Fit the encoder on the union of the pixels of the patches, unless it is frozen.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_patches, 6), or array-like of shape (n_patches, n_rows, n_columns, 2)
            A patch table: south, north, west, east (edges in degrees), n_lat, n_lon (pixels); or the (latitude,
            longitude) of the pixels of patches; or the (latitude, longitude, area in square metres) of cells, of shape
            (n_patches, n_cells, 3), from :meth:`skgeo.CellGrid.patches`.
        y : None
            Ignored.

        Returns
        -------
        self
        """
        self._check_parameters()
        encoder = SphericalHarmonicPCA() if self.encoder is None else clone(self.encoder)
        # Check the combination of encoder and patches before the fit, which may take long.
        with restore_on_error(self):
            patches = self._read(X, reset=True)
            if self.average == "exact":
                _check_exact(encoder, patches)
            # Cells in any order bring their areas: the mask of the grid changes these.
            if self.grid is not None and has_areas(patches):
                patches, cut = mask_stack(self.grid, patches), None
            else:
                cut = None if self.grid is None else find_patches(self.grid, patches)
            if isinstance(encoder, FrozenEstimator):
                check_is_fitted(encoder, msg="The encoder in FrozenEstimator is not fitted: fit it before freezing it.")
            elif cut is not None:
                _fit_encoder_on_cells(encoder, self.grid, cut)
            else:
                _fit_encoder(encoder, patches)
            self.encoder_ = encoder
        return self

    def _check_parameters(self) -> None:
        known = isinstance(self.average, str) and self.average in ("pixels", "exact")
        check_parameter("average", self.average, known, "'pixels' or 'exact'")
        usable = not isinstance(self.encoder, type) and hasattr(self.encoder, "transform")
        accepted = (
            "None or an instance of a transformer of (latitude, longitude) points; skgeo.nn.PretrainedEncoder makes "
            "one of a torch module"
        )
        check_parameter("encoder", self.encoder, self.encoder is None or usable, accepted)
        known = self.grid is None or isinstance(self.grid, LatLonGrid | CellGrid)
        check_parameter("grid", self.grid, known, "None, a LatLonGrid or a CellGrid")
        if self.grid is not None and self.average == "exact":
            raise ValueError("average='exact' integrates between the edges of patches; grid= needs average='pixels'.")
        check_verbose(self.verbose)

    def _patch_features(self, patches: Patches | PixelStack) -> npt.NDArray[np.floating]:
        encoder = _unfrozen(self.encoder_)
        if self.average == "exact":
            return self._integrate(encoder, _check_exact(encoder, patches))
        if self.grid is not None and has_areas(patches):
            patches = mask_stack(self.grid, patches, keep_outside=True)
        elif self.grid is not None:
            cut = find_patches(self.grid, patches)
            with progress(int(cut.counts.prod(axis=1).sum()), "pixel", shown=self.verbose) as advance:
                means = self._average(len(cut.first), grid_pixels(self.grid, cut, PIXELS_AT_A_TIME), advance)
            return means.astype(patches.dtype, copy=False)
        n_pixels = patches.latitude.size if isinstance(patches, PixelStack) else count_pixels(patches.boxes)
        if n_pixels > _MOST_PIXELS:
            raise CoordinateError(
                f"X has {n_pixels:.3g} pixels in all, whose average would take days: expected at most "
                f"{_MOST_PIXELS:g}. average='exact' does not depend on the number of pixels."
            )
        with progress(n_pixels, "pixel", shown=self.verbose) as advance:
            if isinstance(patches, PixelStack):
                return self._average(len(patches.latitude), stacked_pixels(patches), advance).astype(
                    patches.dtype, copy=False
                )
            found = _map_of_columns(encoder)
            # A map with one factor a harmonic has no kernel for pixels: average it as any encoder.
            if found is None or found[0].ndim == 1:
                means = self._average(patches.boxes.south.size, table_pixels(patches.boxes), advance)
                return means.astype(patches.dtype, copy=False)
            coefficients, clip = found
            out = np.empty((patches.boxes.south.size, len(coefficients)), dtype=patches.dtype)
            map_pixel_means(patches.boxes, coefficients, clip, out, getattr(encoder, "n_jobs", None), advance)
            return out

    def to_torch(self) -> "PatchPosition":
        """Make a differentiable torch module that computes ``transform``.

        Returns
        -------
        skgeo.nn.PatchPosition
            Maps patch tables (..., 6) to features (..., k); with ``average="pixels"``, stacks of cells
            (..., n_cells, 3).

        Raises
        ------
        ValueError
            If the encoder is no map of harmonics, or if ``grid`` is given.
        """
        check_is_fitted(self)
        from skgeo.nn._transformer_modules import PatchPosition  # needs torch

        encoder = _unfrozen(self.encoder_)
        found = _map_of_columns(encoder)
        if self.grid is not None or found is None:
            given = f"the encoder {type(encoder).__name__}" if self.grid is None else "grid="
            raise ValueError(
                f"{given} has no torch module: expected an encoder of harmonics, and grid=None. With average='exact' "
                "the module takes patch tables, with average='pixels' stacks of cells with their areas."
            )
        coefficients, clip = found
        if coefficients.ndim == 1:
            # One factor for each of the last harmonics.
            missing = (int(encoder.max_degree) + 1) ** 2 - coefficients.size
            coefficients = np.pad(np.diag(coefficients), ((0, 0), (missing, 0)))
        return PatchPosition(coefficients, clip, self.average)

    def _integrate(self, encoder: Any, patches: Patches) -> npt.NDArray[np.floating]:
        """The mean of an encoder of harmonics over the areas of patches."""
        coefficients, clip = encoder.harmonic_map()
        n_jobs = getattr(encoder, "n_jobs", None)
        means = np.empty((patches.boxes.south.size, len(coefficients)), dtype=patches.dtype)
        with progress(patches.boxes.south.size, "patch", shown=self.verbose) as advance:
            if coefficients.ndim == 1:
                # The last factor belongs to the last harmonic of the largest degree.
                max_degree = int(encoder.max_degree)
                area_means(patches.boxes, coefficients, max_degree, means, n_jobs, advance)
            else:
                map_area_means(patches.boxes, coefficients, clip, means, n_jobs, advance)
        indicator = getattr(encoder, "add_indicator", False)
        return np.column_stack([means, np.zeros_like(means[:, 0])]) if indicator else means

    def _average(self, n_patches: int, pixels: Iterator[Pixels], advance: Advance) -> npt.NDArray[np.float64]:
        """The mean of any encoder over the pixels of each patch; ``pixels`` yields blocks, patch after patch."""
        total = np.zeros(n_patches)
        mean = np.zeros((n_patches, self._encode(np.zeros((1, 2))).shape[1]))
        for patch, points, weight in pixels:
            # A patch may continue in the next block. Sums are therefore added first, and divided at the end.
            first = np.flatnonzero(np.diff(patch, prepend=-1))
            total[patch[first]] += np.add.reduceat(weight, first)
            values = self._encode(points)
            mean[patch[first]] += np.add.reduceat(values * weight[:, np.newaxis], first, axis=0)
            advance(patch.size)
        return mean / total[:, np.newaxis]

    def _encode(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The output of the encoder as a dense array."""
        values = self.encoder_.transform(table_for(self.encoder_, points))
        return np.asarray(values.toarray() if hasattr(values, "toarray") else values, dtype=np.float64)

    def _transform_rows(self, rows: Any) -> Any:
        """The lazy transform of chunked rows; a chunked mask is computed once, and not in each task."""
        if self.grid is None or not self.grid.chunked:
            return super()._transform_rows(rows)
        model = copy.copy(self)
        model.grid = in_memory(self.grid)
        return super(PatchPositionEncoder, model)._transform_rows(rows)

    def _feature_names(self) -> list[str]:
        return list(self.encoder_.get_feature_names_out())


def _is_valid(encoder: Any, shortcut: str, method: str) -> bool:
    """Whether the class of an encoder has a shortcut for a method, and no subclass overrides the method alone."""
    for kind in type(encoder).__mro__:
        if shortcut in vars(kind) or method in vars(kind):
            return shortcut in vars(kind)
    return False


def _map_of_columns(encoder: Any) -> Any:
    """The map of harmonics that gives all columns of an encoder; None if there is no such map."""
    mapped = not getattr(encoder, "add_indicator", False) and _is_valid(encoder, "harmonic_map", "transform")
    return encoder.harmonic_map() if mapped else None


def _unfrozen(encoder: Any) -> Any:
    """The encoder inside FrozenEstimator, or the encoder itself."""
    return encoder.estimator if isinstance(encoder, FrozenEstimator) else encoder


def _check_exact(encoder: Any, patches: Patches | PixelStack) -> Patches:
    """Refuse encoders that are no map of harmonics, whose integral has no closed form, and patches without edges."""
    encoder = _unfrozen(encoder)
    # Before its fit, an encoder cannot return its map, but it has the method.
    fitted = bool(getattr(encoder, "n_features_in_", None))
    if not _is_valid(encoder, "harmonic_map", "transform") or (fitted and encoder.harmonic_map() is None):
        raise ValueError(
            "average='exact' integrates harmonics, of SphericalHarmonicPCA and SphericalHarmonics; the encoder is "
            f"{type(encoder).__name__}: average='pixels' takes any encoder."
        )
    if isinstance(patches, PixelStack):
        raise ValueError(
            "average='exact' integrates between the edges of patch tables; X is a stack of pixel centres, which has "
            "no edges: give average='pixels'."
        )
    return patches


def _fit_encoder(encoder: Any, patches: Patches | PixelStack) -> None:
    """Fit an encoder on the union of patches: on the area of the union if the encoder can, else on the pixels."""
    if isinstance(encoder, FixedEncoder) and not encoder._learns_places:
        # Such an encoder learns nothing from places, so that one place is enough.
        points, weight = np.array([[90.0, 0.0]]), np.ones(1)
    elif isinstance(patches, PixelStack):
        points, weight = distinct_stacked_pixels(patches)
        if has_areas(patches):
            if not weight.any():
                raise CoordinateError(
                    "grid: no patch has a cell inside the mask, so that there is no domain to fit on."
                )
            points, weight = points[weight > 0.0], weight[weight > 0.0]
        if isinstance(encoder, LocationTransformer):
            encoder.fit(CellGrid._of_places(points[:, 0], points[:, 1], weight if weight.any() else None))
            return
    elif _is_valid(encoder, "_fit_union", "fit") and encoder.area_weighted:
        encoder._fit_union(patches.boxes)
        return
    else:
        points, weight = distinct_pixels(patches.boxes)
        # Encoders of skgeo multiply by cos(latitude) in fit; others do not.
        if not isinstance(encoder, LocationTransformer):
            weight = weight * sin_cos_latitude(points[:, 0])[1]
    weights = {"sample_weight": weight} if has_fit_parameter(encoder, "sample_weight") else {}
    # Patch tables are in degrees: pixels near latitude and longitude zero only look like radians.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CoordinateWarning)
        encoder.fit(points, **weights)


def _fit_encoder_on_cells(encoder: Any, grid: Any, cut: Cut) -> None:
    """Fit an encoder on the cells inside the mask of a grid that patches cover, each cell once."""
    grid = in_memory(grid)
    latitude, longitude, areas = cells_of(grid)
    domain = covered_cells(grid, cut) * (1.0 if grid.mask is None else grid.mask)
    weight = domain * areas
    if not weight.any():
        raise CoordinateError("grid: no patch has a pixel inside the mask, so that there is no domain to fit on.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CoordinateWarning)
        if isinstance(encoder, LocationTransformer):
            encoder.fit(grid._replace({"mask": domain}))
            return
        chosen = weight > 0.0
        weights = {"sample_weight": weight[chosen]} if has_fit_parameter(encoder, "sample_weight") else {}
        encoder.fit(np.column_stack([latitude[chosen], longitude[chosen]]), **weights)
