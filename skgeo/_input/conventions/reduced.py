"""Points on full circles of latitude: reduced Gaussian grids, and HEALPix without a grid mapping."""

from typing import Any

import numpy as np

from skgeo._input.cf import LATITUDE, LONGITUDE, find, variables_of
from skgeo._input.cf_cells import Found, areas_of, vertices_of
from skgeo._input.cf_values import attribute, in_degrees
from skgeo._input.chunks import computed, is_lazy
from skgeo._input.conventions.native import Native
from skgeo._kernels.rings import find_rings, ring_areas
from skgeo._kernels.sphere import EARTH_RADIUS
from skgeo._validation import import_optional
from skgeo.exceptions import CoordinateError

# Names of this grid in files of GRIB readers and CDO.
_SAID = ("reduced_gg", "gaussian_reduced", "gaussian reduced", "reduced_ll")


def applies(obj: Any) -> bool:
    """Whether points without areas and corners lie on rings: chunked points only where an attribute says so."""
    return _rings(obj) is not None


def read(obj: Any) -> Native:
    """The points of rings as cells, with the area of the ring divided by the number of its points."""
    found = _rings(obj)
    assert found is not None
    (latitude, longitude), values, said = found
    counts = find_rings(*values)
    areas = None if counts is None else ring_areas(values[0], counts)
    if counts is None or areas is None:
        raise CoordinateError(
            f"The data are on a reduced Gaussian grid ({said}), but {latitude.name!r} and {longitude.name!r} are no "
            "full circles of latitude from pole to pole, each with its points one after the other. If the data are "
            "those of a region, add the areas of the cells with the standard name cell_area."
        )
    per_point = np.repeat(areas[0], counts) * EARTH_RADIUS**2
    if is_lazy(latitude.data):
        da = import_optional("dask.array", "chunked data", "xarray")
        per_point = da.from_array(per_point, chunks=latitude.chunks)
    xarray = import_optional("xarray", "from_xarray", "xarray")
    array = xarray.DataArray(per_point, dims=latitude.dims)
    words = f"{counts.size} rings of {counts.min()} to {counts.max()} points, {areas[1]}"
    return Native(obj, words, Found("areas of rings", array, f"by {areas[1]}"))


def _rings(obj: Any) -> Any:
    """Both coordinates of points on rings, their values and the attribute that says so; None for anything else."""
    try:
        axes: list[Any] = [find(obj, kind, 1) for kind in (LATITUDE, LONGITUDE)]
    except CoordinateError:
        return None  # several latitudes: the reader of coordinates says so
    if any(axis is None or axis.ndim != 1 for axis in axes) or axes[0].dims != axes[1].dims:
        return None
    said = _says(obj, axes[0].dims[0])
    if any(is_lazy(axis.data) for axis in axes) and not said:
        return None
    # The first two points of a ring share a latitude: the points of most tables do not.
    latitude = axes[0].data
    if not said and (latitude.size < 6 or abs(float(latitude[1]) - float(latitude[0])) > 1e-6):
        return None
    values = [np.asarray(each, dtype=np.float64) for each in computed(*(in_degrees(axis).data for axis in axes))]
    counts = None if said else find_rings(*values)
    # Rings of one length are a regular grid as a table: its rows stay points, as they are in a DataFrame.
    if not said and (counts is None or np.ptp(counts) == 0 or ring_areas(values[0], counts) is None):
        return None
    return None if _has_sizes(obj, axes) else (axes, values, said)


def _has_sizes(obj: Any, axes: list[Any]) -> bool:
    """Whether the points have areas or corners."""
    if areas_of(obj, axes[0].dims).values is not None:
        return True
    return all(found.values is not None for found in vertices_of(obj, *axes))


def _says(obj: Any, dim: Any) -> str:
    """The attribute of a variable that calls its grid a reduced Gaussian one; empty if none does."""
    variables = [*variables_of(obj).values(), *([] if hasattr(obj, "data_vars") else [obj])]
    for variable in variables:
        for name in ("GRIB_gridType", "CDI_grid_type", "grid_type"):
            if dim in variable.dims and attribute(variable, name) in _SAID:
                return f"{name} of {variable.name!r}"
    return ""
