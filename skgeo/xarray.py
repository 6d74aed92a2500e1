"""Labels for grids and patches: importing this module gives xarray objects the accessor ``.skgeo``.

>>> import numpy as np
>>> import xarray as xr
>>> import skgeo.xarray
>>> from skgeo import PatchScaleFeaturizer
>>> latitude, longitude = np.arange(-87.5, 90, 5), np.arange(2.5, 360, 5)
>>> axes = {"lat": latitude, "lon": longitude}
>>> sst = xr.DataArray(np.ones((36, 72)), axes, name="sst")
>>> sst.skgeo.grid()
LatLonGrid(36 x 72, latitude -90..90, longitude 0..360, closed)
"""

import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy.typing as npt

from skgeo._cells import CellGrid
from skgeo._grid import LatLonGrid
from skgeo._input.from_xarray import layout, read_cells
from skgeo._output.to_xarray import label_cells, label_patches
from skgeo._patches.cell_fields import cell_dataset
from skgeo._patches.cell_members import is_members
from skgeo._patches.cut import cut_patches, patch_frame
from skgeo._patches.fields import cut_dataset
from skgeo._validation import import_optional
from skgeo.exceptions import CoordinateError, CoordinateWarning

# Without xarray, the error says what to install; the error of the import below does not.
if find_spec("xarray") is None:
    import_optional("xarray", "skgeo.xarray", "xarray")

import xarray as xr

__all__ = ["SkgeoAccessor", "patches_to_xarray"]


def patches_to_xarray(
    values: Any,
    patches: Any,
    names: Sequence[str] | None = None,
    *,
    estimator: Any = None,
    index: "npt.ArrayLike | None" = None,
) -> xr.Dataset:
    """Label features of patches with edges, numbers of pixels, names and units, ready for NetCDF and Zarr.

    Parameters
    ----------
    values : array of shape (n_patches, k)
        Features, NumPy or dask; lazy values stay lazy.
    patches : array-like or DataFrame of shape (n_patches, 6), or array-like of shape (n_patches, h, w, 2)
        A patch table: south, north, west, east (edges in degrees), n_lat, n_lon (pixels); or stacks of pixel centres,
        (latitude, longitude) in degrees; or stacks (n_patches, n_cells, 3) of cells, with their areas in m2.
    names : sequence of str of length k, default=None
        Names of the features. None means those of the estimator, if there is one.
    estimator : fitted transformer, default=None
        The estimator that computed the features. Its class and its parameters, as JSON, become attributes.
    index : array-like of shape (n_patches, 2), default=None
        Row and column of the first pixel of each patch. A DataFrame from ``patches(as_frame=True)`` contains them.

    Returns
    -------
    xarray.Dataset
        The variable ``features`` with the dimensions (patch, feature). Coordinates along ``patch`` are south, north,
        west, east (past 180 or 360 across the antimeridian), n_lat, n_lon, and row and column if known. For stacks they
        are latitude and longitude (patch, y, x). Coordinates along ``feature`` are the names and the units.

    Raises
    ------
    CoordinateError
        If ``patches`` is no patch table.
    ValueError
        If ``values``, ``names`` or ``index`` do not fit the patches.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeo import LatLonGrid, PatchScaleFeaturizer
    >>> from skgeo.xarray import patches_to_xarray
    >>> grid = LatLonGrid(np.arange(-87.5, 90, 5), np.arange(2.5, 360, 5))
    >>> patches, index = grid.patches((12, 12), return_index=True)
    >>> scale = PatchScaleFeaturizer(log=False).fit(patches)
    >>> features = scale.transform(patches)
    >>> table = patches_to_xarray(features, patches, estimator=scale, index=index)
    >>> height = table.sel(feature="extent_lat")
    >>> height.features.max().round().item(), height.unit.item()
    (6671705.0, 'm')
    """
    return label_patches(values, patches, names, estimator=estimator, index=index)


class SkgeoAccessor:
    """The accessor ``.skgeo`` of every Dataset and DataArray: its grid, embedding and patch features.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        An object on a regular grid (:meth:`skgeo.LatLonGrid.from_xarray`) or on other cells
        (:meth:`skgeo.CellGrid.from_xarray`). :meth:`transform` also takes points.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> import skgeo.xarray
    >>> from skgeo import SphericalHarmonicPCA
    >>> axes = {"lat": np.arange(-85, 90, 10), "lon": np.arange(5, 360, 10)}
    >>> sst = xr.DataArray(np.ones((18, 36)), axes, ("lat", "lon"), name="sst")
    >>> basis = SphericalHarmonicPCA(max_degree=2).fit(sst.skgeo.grid())
    >>> embedding = sst.skgeo.transform(basis)
    >>> xr.merge([sst, embedding], join="exact").sizes["feature"]
    8
    """

    def __init__(self, obj: "xr.Dataset | xr.DataArray") -> None:
        self._obj = obj

    def grid(self, mask: Any = None) -> LatLonGrid | CellGrid:
        """Read the grid of the object, by ``from_xarray`` of LatLonGrid or CellGrid.

        Parameters
        ----------
        mask : None, str, xarray.DataArray or array-like, default=None
            The domain, for instance ``"valid"``: where the variable is never missing.

        Returns
        -------
        LatLonGrid or CellGrid
            A CellGrid if latitude and longitude share their dimensions, or if the object follows a convention for
            meshes.
        """
        return (LatLonGrid if layout(self._obj) == "grid" else CellGrid).from_xarray(self._obj, mask)

    def check(self, mask: Any = None) -> Any:
        """Report on the grid of the object, and on the variables from which it was read.

        Parameters
        ----------
        mask : None, str, xarray.DataArray or array-like, default=None
            As for :meth:`grid`.

        Returns
        -------
        GridReport
            As from :meth:`skgeo.LatLonGrid.check` and :meth:`skgeo.CellGrid.check`: a mapping from names to values
            that prints as a small table.
        """
        return self.grid(mask).check()

    def transform(self, encoder: Any) -> xr.Dataset:
        """Embed all cell centres, or points.

        Parameters
        ----------
        encoder : fitted transformer of (latitude, longitude) points
            For instance a :class:`skgeo.SphericalHarmonicPCA`.

        Returns
        -------
        xarray.Dataset
            As from :meth:`skgeo.LatLonGrid.to_xarray`, with the names and coordinates of the object. It can be merged
            with the object.
        """
        # The areas of cells do not change their embedding, so that warnings of them are silenced. If the areas are
        # wrong, the centres are read without them.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CoordinateWarning)
            try:
                grid = self.grid()
            except CoordinateError:
                if layout(self._obj) == "grid":
                    raise
                grid = CellGrid(**read_cells(self._obj, centres=True))
        return label_cells(grid, encoder.transform(self._obj), estimator=encoder, like=self._obj)

    def patches(
        self,
        patch_size: Any,
        stride: int | tuple[int, int] | None = None,
        *,
        mask: Any = None,
        partial: bool | None = None,
        min_fraction: float = 0.0,
        fill_value: Any = None,
    ) -> xr.Dataset:
        """Cut all variables on the grid into patches, with validity, edges, rows and columns.

        Parameters
        ----------
        patch_size : int, (int, int) or array of shape (n_patches, n_cells)
            Numbers of pixels along latitude and longitude; for cells in any order, the cells of each patch, from
            :meth:`skgeo.CellGrid.patch_members`.
        stride : int or (int, int), default=None
            Pixels from one patch to the next; None means ``patch_size``: no overlap.
        mask : None, str, xarray.DataArray or array-like, default=None
            As for :meth:`grid`.
        partial : bool, default=None
            As for :meth:`patch_features`.
        min_fraction : float, default=0
            As for :meth:`patch_features`.
        fill_value : number, default=None
            As for :meth:`skgeo.LatLonGrid.patch_values`.

        Returns
        -------
        xarray.Dataset
            Each variable that has the dimensions of the grid, with the dimensions (..., patch, y, x). Lazy values stay
            lazy. Coordinates along the patches are those of :func:`patches_to_xarray`, row and column, and ``valid``
            (patch, y, x): True where a pixel belongs to the patch and is inside the mask. To put a variable back, use
            ``grid.from_patches``.

        Examples
        --------
        >>> import numpy as np
        >>> import xarray as xr
        >>> import skgeo.xarray
        >>> axes = {"time": [0, 1], "lat": np.arange(-85, 90, 10), "lon": np.arange(5, 360, 10)}
        >>> sst = xr.DataArray(np.ones((2, 18, 36)), axes, ("time", "lat", "lon"), name="sst")
        >>> cut = sst.skgeo.patches((6, 6))
        >>> dict(cut.sst.sizes), cut.isel(patch=17).west.item()
        ({'time': 2, 'patch': 18, 'y': 6, 'x': 6}, 300.0)
        >>> bool((sst.skgeo.grid().from_patches(cut.sst).values == sst.values).all())
        True
        """
        grid = self.grid(mask)
        if is_members(patch_size) and isinstance(grid, CellGrid):
            return cell_dataset(grid, self._obj, patch_size, fill_value)
        cut = cut_patches(grid, patch_size, stride, partial=partial, min_fraction=min_fraction)
        return cut_dataset(grid, self._obj, cut, fill_value)

    def patch_features(
        self,
        features: Any,
        patch_size: Any,
        stride: int | tuple[int, int] | None = None,
        *,
        mask: Any = None,
        partial: bool | None = None,
        min_fraction: float = 0.0,
    ) -> xr.Dataset:
        """Features of the patches of the grid.

        Parameters
        ----------
        features : fitted transformer of patch tables
            For instance a union of :class:`skgeo.PatchPositionEncoder` and :class:`skgeo.PatchScaleFeaturizer`.
        patch_size : int, (int, int) or array of shape (n_patches, n_cells)
            Numbers of pixels along latitude and longitude; for cells in any order, the cells of each patch, from
            :meth:`skgeo.CellGrid.patch_members`.
        stride : int or (int, int), default=None
            Pixels from one patch to the next; None means ``patch_size``: no overlap.
        mask : None, str, xarray.DataArray or array-like, default=None
            As for :meth:`grid`. It has an effect only with ``min_fraction``.
        partial : bool, default=None
            Keep the smaller patches at the ends, for a regular grid only. None drops them with a warning, and False
            drops them without a warning.
        min_fraction : float, default=0
            Keep patches with at least this fraction of their area inside the mask.

        Returns
        -------
        xarray.Dataset
            As from :func:`patches_to_xarray`, with the row and column of each patch.
        """
        grid = self.grid(mask)
        if is_members(patch_size) and isinstance(grid, CellGrid):
            stacks = grid.patches(patch_size)
            return patches_to_xarray(features.transform(stacks), stacks, estimator=features)
        patches, index = grid.patches(patch_size, stride, partial=partial, min_fraction=min_fraction, return_index=True)
        # Features that were fitted on a DataFrame may expect the columns in another order: give them names.
        named = patches.ndim == 2 and hasattr(features, "feature_names_in_")
        values = features.transform(patch_frame(patches, index) if named else patches)
        return patches_to_xarray(values, patches, estimator=features, index=index)


# xarray keeps one registry for each of its two classes.
for register in (xr.register_dataset_accessor, xr.register_dataarray_accessor):
    register("skgeo")(SkgeoAccessor)  # type: ignore[no-untyped-call]
