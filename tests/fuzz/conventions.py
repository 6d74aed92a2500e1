"""Regular grids as the files of models and satellites hold them, each with its true cells in plain float64.

A generator first makes the truth: centres and edges of rows and columns by a formula, and the areas of the cells,
(sin north - sin south) (east - west). Then it writes them the way files do: units, names, orders, conventions of
longitude, single precision, rounded values, bounds, masks. Last it may spoil one thing, as a fill value, a lost
variable or a dropped column does. Nothing here asks skgeo.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr

#: What stands for "no value" in files: NetCDF's own, CMIP's, older ones, and what processors leave out.
FILLS = (9.96921e36, 1e20, -999.0, -9999.0, 1e35, 0.0)
#: Names of the dimension of bounds: CMIP, CF, NEMO (XIOS), WRF and CESM, xarray users.
BOUNDS_DIMS = ("bnds", "nv", "axis_nbounds", "bounds", "d2", "vertices", "two", "nbnd")
EPS_SINGLE = float(np.finfo(np.float32).eps)


@dataclass
class Case:
    """An object, what it stands for, and what may be said about it.

    ``benign`` is what files ordinarily hold: it is read without a word. Anything else may be refused or warned of, but
    is never read as other cells in silence.
    """

    obj: Any
    latitude: np.ndarray  # true centres in degrees, NaN where there is no cell
    longitude: np.ndarray
    areas: np.ndarray  # true areas on the unit sphere of what belongs to the domain
    benign: bool
    tolerance: float  # of the total area, relative
    mask: Any = None
    cells: bool = False  # read by CellGrid
    told: bool = True  # the object itself tells the areas
    per_cell: float = field(default=0.0)  # tolerance of single cells; 0 for not compared
    transforms: bool = True  # the centres are those of the truth, one for one
    means: Any = None  # of y, z, x and z squared over each cell; None for those at the centres
    doubt: bool = False  # nothing that could be read would be right
    arrays: dict | None = None  # the same for the constructor; None where attributes matter


@dataclass
class Axis:
    """True centres and edges (n, 2) of rows or columns in degrees, lower edge first."""

    centres: np.ndarray
    edges: np.ndarray

    def take(self, order):
        return Axis(self.centres[order], self.edges[order])


def areas_of(latitude, longitude):
    """Areas of the cells between two axes on the unit sphere."""
    south, north = np.sin(np.radians(latitude.edges)).T
    west, east = np.radians(longitude.edges).T
    return np.outer(north - south, east - west)


def means_of(latitude, longitude):
    """Means of y, z, x and z squared over the cells between two axes, integrated by hand: (n_lat, n_lon, 4)."""
    low, high = np.sin(np.radians(latitude.edges)).T
    south, north = np.radians(latitude.edges).T
    west, east = np.radians(longitude.edges).T
    around = ((north - south) / 2 + (np.sin(2 * north) - np.sin(2 * south)) / 4) / (high - low)
    y, x = (np.cos(west) - np.cos(east)) / (east - west), (np.sin(east) - np.sin(west)) / (east - west)
    columns = np.ones_like(x)
    means = (np.outer(around, y), np.outer((low + high) / 2, columns), np.outer(around, x))
    return np.stack([*means, np.outer((low * low + low * high + high * high) / 3, columns)], axis=-1)


# --- the truth


def _between(centres):
    """The axis whose edges are the midpoints of its centres."""
    middle = (centres[1:] + centres[:-1]) / 2
    ends = np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])
    return Axis(centres, np.column_stack([ends[:-1], ends[1:]]))


def _even(start, step, number):
    edges = start + step * np.arange(number + 1)
    return Axis(start + step * (np.arange(number) + 0.5), np.column_stack([edges[:-1], edges[1:]]))


def _whole_latitudes(source):
    number = source.pick((6, 9, 18, 36))
    kind = source.pick(("even", "even", "poles", "Gaussian"))
    if kind == "even":
        return _even(-90.0, 180.0 / number, number)
    if kind == "poles":
        axis = _between(np.linspace(-90, 90, number + 1))
    else:
        axis = _between(np.degrees(np.arcsin(np.polynomial.legendre.leggauss(2 * number)[0])))
        axis.edges[0, 0], axis.edges[-1, 1] = -90.0, 90.0
    return Axis(axis.centres, axis.edges.clip(-90, 90))


def _whole_longitudes(source):
    number = source.pick((12, 24, 36, 72, 144))
    step = 360.0 / number
    start = source.pick((0.0, -step / 2, -180.0, -180.0 - step / 2, 20.0, step / 4))
    return _even(start, step, number)


STEPS = (2.5, 1.0, 0.5, 0.25, 1 / 12, 0.05, 0.0025, 1 / 1200)


def _some_latitudes(source, step):
    number = source.integer(5, 16)
    south = min(source.pick((-60.0, -33.9, 0.0, 36.5, 47.3, 62.0)), 88.0 - 1.5 * number * step)
    if source.chance(20):  # a smooth change of step, as near the equator of ocean models
        steps = step * (1.0 + 0.5 * np.linspace(0, 1, number - 1) ** 2)
        return _between(south + np.concatenate([[0.0], np.cumsum(steps)]))
    return _even(south, step, number)


def true_axes(source):
    """Rows and columns of a globe, a band or a region: ascending, longitudes running on past 180 and 360."""
    kind = source.pick(("globe", "globe", "band", "region", "region", "region"))
    source.tell("domain:", kind)
    if kind == "globe":
        return _whole_latitudes(source), _whole_longitudes(source)
    step = source.pick(STEPS)
    if kind == "band":
        return _some_latitudes(source, step), _whole_longitudes(source)
    number = source.integer(6, 20)
    west = source.pick((-5.25 * step, 180.0 - 3.5 * step, 11.2, -75.3, 140.0, 271.7, -number * step / 2))
    return _some_latitudes(source, step), _even(west, step, number)


# --- how files write it

#: Names and attributes of latitude and longitude that the CF conventions, or any reader, understand.
PLAIN_STYLES = (
    (("lat", "lon"), ({}, {})),
    (("latitude", "longitude"), ({"units": "degrees_north"}, {"units": "degrees_east"})),
    (("lat", "lon"), ({"units": "degrees_north", "axis": "Y"}, {"units": "degrees_east", "axis": "X"})),
    (
        ("lat", "lon"),
        ({"units": "degrees", "standard_name": "latitude"}, {"units": "degrees", "standard_name": "longitude"}),
    ),
    (
        ("lat", "lon"),
        ({"units": "degree_north", "long_name": "Latitude"}, {"units": "degree_east", "long_name": "Longitude"}),
    ),
    (("Latitude", "Longitude"), ({"units": "degrees_N"}, {"units": "degrees_E"})),
    (("LAT", "LON"), ({"units": "degrees_north"}, {"units": "degrees_east"})),
    (
        ("y", "x"),
        (
            {"standard_name": "latitude", "units": "degrees_north"},
            {"standard_name": "longitude", "units": "degrees_east"},
        ),
    ),
    (("g0_lat_1", "g0_lon_2"), ({"units": "degrees_north"}, {"units": "degrees_east"})),
    (("lat", "lng"), ({"units": "degree"}, {"units": "degree"})),
)
#: Ways of which a reader may say that it does not understand them.
ODD_STYLES = (
    (("lat", "lon"), ({"units": "degrees north"}, {"units": "degrees east"})),
    (("yc", "xc"), ({"units": "degrees"}, {"units": "degrees"})),
    (("y", "x"), ({}, {})),
    (("lat", "lon"), ({"units": "degrees_east"}, {"units": "degrees_north"})),
    (("lat", "lon"), ({"long_name": "nominal latitude"}, {"long_name": "nominal longitude"})),
    (("lat", "lon"), ({"units": "m"}, {"units": "m"})),
)


def _in_convention(source, longitude, *, more=True):
    """Columns in some convention of longitude: the order of the true columns, and whole turns added to each."""
    ways = ("0..360 sorted", "-180..180 sorted", "0..360", "-180..180", "as it is", "a turn on")
    way = source.pick(ways if more else ways[:2])
    source.tell("longitudes:", way)
    low = -180.0 if way.startswith("-180") else 0.0
    if way in ("as it is", "a turn on"):
        turns = np.full(longitude.centres.size, 0.0 if way == "as it is" else 360.0)
    else:
        turns = -360.0 * np.floor((longitude.centres - low) / 360.0)
    values = longitude.centres + turns
    order = np.argsort(values) if way.endswith("sorted") else np.arange(values.size)
    return order, turns


def _rounding(source, axes):
    """A function that rounds all values as a file does, and by how much it may be wrong, in degrees."""
    step = min(float(np.diff(axis.edges, axis=1).min()) for axis in axes)
    way = source.pick(("f8", "f8", "f4", "decimals", "radians in f4 once"))
    source.tell("values:", way)
    if way == "radians in f4 once":  # pi / 2 is 90.0000025 degrees
        rounded = lambda values: np.degrees(np.radians(values).astype(np.float32).astype(np.float64))  # noqa: E731
        return rounded, 2.0 * 360.0 * EPS_SINGLE, step
    if way == "f4":
        return (lambda values: values.astype(np.float32)), 360.0 * EPS_SINGLE, step
    if way == "decimals":
        decimals = int(np.ceil(-np.log10(step / 40.0)))
        return (lambda values: np.round(values, decimals)), 0.5 * 10.0**-decimals, step
    return (lambda values: values), 1e-13, step


MASKS = ("valid", "aligned", "flipped", "rolled", "other turn", "no coordinates", "shifted", "other rows")


def with_mask(source, case, names, axes=()):
    """A mask of blocks, in the order of the grid or not, or as missing values of the variable.

    ``names`` are the dimensions; ``axes`` name the latitude and longitude that the mask brings along.
    """
    way = source.pick(("none", "none", *MASKS))
    if way == "none":
        return case
    source.tell("mask:", way)
    shape = case.areas.shape
    inside = np.zeros(shape, bool)
    inside[tuple(slice(0, max(1, size // 2)) for size in shape)] = True
    if source.chance(50):
        inside |= source.rng().random(shape) > 0.7
    inside &= case.areas > 0
    if not inside.any():
        return case
    case = replace(case, areas=case.areas * inside)
    if way == "valid":
        return replace(case, obj=case.obj.assign(t=case.obj.t.where(xr.DataArray(inside, dims=names))), mask="valid")
    if way == "no coordinates":
        forms = (inside, inside.astype("f4"), inside.astype(object), xr.DataArray(inside, dims=names))
        return replace(case, mask=source.pick(forms))
    mask = xr.DataArray(inside, {name: case.obj[name] for name in axes}, names)
    order = list(names)
    if way == "flipped":
        mask = mask.isel({order[0]: slice(None, None, -1)})
    elif way == "rolled":
        mask = mask.isel({order[-1]: np.roll(np.arange(shape[-1]), source.integer(1, shape[-1]))})
    elif way == "other turn":
        mask = mask.assign_coords({axes[1]: mask[axes[1]] - 360.0})
    elif way in ("shifted", "other rows"):
        steps = np.abs(np.diff(case.latitude, axis=0))
        step = steps[steps > 1e-6].min(initial=10.0) if way == "shifted" else 7.5
        own = mask[axes[0]]
        mask = mask.assign_coords({axes[0]: (own.dims, own.values + step, own.attrs)})
        case = replace(case, benign=False, doubt=True)
    return replace(case, mask=mask.transpose() if source.chance(30) else mask)


#: Bounds that say the true edges in one of the ways of files.
PLAIN_BOUNDS = (
    "none",
    "coordinates",
    "variables",
    "by name",
    "constant in time",
    "wrapped",
    "upper first",
    "transposed",
    "named in the encoding",
)
#: Bounds that are lost, or wrong.
ODD_BOUNDS = ("lost", "radians", "radians with units", "rows turned around", "fill", "of the neighbour")


def _with_bounds(source, way, obj, names, axes, turns, rounded):
    """The object with bounds of both axes; the true edges are taken through the same rounding as the centres."""
    if way == "none":
        return obj
    dim = source.pick(BOUNDS_DIMS)
    ends = source.pick(("{}_bnds", "{}_bounds", "bounds_{}"))
    for axis, name, turn in zip(axes, names, (0.0, turns), strict=True):
        edges, attributes = axis.edges + np.reshape(turn, (-1, 1)), {}
        if way == "wrapped" and name == names[1]:
            edges = edges % 360.0
        elif way == "upper first":
            edges = edges[:, ::-1]
        edges = np.array(rounded(edges))
        if way.startswith("radians"):
            edges, attributes = np.radians(edges), {"units": "radians"} if "units" in way else {}
        elif way == "rows turned around" and name == names[0]:
            edges = edges[::-1]
        elif way == "fill":
            edges[-1] = source.pick(FILLS)
        elif way == "of the neighbour":
            edges = np.roll(edges, 1, axis=0)
        bounds = xr.DataArray(edges, dims=(name, dim), attrs=attributes)
        bounds = bounds.expand_dims(time=2) if way == "constant in time" else bounds
        bounds = bounds.transpose(..., name) if way == "transposed" else bounds
        called = ends.format(name)
        if way == "named in the encoding":  # where xarray moves the attribute
            obj[name].encoding["bounds"] = called
        elif way != "by name":
            obj[name].attrs["bounds"] = called
        if way != "lost":
            obj = obj.assign({called: bounds})
        if way in ("coordinates", "wrapped"):
            obj = obj.set_coords(called)
    return obj


def _extras(source, obj, names):
    """What else files have: time, a height, a grid mapping, chunks, the other order of dimensions."""
    if source.chance(30):
        obj = obj.assign(t=obj.t.expand_dims(time=2).copy())
    if source.chance(20):
        obj = obj.assign_coords(height=2.0)
    if source.chance(20):
        obj["crs"] = ((), 0, {"grid_mapping_name": "latitude_longitude"})
    if source.chance(20):
        obj = obj.assign(t=obj.t.transpose(names[1], names[0], ...))
    if source.chance(15):
        obj = obj.chunk()
    return obj


# --- what goes wrong


def _dropped(source, latitude, longitude):
    """Rows or columns to keep, as where(drop=True) of some islands does: blocks of at least three with gaps between."""
    kept = []
    for axis in (latitude, longitude):
        number = axis.centres.size
        keep = np.ones(number, bool)
        if number >= 9 and source.chance(70):
            first = source.integer(3, number - 5)
            keep[first : min(number - 3, first + source.integer(1, number))] = False
        kept.append(np.flatnonzero(keep))
    return kept


def _spoilt_axis(source, way, obj, names, whole):
    """An object with one thing wrong with an axis."""
    name = source.pick(names)
    values = np.array(obj[name].values, dtype=np.float64)
    attributes = obj[name].attrs
    if way == "fill in an axis" or (way == "cyclic column" and not whole):
        # A row at zero, far from the others, may be an island.
        values[source.pick((0, -1, values.size // 2))] = source.pick((*FILLS[:-1], np.nan, np.inf))
        return obj.assign_coords({name: (name, values, attributes)})
    if way == "cyclic column" and whole:
        more = obj.isel({names[1]: [0]})
        more = more.assign_coords({names[1]: more[names[1]] + source.pick((360.0, 0.0))})
        return xr.concat([obj, more], names[1], data_vars="minimal", coords="minimal", join="override")
    if way == "radians":
        # Of a region nobody can know; longitudes around the whole Earth tell.
        units = {"units": source.pick(("radian", "radians", "rad"))} if not whole or source.chance(30) else {}
        kept = {key: value for key, value in attributes.items() if key == "standard_name"}
        return obj.assign_coords({each: (each, np.radians(obj[each].values), kept | units) for each in names})
    raise AssertionError(way)


SPOILT_AXES = ("fill in an axis", "cyclic column", "radians")


def _truth(latitude, longitude, benign, off, step, obj):
    """The case of an object on true axes, whose values may be off by ``off`` degrees."""
    extent = min(float(np.ptp(axis.edges)) for axis in (latitude, longitude))
    centres = np.meshgrid(latitude.centres, longitude.centres, indexing="ij")
    return Case(
        obj,
        *centres,
        areas_of(latitude, longitude),
        benign,
        tolerance=1e-9 + 6.0 * off / extent,
        per_cell=1e-9 + 8.0 * off / step,
        means=means_of(latitude, longitude),
    )


def _uneven(source, axis):
    """The axis with rows of other heights each: edges that are no midpoints, which only bounds can tell."""
    if axis.centres.size < 3:
        return axis
    inner = axis.edges[1:, 0] + 0.15 * source.rng().uniform(-1, 1, axis.centres.size - 1) * np.diff(axis.centres)
    edges = np.column_stack([np.r_[axis.edges[0, 0], inner], np.r_[inner, axis.edges[-1, 1]]])
    return Axis(edges.mean(axis=1), edges)


def _split_at_greenwich(longitude):
    """Columns of a whole circle of which the first is in two halves, at 0 and at 360."""
    number = longitude.centres.size
    step = 360.0 / number
    ends = np.r_[0.0, step * (np.arange(number) + 0.5), 360.0]
    return Axis(step * np.arange(number + 1), np.column_stack([ends[:-1], ends[1:]]))


def _as_given(source, latitude, longitude, way, whole):
    """Rows and columns in the order of the file, and the turns of the columns."""
    if way == "split at Greenwich":
        order, turns = np.arange(longitude.centres.size), np.zeros(longitude.centres.size)
    else:
        order, turns = _in_convention(source, longitude, more=way != "radians")
    longitude, turns = longitude.take(order), turns[order]
    if source.chance(40):
        latitude = latitude.take(slice(None, None, -1))
    if source.chance(8):
        longitude, turns = longitude.take(slice(None, None, -1)), turns[::-1]
    return latitude, longitude, turns


WAYS = ("good", "good", "good", "odd style", "odd bounds", "dropped", "split at Greenwich", *SPOILT_AXES)


def regular_grid(source):
    """An object on a regular grid, as some file has it."""
    source = source.details()
    latitude, longitude = true_axes(source)
    whole = np.ptp(longitude.edges) > 359
    way = source.pick(WAYS)
    way = "good" if way == "split at Greenwich" and not whole else way
    names, attributes = source.pick(ODD_STYLES if way == "odd style" else PLAIN_STYLES)
    bounds = source.pick(PLAIN_BOUNDS) if way in ("good", "odd style") else "none"
    bounds = source.pick(ODD_BOUNDS) if way == "odd bounds" else bounds
    if way == "dropped":
        rows, columns = _dropped(source, latitude, longitude)
        latitude, longitude = latitude.take(rows), longitude.take(columns)
    if way == "split at Greenwich":
        longitude, bounds = _split_at_greenwich(longitude), source.pick(("coordinates", "variables"))
    elif bounds != "none" and source.chance(40):
        source.tell("uneven rows and columns")
        latitude, longitude = _uneven(source, latitude), _uneven(source, longitude)
    source.tell("way:", way, "style:", names, attributes, "bounds:", bounds)
    latitude, longitude, turns = _as_given(source, latitude, longitude, way, whole)
    if way == "radians":
        rounded, off, step = (lambda values: values), 1e-12, 1.0
    else:
        rounded, off, step = _rounding(source, (latitude, longitude))
    axes = (rounded(latitude.centres), rounded(longitude.centres + turns))
    given = {name: (name, values, dict(told)) for name, values, told in zip(names, axes, attributes, strict=True)}
    obj = xr.Dataset({"t": (names, np.ones((axes[0].size, axes[1].size)))}, given)
    obj = _with_bounds(source, bounds, obj, names, (latitude, longitude), turns, rounded)
    case = _truth(latitude, longitude, way in ("good", "split at Greenwich"), off, step, obj)
    heights = np.diff(latitude.edges, axis=1)
    if way == "dropped" and np.ptp(heights) > 1e-6 * heights.max():  # nobody knows where rows beside a gap end
        case = replace(case, tolerance=case.tolerance + 0.05, per_cell=0.0)
    if way in SPOILT_AXES:
        obj = _spoilt_axis(source, way, obj, names, whole)
        case = replace(case, obj=obj, per_cell=0.0, transforms=way == "radians")
    elif bounds not in ("fill", "of the neighbour"):
        case = with_mask(source, case, names, names)
    if bounds == "none" and way != "odd style" and (way != "radians" or whole):
        case.arrays = {"latitude": case.obj[names[0]].values, "longitude": case.obj[names[1]].values}
    case = replace(case, obj=_extras(source, case.obj, names))
    if bounds != "by name" and source.chance(20):
        return _variable_alone(case, bounds)
    return case


def _variable_alone(case, bounds):
    """The variable of the grid: bounds have a dimension of their own, so they are lost, and their names are left."""
    return replace(case, obj=case.obj["t"], benign=case.benign and bounds == "none")
