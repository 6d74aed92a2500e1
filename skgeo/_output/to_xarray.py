"""Bridge to xarray: label values of cells and features of patches, ready for NetCDF and Zarr."""

import json
import math
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from skgeo._input.cf import KINDS, CoordinateKind, find_both, variables_of
from skgeo._input.cf_cells import bounds_of, find_areas
from skgeo._input.cf_values import angle_unit, attribute
from skgeo._input.conventions.recognise import read_native
from skgeo._input.from_xarray import find_cells
from skgeo._input.patch_table import read_patch_table
from skgeo._validation import check_parameter, import_optional
from skgeo._version import __version__

if TYPE_CHECKING:
    import xarray as xr


class Labels(NamedTuple):
    """The labels of a grid: coordinates, variables, dimensions and shape of its cells, and attributes of their values.

    ``variables`` are coordinates, bounds or areas that the xarray object holds as data variables.
    """

    coordinates: dict[Hashable, Any]
    variables: dict[Hashable, Any]
    dims: tuple[Hashable, ...]
    shape: tuple[int, ...]
    attributes: dict[str, str]


# Units of the features of PatchScaleFeaturizer. All other features are pure numbers.
_UNITS = dict.fromkeys(("extent_lon", "extent_lat", "pixel_lon", "pixel_lat", "pixel_scale"), "m") | {"area": "m2"}
# CF attributes of areas of cells, and units of the edges of a patch.
_AREA = {"standard_name": "cell_area", "units": "m2"}
_EDGES = {"south": "degrees_north", "north": "degrees_north", "west": "degrees_east", "east": "degrees_east"}


class Labelled:
    """A mixin of grids: ``to_xarray`` labels values of their cells."""

    def to_xarray(
        self,
        values: Any,
        names: Sequence[str] | None = None,
        *,
        estimator: Any = None,
        name: str = "embedding",
    ) -> "xr.Dataset":
        """Label values of the cells, with coordinates, bounds or areas, and feature names; ready for NetCDF and Zarr.

        The result is a Dataset, because a DataArray has no room for the bounds of the cells. With these bounds,
        ``from_xarray`` makes the same grid again.

        Parameters
        ----------
        values : array of shape (n_cells,), (n_cells, k), grid.shape or grid.shape + (k,)
            One number or k features for each cell, in NumPy or dask; lazy values stay lazy.
        names : sequence of str of length k, default=None
            Names of the features. None means those of the estimator, if there is one.
        estimator : fitted transformer, default=None
            The estimator that computed the values: its class and parameters (as JSON) become attributes.
        name : str, default="embedding"
            Name of the variable.

        Returns
        -------
        xarray.Dataset
            The variable, with the dimensions (latitude, longitude) of a LatLonGrid, or (y, x) or (cell,) of a CellGrid,
            and last the dimension feature if the values have features. The coordinates are latitude and longitude
            (degrees), their bounds or the areas of the cells (m2), and the names of the features.

        Raises
        ------
        ValueError
            If ``values`` do not fit the grid, or ``names`` do not fit ``values``.
        ImportError
            Without xarray.

        Examples
        --------
        >>> import numpy as np
        >>> from skgeo import LatLonGrid, SphericalHarmonicPCA
        >>> grid = LatLonGrid(np.arange(-85, 90, 10), np.arange(5, 360, 10))
        >>> basis = SphericalHarmonicPCA(max_degree=1).fit(grid)
        >>> table = grid.to_xarray(basis.transform(grid), estimator=basis)
        >>> dict(table.embedding.sizes)
        {'latitude': 18, 'longitude': 36, 'feature': 3}
        >>> table.feature.values.tolist(), table.latitude_bnds.values[0].tolist()
        (['shpca0', 'shpca1', 'shpca2'], [-90.0, -80.0])
        """
        return label_cells(self, values, names, estimator=estimator, name=name)


def label_cells(
    cells: Any,
    values: Any,
    names: Sequence[str] | None = None,
    *,
    estimator: Any = None,
    name: str = "embedding",
    like: Any = None,
) -> "xr.Dataset":
    """A Dataset of values of cells, with the names and coordinates of the xarray object ``like`` if it is given."""
    xarray = import_optional("xarray", "to_xarray", "xarray")
    values, place = _as_array(values), _labels_of(cells, like)
    shape = place.shape
    labels = _feature_names(names, estimator)
    n_cells = math.prod(shape)
    # Values (n, 1) of a grid of n rows and one column may be a grid or a table. With names, they are one feature.
    table = values.ndim == 2 and (values.shape != shape or labels is not None)
    flat = values.shape[:1] == (n_cells,) and (values.ndim == 1 or table)
    leading = (n_cells,) if flat else shape
    rest = values.shape[len(leading) :]
    fits = values.shape[: len(leading)] == leading and len(rest) <= 1
    # Cells in one dimension have one accepted shape, a grid has two.
    shapes = [(n_cells,), shape] if len(shape) == 2 else [shape]
    accepted = " or ".join(f"{each}, {(*each, 'k')}" for each in shapes).replace("'", "")
    check_parameter("values.shape", values.shape, fits, f"shape {accepted}")
    coordinates = place.coordinates | _feature_coordinate(labels, rest)
    variable = (place.dims + ("feature",) * len(rest), values.reshape(shape + rest), place.attributes)
    return _without_fill(xarray.Dataset({name: variable, **place.variables}, coordinates, _attributes(estimator)))


def label_patches(
    values: Any,
    patches: Any,
    names: Sequence[str] | None = None,
    *,
    estimator: Any = None,
    index: npt.ArrayLike | None = None,
) -> "xr.Dataset":
    """A Dataset of features of patches; see ``skgeo.xarray.patches_to_xarray``."""
    xarray = import_optional("xarray", "patches_to_xarray", "xarray")
    values = _as_array(values)
    coordinates = _patch_coordinates(patches)
    n_patches = len(next(iter(coordinates.values()))[1])
    fits = values.ndim == 2 and values.shape[0] == n_patches
    check_parameter("values.shape", values.shape, fits, f"({n_patches}, k), one row per patch")
    # The index of a frame from grid.patches(as_frame=True) has the rows and columns of the patches.
    rows: Any = getattr(patches, "index", None)
    if index is None and list(getattr(rows, "names", [])) == ["row", "column"]:
        index = np.array(list(rows))
    if index is not None:
        index = np.asarray(index)
        check_parameter("index.shape", index.shape, index.shape == (n_patches, 2), f"({n_patches}, 2), row and column")
        for i, along in enumerate(("row", "column")):
            coordinates[along] = ("patch", index[:, i], {"long_name": f"{along} of the first pixel in the grid"})
    labels = _feature_names(names, estimator)
    # Features of one table have different units. The units are therefore a coordinate, and no attribute of the
    # variable.
    coordinates |= _feature_coordinate(labels, values.shape[1:])
    if labels is not None:
        units = [_feature_unit(label) for label in labels]
        coordinates["unit"] = ("feature", np.array(units, dtype=object), {"long_name": "unit of the feature"})
    variable = (("patch", "feature"), values, {"long_name": "features of the patches"})
    return _without_fill(xarray.Dataset({"features": variable}, coordinates, _attributes(estimator)))


def _as_array(values: Any) -> Any:
    """The array of a DataArray; NumPy and dask arrays unchanged; other values as a NumPy array."""
    values = values.data if hasattr(values, "dims") else values
    return values if hasattr(values, "dask") or isinstance(values, np.ndarray) else np.asarray(values)


def _feature_names(names: Sequence[str] | None, estimator: Any) -> list[str] | None:
    """The given names, else those of the estimator, else None."""
    if names is None and estimator is not None:
        names = estimator.get_feature_names_out()
    return None if names is None else [str(name) for name in names]


def _feature_coordinate(labels: list[str] | None, rest: tuple[int, ...]) -> dict[Hashable, Any]:
    """The coordinate of feature names. Its dtype is object: Zarr has no specification for text of fixed width."""
    if labels is None:
        return {}
    expected = f"one name for each of the {rest[0]} features" if rest else "no names, as the values have no features"
    check_parameter("names", labels, (len(labels),) == rest, expected)
    return {"feature": ("feature", np.array(labels, dtype=object), {"long_name": "name of the feature"})}


def _labels_of(cells: Any, like: Any) -> Labels:
    """The labels of a grid: those of the xarray object ``like`` if it is given, else our own."""
    # Only a LatLonGrid has no solid angles.
    regular = not hasattr(cells, "solid_angles")
    if like is not None:
        return _labels_like(cells, like, regular)
    own: tuple[Hashable, ...] = ("latitude", "longitude")
    if not regular:
        own = ("y", "x") if len(cells.shape) == 2 else ("cell",)
    # Coordinates are written in the precision in which they came.
    axes = (cells.latitude.astype(cells.dtype), cells.longitude.astype(cells.dtype))
    coordinates: dict[Hashable, Any] = {}
    for i, (kind, axis) in enumerate(zip(KINDS, axes, strict=True)):
        attributes = _cf(kind) | ({"axis": kind.axis.upper()} if regular else {})
        coordinates[kind.name] = ((own[i],) if regular else own, axis, attributes)
    if regular:
        for dim, edges in zip(own, (cells.latitude_edges, cells.longitude_edges), strict=True):
            _add_bounds(coordinates, dim, (dim, "bnds"), edges)
    elif cells.solid_angles is not None:
        coordinates["cell_area"] = (own, cells.cell_areas(), _AREA)
    return Labels(coordinates, {}, own, cells.shape, {})


def _add_bounds(coordinates: dict[Hashable, Any], name: Hashable, dims: tuple[Hashable, ...], edges: Any) -> None:
    """Add the bounds of an axis to ``coordinates``, and their name to the attributes of the axis, as CF requires."""
    coordinates[name][2]["bounds"] = f"{name}_bnds"
    coordinates[f"{name}_bnds"] = (dims, edges)


def _labels_like(cells: Any, obj: Any, regular: bool) -> Labels:
    """The coordinates of an xarray object, unchanged, and their bounds or the areas, so that the result can be merged.

    A data variable of the object becomes a data variable: two objects that disagree whether a variable is a coordinate
    do not merge.
    """
    obj = obj if regular else read_native(obj).obj
    axes = find_both(obj, 1) if regular else find_cells(obj)
    dims = tuple(dict.fromkeys(axes[0].dims + axes[1].dims))
    shape, known = tuple(obj.sizes[dim] for dim in dims), variables_of(obj)
    kept: dict[Hashable, Any] = {}
    measures: dict[str, str] = {}
    for axis, kind in zip(axes, KINDS, strict=True):
        more = _cf(kind) | ({"axis": kind.axis.upper()} if regular else {})
        # The degrees that CF requires do not belong to values in radians.
        if angle_unit(attribute(axis, "units")) == "radians":
            del more["units"]
        kept[axis.name] = (known[axis.name].dims, known[axis.name].data, more | known[axis.name].attrs)
    if regular:
        for axis, kind, edges in zip(axes, KINDS, (cells.latitude_edges, cells.longitude_edges), strict=True):
            bounds = bounds_of(obj, axis, kind, 2, 2)
            # Bounds of the object are copied. Without any, our edges are added under a name that is free.
            if bounds.name is not None:
                kept[axis.name][2]["bounds"] = str(bounds.name)
            if bounds.values is not None:
                kept[bounds.name] = (known[bounds.name].dims, known[bounds.name].data, known[bounds.name].attrs)
            elif bounds.name is None and f"{axis.name}_bnds" not in known:
                # A dimension "bnds" of another length belongs to something else.
                edge = "bnds" if obj.sizes.get("bnds", 2) == 2 else f"{axis.name}_edge"
                _add_bounds(kept, axis.name, (*axis.dims, edge), edges)
    elif (areas := find_areas(obj, dims)) is not None:
        measures = {"cell_measures": f"area: {areas[0]}"}
        kept[areas[0]] = (known[areas[0]].dims, known[areas[0]].data, known[areas[0]].attrs)
    elif cells.solid_angles is not None and "cell_area" not in known:
        kept["cell_area"] = (dims, cells.cell_areas().reshape(shape), _AREA)
    variables = {name: kept.pop(name) for name in [*kept] if name in known and name not in obj.coords}
    return Labels(kept, variables, dims, shape, measures)


def _cf(kind: CoordinateKind) -> dict[str, str]:
    """The attributes that the CF conventions require of a coordinate."""
    return {"standard_name": kind.name, "units": kind.units[0]}


def _patch_coordinates(patches: Any) -> dict[Hashable, Any]:
    """Edges and pixel counts of a patch table, or the centres of stacks of pixels or of cells with their areas."""
    if np.ndim(patches) == 3:
        cells = np.asarray(patches)
        check_parameter("patches.shape", cells.shape, cells.shape[2] == 3, "(n_patches, n_cells, 3)")
        places: dict[Hashable, Any] = {
            kind.name: (("patch", "pixel"), cells[..., i], _cf(kind)) for i, kind in enumerate(KINDS)
        }
        return dict(places) | {"cell_area": (("patch", "pixel"), cells[..., 2], _AREA)}
    if np.ndim(patches) == 4:
        stacks = np.asarray(patches)
        check_parameter("patches.shape", stacks.shape, stacks.shape[3] == 2, "(n_patches, 6) or (n_patches, h, w, 2)")
        return {kind.name: (("patch", "y", "x"), stacks[..., i], _cf(kind)) for i, kind in enumerate(KINDS)}
    boxes = read_patch_table(patches).boxes
    coordinates: dict[Hashable, Any] = {
        name: ("patch", getattr(boxes, name), {"long_name": f"{name} edge of the patch", "units": units})
        for name, units in _EDGES.items()
    }
    coordinates["east"][2]["comment"] = "runs past 180 or 360 where the patch crosses the antimeridian"
    for name, along in (("n_lat", "latitude"), ("n_lon", "longitude")):
        coordinates[name] = ("patch", getattr(boxes, name), {"long_name": f"pixels along {along}"})
    return coordinates


def _feature_unit(name: str) -> str:
    """The unit of a feature by its name, which may have the prefix of a FeatureUnion."""
    # UDUNITS writes logarithms as "ln(re 1 m)": that of a length relative to 1 m.
    plain = name.rpartition("__")[2]
    unit = _UNITS.get(plain.removeprefix("log_"), "1")
    return f"ln(re 1 {unit})" if plain.startswith("log_") and unit != "1" else unit


def dataset_of_patches(values: list[Any], obj: Any) -> "xr.Dataset":
    """A Dataset of DataArrays in patches. It keeps the attributes of the Dataset ``obj`` that they were cut from."""
    xarray = import_optional("xarray", "patches", "xarray")
    variables = {"values" if each.name is None else each.name: each for each in values}
    kept = obj.attrs if hasattr(obj, "data_vars") else {}
    return _without_fill(xarray.Dataset(variables, attrs={**kept, **_attributes(None)}))


def _attributes(estimator: Any) -> dict[str, str]:
    """Attributes on the origin of a file: conventions, version, and class and parameters of the estimator."""
    attributes = {"Conventions": "CF-1.8", "skgeo_version": __version__}
    if estimator is not None:
        attributes["estimator"] = type(estimator).__name__
        attributes["estimator_parameters"] = json.dumps(estimator.get_params(deep=False), default=_as_json)
    return attributes


def _as_json(value: Any) -> Any:
    """A JSON form of other values: class and parameters of estimators, lists of arrays, names of functions."""
    if hasattr(value, "get_params") and not isinstance(value, type):
        return {type(value).__name__: value.get_params(deep=False)}
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return getattr(value, "__qualname__", None) or str(value)


def _without_fill(dataset: "xr.Dataset") -> "xr.Dataset":
    """The dataset without fill values for its coordinates: CF forbids missing values in coordinates."""
    for coordinate in dataset.coords.values():
        if coordinate.dtype.kind == "f":
            coordinate.encoding["_FillValue"] = None
    return dataset
