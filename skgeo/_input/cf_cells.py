"""Bounds, vertices and areas of the cells around coordinates, read from xarray objects (CF conventions, chapter 7)."""

import re
from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np

from skgeo._input.cf import (
    AREA_NAMES,
    KINDS,
    CoordinateKind,
    attribute_or_encoding,
    identification_rank,
    is_time,
    measured_areas,
    variables_of,
)
from skgeo._input.cf_values import area_unit, attribute, in_degrees, in_square_metres, same_along
from skgeo._input.chunks import is_lazy
from skgeo._validation import import_optional, warn_caller
from skgeo.exceptions import CoordinateError, CoordinateWarning

# Names of corners that neighbours share: xESMF, MOM6, pyroms, GEOS.
_SHARED_CORNERS = re.compile(r"(corner_|geo|grid_)?(?P<kind>lat|lon)(itude|s)?_?(b|c|corners?|vert|vertices|edges?|q)")


class Found(NamedTuple):
    """A variable about the cells: its name, its values in degrees or square metres, and how it was found.

    The values are None if a coordinate names the variable but the object lacks it. The name is None if nothing names
    a variable.
    """

    name: Hashable | None
    values: Any
    how: str = ""

    @property
    def lost(self) -> bool:
        """Whether a coordinate names the variable, but the object lacks it."""
        return self.values is None and self.name is not None


def bounds_of(obj: Any, axis: Any, kind: CoordinateKind, fewest: float, most: float) -> Found:
    """Bounds of a coordinate with the edges as the last dimension; a cell has from ``fewest`` to ``most`` edges.

    The variable that the coordinate names comes first, then a variable with a usual name.
    """
    variables, named = variables_of(obj), attribute_or_encoding(axis, "bounds")
    names = dict.fromkeys([str(axis.name).lower(), kind.name, *kind.names])
    # The usual names are those such as lat_bnds, bounds_lat, and grid_corner_lat beside grid_center_lat.
    usual = [f"{name}_{end}" for name in names for end in ("bnds", "bounds", "vertices")]
    usual += [f"{start}_{name}" for name in names for start in ("bnds", "bounds", "vertices")]
    usual += [str(axis.name).lower().replace("center", "corner")]
    # n + 1 edges of n cells, as regridding tools write them.
    usual += [f"{name}{end}" for name in names for end in ("_b", "b", "_edges", "_edge")] if most == 2 else []
    by_name = {str(name).lower(): name for name in variables if name != axis.name}
    for name in (named, *(by_name.get(each) for each in usual)):
        if name is None or name not in variables:
            continue
        if most == 2 and _are_edges(variables[name], axis):
            pairs = _edge_pairs(in_degrees(variables[name], of=axis), axis)
            _check_one_unit(pairs, axis)
            return Found(name, pairs, f"named by {axis.name}" if name == named else "by its name")
        bounds = _without_time(variables[name], axis.dims, 1)
        corners = [dim for dim in bounds.dims if dim not in axis.dims]
        if len(corners) == 1 and set(axis.dims) < set(bounds.dims) and fewest <= bounds.sizes[corners[0]] <= most:
            how = f"named by {axis.name}" if name == named else "by its name"
            edges = in_degrees(bounds.transpose(*axis.dims, *corners), of=axis)
            _check_one_unit(edges, axis)
            return Found(name, edges, how)
        # A variable that only has a usual name may be something else: skip it. A named one must fit.
        if name == named:
            raise CoordinateError(
                f"The bounds {name!r} of {axis.name!r} have the dimensions {dict(bounds.sizes)}: expected {axis.dims} "
                f"and one of the edges. Correct them, or obj.drop_vars({name!r}) for edges midway between the centres."
            )
    return Found(named or None, None)


def _are_edges(variable: Any, axis: Any) -> bool:
    """Whether a variable holds the n + 1 edges of the n cells along an axis."""
    return axis.ndim == variable.ndim == 1 and variable.size == axis.size + 1 and variable.dtype.kind in "iuf"


def _edge_pairs(edges: Any, axis: Any) -> Any:
    """Both edges (n, 2) of each cell, from n + 1 edges that neighbours share."""
    xarray = import_optional("xarray", "from_xarray", "xarray")
    pairs = np.stack([edges.data[:-1], edges.data[1:]], axis=-1)
    return xarray.DataArray(pairs, dims=(*axis.dims, "edge"), name=edges.name)


def _check_one_unit(bounds: Any, axis: Any) -> None:
    """Refuse bounds in degrees around centres in radians, or the other way around, even if their units agree."""
    centres = in_degrees(axis)
    if is_lazy(bounds.data) or is_lazy(centres.data) or not bounds.size:
        return
    middle, centre = np.asarray(bounds).mean(axis=-1), np.asarray(centres)
    if not np.isfinite(middle - centre).any():
        return
    away = _median_way(middle, centre)
    # Bounds or centres are in radians if three facts hold: their values stay within one turn in radians; both are more
    # than 1 degree apart; the conversion to degrees makes this difference ten times smaller.
    for wrong, values, other in ((bounds, middle, centre), (axis, centre, middle)):
        in_circle = np.nanmax(np.abs(np.asarray(wrong))) <= 2.0 * np.pi * (1.0 + 1e-6)
        if in_circle and away > 1.0 and _median_way(np.degrees(values), other) < 0.1 * away:
            right = axis if wrong is bounds else bounds
            raise CoordinateError(
                f"{wrong.name!r} is in radians, {right.name!r} in degrees. Say so of each latitude, longitude and "
                f"bounds in radians, as obj[{wrong.name!r}].attrs['units'] = 'radians'."
            )


def _median_way(one: Any, other: Any) -> float:
    """The median difference of angles in degrees, across the seam where this is shorter."""
    # Infinite values are missing, as NaN is.
    with np.errstate(invalid="ignore"):
        return float(np.nanmedian(np.abs((one - other + 180.0) % 360.0 - 180.0)))


def _without_time(variable: Any, keep: tuple[Hashable, ...], n_more: int) -> Any:
    """A variable with the dimensions to keep and ``n_more`` others; it must not change along those that are dropped."""
    variable = drop_single(variable, keep)
    more = [dim for dim in variable.dims if dim not in keep]
    # Dimensions of time are dropped first. The dimension of the edges is the last one, in the files too.
    more.sort(key=lambda dim: is_time(variable, dim), reverse=True)
    for dim in more[: len(more) - n_more] if set(keep) <= set(variable.dims) else []:
        if not same_along(variable, dim):
            raise CoordinateError(
                f"{variable.name!r} changes along {dim!r}, a grid does not: select one, obj.isel({dim}=0)."
            )
        variable = variable.isel({dim: 0})
    return variable


def drop_single(variable: Any, keep: tuple[Hashable, ...]) -> Any:
    """A variable without its dimensions of size one, except those to keep."""
    single = [dim for dim, size in variable.sizes.items() if size == 1 and dim not in keep]
    return variable.isel(dict.fromkeys(single, 0))


def warn_lost(obj: Any, lost: Sequence[tuple[Any, Found]], instead: str) -> None:
    """Warn of bounds that coordinates name but the object lacks; ``dataset["t"]`` leaves them behind, for instance."""
    if not lost:
        return
    axes, names = [axis.name for axis, _ in lost], [found.name for _, found in lost]
    cure = "Add them"
    if not hasattr(obj, "data_vars"):
        field = obj.name or "t"
        cure = f"A single variable leaves its bounds behind: select a Dataset, dataset[{[field, *names]}]"
    forget = [f"obj[{a.name!r}].{'attrs' if 'bounds' in a.attrs else 'encoding'}.pop('bounds')" for a, _ in lost]
    warn_caller(
        f"{' and '.join(map(repr, axes))} {'names' if len(lost) == 1 else 'name'} the bounds "
        f"{' and '.join(map(repr, names))}, which the object does not have: {instead}. {cure}, or forget them, "
        f"{', '.join(forget)}.",
        CoordinateWarning,
    )


def vertices_of(obj: Any, latitude: Any, longitude: Any) -> tuple[Found, Found]:
    """Corners (..., n) of cells, or both edges (..., 2) of boxes between parallels and meridians."""
    # Cells in one dimension may be boxes with two edges. Cells in two dimensions need three corners or more.
    pairs = zip((latitude, longitude), KINDS, strict=True)
    south, west = (bounds_of(obj, axis, kind, 2 if axis.ndim == 1 else 3, np.inf) for axis, kind in pairs)
    if south.values is None and west.values is None and latitude.ndim > 1:
        shared = [_corner_array(obj, axis, kind) for axis, kind in zip((latitude, longitude), KINDS, strict=True)]
        if all(corner is not None for corner in shared):
            south, west = (Found(corner.name, _four_corners(corner, latitude.dims), "by its name") for corner in shared)
    return south, west


def _corner_array(obj: Any, axis: Any, kind: CoordinateKind) -> Any:
    """Corners in degrees that neighbours share, (..., h + 1, w + 1) for (..., h, w) cells, as GEOS and MOM6 have them.

    They have the marks of a latitude or longitude, or a name such as lat_b.
    """
    faces = axis.dims[:-2]
    for name, corner in variables_of(obj).items():
        named = _SHARED_CORNERS.fullmatch(str(name).lower())
        known = identification_rank(corner, kind) is not None or (named and named["kind"] == kind.name[:3])
        if not known or name == axis.name or not set(faces) < set(corner.dims):
            continue
        # Both dimensions must be one longer than those of the cells.
        more = tuple(size for dim, size in corner.sizes.items() if dim not in faces)
        if more == tuple(axis.sizes[dim] + 1 for dim in axis.dims[-2:]):
            return in_degrees(corner.transpose(*faces, ...), of=axis)
    return None


def _four_corners(corner: Any, dims: tuple[Hashable, ...]) -> Any:
    """Corners (..., h, w, 4) around each cell, from corners (..., h + 1, w + 1) that neighbours share."""
    # The four slices are in order around the cell.
    low, high = slice(None, -1), slice(1, None)
    around = [corner.data[..., rows, columns] for rows, columns in ((low, low), (low, high), (high, high), (high, low))]
    xarray = import_optional("xarray", "from_xarray", "xarray")
    return xarray.DataArray(np.stack(around, axis=-1), dims=(*dims, "corner"))


def find_areas(obj: Any, dims: tuple[Hashable, ...]) -> tuple[Hashable, str] | None:
    """The name of the variable with the areas of cells, and how it was found; None if there is none.

    ``cell_measures`` comes first, then the standard name, then a usual name.
    """
    variables = variables_of(obj)
    names: list[tuple[Hashable, str]] = [(name, "named by cell_measures") for name in measured_areas(obj)]
    standard = [name for name, variable in variables.items() if attribute(variable, "standard_name") == "cell_area"]
    names += [(name, "by its standard_name") for name in standard]
    names += [(name, "by its name") for name in variables if str(name).lower() in AREA_NAMES]
    for name, how in names:
        known = name in variables and set(dims) <= set(variables[name].dims)
        # A variable with a usual name such as "area" may hold anything: its units must be those of an area.
        if known and (how != "by its name" or area_unit(attribute(variables[name], "units")) is not None):
            return name, how
    return None


def areas_of(obj: Any, dims: tuple[Hashable, ...]) -> Found:
    """Areas of cells in square metres along the given dimensions, with the name of their variable."""
    found = find_areas(obj, dims)
    if found is None:
        return Found(None, None)
    name, how = found
    areas = _without_time(variables_of(obj)[name], dims, 0)
    return Found(name, in_square_metres(areas.transpose(*dims)), how)
