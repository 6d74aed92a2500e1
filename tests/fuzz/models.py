"""Cells of curvilinear and unstructured grids as the files of models hold them.

The conventions of CMIP, NEMO, ROMS, WRF, SCRIP, ICON, MPAS, FESOM, GEOS and HEALPix for the cells of meshes.py,
which carry their truth. Nothing here asks skgeo.
"""

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from conventions import EPS_SINGLE, FILLS, Case, with_mask
from meshes import any_mesh, excess

RADIUS = 6_371_008.8


@dataclass
class Style:
    """Names and attributes of a model's files."""

    dims: tuple
    names: tuple
    corners: tuple | None
    corner_dim: str
    area: str = "cell_area"
    units: tuple = ("degrees_north", "degrees_east")
    standard: bool = True
    nominal: dict | None = None


STYLES_2D = {
    "CMIP6 ocean": Style(
        ("j", "i"), ("latitude", "longitude"), ("vertices_latitude", "vertices_longitude"), "vertices", "areacello"
    ),
    "CMIP5": Style(("j", "i"), ("lat", "lon"), ("lat_vertices", "lon_vertices"), "vertices", "areacello"),
    "CMIP with nominal axes": Style(
        ("rlat", "rlon"),
        ("lat", "lon"),
        ("lat_bnds", "lon_bnds"),
        "bnds4",
        "areacella",
        nominal={
            "rlat": {"standard_name": "grid_latitude", "units": "degrees"},
            "rlon": {"standard_name": "grid_longitude", "units": "degrees"},
        },
    ),
    "NEMO": Style(
        ("y", "x"), ("nav_lat", "nav_lon"), ("bounds_nav_lat", "bounds_nav_lon"), "nvertex", "area", standard=False
    ),
    "ROMS": Style(
        ("eta_rho", "xi_rho"),
        ("lat_rho", "lon_rho"),
        None,
        "k",
        "rho_area",
        ("degree_north", "degree_east"),
        standard=False,
    ),
    "WRF": Style(
        ("south_north", "west_east"),
        ("XLAT", "XLONG"),
        None,
        "k",
        "area",
        ("degree_north", "degree_east"),
        standard=False,
    ),
    "GEOS face": Style(
        ("Ydim", "Xdim"),
        ("lats", "lons"),
        None,
        "k",
        nominal={
            "Ydim": {"units": "degrees_north", "long_name": "Fake Latitude for GrADS Compatibility"},
            "Xdim": {"units": "degrees_east", "long_name": "Fake Longitude for GrADS Compatibility"},
        },
    ),
    "CESM domain": Style(("nj", "ni"), ("yc", "xc"), ("yv", "xv"), "nv", "area", standard=False),
    "NEMO with index axes": Style(
        ("lat", "lon"),
        ("nav_lat", "nav_lon"),
        None,
        "k",
        standard=False,
        nominal={"lat": {"long_name": "index"}, "lon": {"long_name": "index"}},
    ),
}
STYLES_3D = {
    "GEOS": Style(
        ("nf", "Ydim", "Xdim"),
        ("lats", "lons"),
        None,
        "k",
        nominal={"nf": {"long_name": "cubed-sphere face"}, **STYLES_2D["GEOS face"].nominal},
    ),
    "tiles": Style(("tile", "y", "x"), ("lat", "lon"), ("lat_bnds", "lon_bnds"), "nv"),
}
STYLES_1D = {
    "ICON": Style(("ncells",), ("clat", "clon"), ("clat_bnds", "clon_bnds"), "nv"),
    "ICON, vertices": Style(("cell",), ("clat", "clon"), ("clat_vertices", "clon_vertices"), "nv"),
    "FESOM": Style(("ncells",), ("lat", "lon"), ("lat_bnds", "lon_bnds"), "vertices"),
    "SCRIP": Style(
        ("grid_size",),
        ("grid_center_lat", "grid_center_lon"),
        ("grid_corner_lat", "grid_corner_lon"),
        "grid_corners",
        "grid_area",
        ("degrees", "degrees"),
        standard=False,
    ),
    "MPAS": Style(
        ("nCells",),
        ("latCell", "lonCell"),
        ("latVertices", "lonVertices"),
        "maxEdges",
        "areaCell",
        ("", ""),
        standard=False,
    ),
    "HEALPix": Style(("cell",), ("lat", "lon"), None, "k"),
    "CAM-SE": Style(("ncol",), ("lat", "lon"), ("lat_vertices", "lon_vertices"), "nv", "area", standard=False),
}

#: Styles whose names or axes a reader may refuse.
MAYBE_UNKNOWN = ("SCRIP", "MPAS", "GEOS face", "NEMO with index axes")

PLAIN_CORNERS = (
    "plain", "plain", "plain", "clockwise", "another start", "closed", "last repeated", "NaN behind", "wrapped",
    "single", "as coordinates", "beyond the pole", "undeclared", "constant in time", "named in the encoding",
)  # fmt: skip
ODD_CORNERS = (
    "Z order",
    "shuffled",
    "fill behind",
    "radians",
    "radians with units",
    "lost",
    "of the neighbour",
    "no width",
)
PLAIN_AREAS = ("none", "m2", "m2 of 6371229 m", "km2", "missing", "zero in some")
ODD_AREAS = ("steradian", "no units", "fill", "negative fill", "unit sphere in m2", "percent", "lost")
ODD_CENTRES = (
    "radians", "radians with units", "radians, cured as the error says", "fill", "zeros", "cyclic columns",
    "time-dependent", "nominal axes", "piled up at a pole",
)  # fmt: skip


def _write_corners(source, way, corners):
    """Corners as a file has them."""
    latitude, longitude = (np.array(values) for values in corners)
    last = (Ellipsis, slice(-1, None))
    if way == "clockwise":
        latitude, longitude = latitude[..., ::-1], longitude[..., ::-1]
    elif way == "another start":
        latitude, longitude = (np.roll(values, 1, axis=-1) for values in (latitude, longitude))
    elif way in ("closed", "last repeated", "NaN behind", "fill behind"):
        which = (Ellipsis, slice(0, 1)) if way == "closed" else last
        more = [values[which] for values in (latitude, longitude)]
        if way.endswith("behind"):
            filled = np.nan if way.startswith("NaN") else source.pick(FILLS)
            more = [np.full_like(values, filled) for values in more]
        latitude, longitude = (np.concatenate(pair, axis=-1) for pair in zip((latitude, longitude), more, strict=True))
    elif way == "wrapped":
        longitude = longitude % 360.0
    elif way == "beyond the pole":
        latitude = np.where(np.abs(latitude) > 90 - 1e-9, np.copysign(90.0000025, latitude), latitude)
    elif way == "Z order" and latitude.shape[-1] == 4:
        latitude, longitude = (values[..., [0, 1, 3, 2]] for values in (latitude, longitude))
    elif way == "shuffled":
        order = source.rng().permutation(latitude.shape[-1])
        latitude, longitude = latitude[..., order], longitude[..., order]
    elif way == "of the neighbour":
        latitude, longitude = (np.roll(values, 1, axis=-2) for values in (latitude, longitude))
    elif way == "no width":
        some = source.rng().random(latitude.shape[:-1]) < 0.3
        latitude[some], longitude[some] = latitude[some, :1], longitude[some, :1]
    elif way.startswith("radians"):
        latitude, longitude = np.radians(latitude), np.radians(longitude)
    dtype = np.float32 if way == "single" else np.float64
    return latitude.astype(dtype), longitude.astype(dtype)


def _write_areas(source, way, areas):
    """Areas as a file has them, and their unit."""
    square = RADIUS**2
    some = source.rng().random(areas.shape) < 0.2
    some.flat[0] = True
    return {
        "m2": (areas * square, "m2"),
        "m2 of 6371229 m": (areas * 6_371_229.0**2, "m2"),
        "km2": (areas * square / 1e6, "km2"),
        "steradian": (areas, source.pick(("sr", "steradian", "radian2", "square radians", "radians^2"))),
        "no units": (areas * source.pick((square, 1.0)), ""),
        "fill": (np.where(some, source.pick(FILLS[:2]), areas * square), "m2"),
        "negative fill": (np.where(some, -1.0, areas * square), "m2"),
        "unit sphere in m2": (areas, "m2"),
        "percent": (100 * areas / areas.sum(), "%"),
    }[way]


def _rounding(kind, mesh):
    """A function that rounds centres as a file does, and by how much they may be wrong, in degrees."""
    if kind == "f4":
        return (lambda values: values.astype(np.float32)), 360 * EPS_SINGLE
    if kind == "decimals":
        step = np.degrees(np.sqrt(mesh.areas[mesh.areas > 0].min()))
        decimals = int(np.ceil(-np.log10(step / 200.0)))
        return (lambda values: np.round(values, decimals)), 0.5 * 10.0**-decimals
    return np.array, 1e-13


def _coordinates(style, way, mesh, rounded):
    """Centres of the cells as coordinates of the object."""
    latitude, longitude = mesh.latitude, mesh.longitude
    if way in ("0..360", "-180..180"):
        longitude = (longitude + (0 if way == "0..360" else 180)) % 360 - (0 if way == "0..360" else 180)
    found = {}
    for name, values, units, kind in zip(
        style.names, (latitude, longitude), style.units, ("latitude", "longitude"), strict=True
    ):
        attributes = {"units": units} if units else {}
        attributes |= {"standard_name": kind} if style.standard else {"long_name": kind}
        found[name] = (style.dims, rounded(values), attributes)
    if style.nominal:
        for dim, size, attributes in zip(style.dims, latitude.shape, style.nominal.values(), strict=True):
            found[dim] = (dim, np.linspace(-40.0, 40.0, size), attributes)
    return found


def unstructured(source):
    """An object whose cells are on dimensions of their own, as some model writes it."""
    source = source.details()
    mesh = any_mesh(source)
    way = source.pick(("good", "good", "corners", "corners", "areas", "areas", *ODD_CENTRES))
    styles = {1: STYLES_1D, 2: STYLES_2D, 3: STYLES_3D}[mesh.latitude.ndim]
    called = source.pick(tuple(styles))
    style = styles[called]
    source.tell("style:", called, "way:", way)
    if way.startswith("radians") and (style.nominal or (way == "radians" and not mesh.globe)):
        way = "radians with units"  # of a region nobody can know
    kind = source.pick(("f8", "f8", "f4", "decimals"))
    convention = source.pick(("as it is", "0..360", "-180..180"))
    if way == "cyclic columns":
        mesh = _cyclic(source, mesh)
    if way == "piled up at a pole":
        mesh = _piled(source, mesh)
    rounded, off = _rounding(kind, mesh)
    coordinates = _coordinates(style, convention, mesh, rounded)
    obj = xr.Dataset({"t": (style.dims, np.ones(mesh.latitude.shape))}, coordinates)
    readable = called not in MAYBE_UNKNOWN and mesh.latitude.ndim < 3
    benign = way in ("good", "corners", "areas") and readable
    case = Case(obj, mesh.latitude, mesh.longitude, mesh.areas, benign, 1e-3, cells=True, told=False)
    case = _add_corners(source, case, mesh, style, way)
    case = _add_areas(source, case, mesh, style, way)
    case = _spoil_centres(source, case, mesh, style, way)
    case.benign &= readable
    if not case.told:  # areas from the centres of neighbours
        case = replace(case, benign=case.benign and mesh.latitude.ndim == 2 and mesh.smooth, per_cell=0.0)
        case.tolerance = 0.03 if mesh.smooth and mesh.latitude.ndim == 2 else np.inf
        case.tolerance += 0.2 if way in ("fill", "zeros") else 0.0  # beside holes neighbours are in one direction only
    step = np.degrees(np.sqrt(mesh.areas[mesh.areas > 0].min()))
    case.tolerance += 20 * off / step
    case.arrays = _arrays(case, style, way)
    if way == "good":
        masked = with_mask(source, case, style.dims, style.names)
        masked.benign &= masked is case or not isinstance(masked.mask, xr.DataArray) or not masked.mask.coords
        case = masked
        case.obj = case.obj.chunk() if source.chance(20) else case.obj
        case = _variable_alone(case, mesh) if source.chance(20) else case
    return case


def _arrays(case, style, way):
    """The arguments of the constructor, masked where missing as netCDF4 reads them; None where attributes matter."""
    obj = case.obj
    latitude, longitude = (obj[name] for name in style.names)
    areas = obj.get(style.area)
    corners = [obj[name] for name in style.corners or () if name in obj]
    strange = any(each.dims[: latitude.ndim] != latitude.dims or "units" in each.attrs for each in corners)
    if way == "radians with units" or strange or latitude.dims != style.dims or not case.told:
        return None
    if areas is not None and areas.attrs.get("units") != "m2":
        return None
    arguments = {"latitude": latitude, "longitude": longitude}
    arguments = {name: np.ma.masked_invalid(values.values) for name, values in arguments.items()}
    if areas is not None:
        arguments["areas"] = np.ma.masked_invalid(areas.values)
    elif corners:
        arguments["vertices"] = tuple(values.values for values in corners)
    return arguments


def _variable_alone(case, mesh):
    """The variable of the cells, without what is no coordinate of it: corners are lost, and their names are left."""
    lost = set(case.obj.variables) - {"t"} - set(case.obj["t"].coords)
    if not lost:
        return replace(case, obj=case.obj["t"])
    if "cell_measures" in case.obj["t"].attrs:
        return case
    known = mesh.smooth and mesh.latitude.ndim == 2
    return replace(case, obj=case.obj["t"], benign=False, told=False, tolerance=0.03 if known else np.inf, per_cell=0.0)


def _add_corners(source, case, mesh, style, way):
    """Corners as bounds of the coordinates, where the style has them."""
    if mesh.corners is None or style.corners is None or (way != "corners" and source.chance(30)):
        return case
    how = source.pick((*ODD_CORNERS, *PLAIN_CORNERS) if way == "corners" else PLAIN_CORNERS)
    source.tell("corners:", how)
    obj = case.obj
    written = _write_corners(source, how, mesh.corners)
    for name, corner, values in zip(style.names, style.corners, written, strict=True):
        units = {"units": "radians"} if how == "radians with units" else {}
        vertices = xr.DataArray(values, dims=(*style.dims, style.corner_dim), attrs=units)
        if how != "lost":
            obj = obj.assign({corner: vertices.expand_dims(time=2) if how == "constant in time" else vertices})
        if how == "named in the encoding":
            obj[name].encoding["bounds"] = corner
        elif how != "undeclared":
            obj[name].attrs["bounds"] = corner
        if how == "as coordinates":
            obj = obj.set_coords(corner)
    counted = mesh.areas > 0
    boxes = (mesh.areas - excess(*mesh.corners))[counted]  # great circles are not parallels
    tolerance = 1e-3 + abs(boxes.sum()) / mesh.areas.sum()
    per_cell = 1e-3 + float(np.max(np.abs(boxes) / mesh.areas[counted]))
    if how == "single":
        tolerance, per_cell = tolerance + 0.02, 0.0
    unknown = how in ("undeclared", "lost")  # may be found or not
    benign = case.benign and how in PLAIN_CORNERS and not unknown
    per_cell = 0.0 if unknown else per_cell
    return replace(case, obj=obj, told=not unknown, tolerance=tolerance, per_cell=per_cell, benign=benign)


def _add_areas(source, case, mesh, style, way):
    """Areas as a variable that the field names as its cell measure."""
    if way == "areas":
        how = source.pick((*ODD_AREAS, *PLAIN_AREAS))
    elif way == "good":
        how = source.pick(PLAIN_AREAS)
    else:
        return case
    source.tell("areas:", how)
    if how == "none":
        return case
    obj = case.obj
    obj["t"].attrs["cell_measures"] = f"area: {style.area}"
    if how == "lost":
        return replace(case, benign=False)
    values, units = _write_areas(source, how if how not in ("missing", "zero in some") else "m2", mesh.areas)
    areas = mesh.areas
    if how in ("missing", "zero in some"):  # no cell of the domain
        gone = source.rng().random(values.shape) < 0.2
        gone.flat[0] = False
        values, areas = np.where(gone, np.nan if how == "missing" else 0.0, values), np.where(gone, 0.0, areas)
    attributes = {"units": units} if units else {}
    attributes |= {"standard_name": "cell_area"} if source.chance(70) else {}
    obj = obj.assign({style.area: (style.dims, values, attributes)})
    plain = how in PLAIN_AREAS
    tolerance, per_cell = (1e-3, 1e-3) if plain else (max(case.tolerance, 1e-3), 0.0)
    benign = case.benign and plain and how != "zero in some"
    told = plain or case.told
    return replace(case, obj=obj, areas=areas, told=told, tolerance=tolerance, per_cell=per_cell, benign=benign)


def _cyclic(source, mesh):
    """One or two columns once more at the end, as NEMO's ORCA grids have; they stand for no area."""
    if mesh.latitude.ndim != 2 or not mesh.globe:
        return mesh
    number = source.pick((1, 2))
    index = np.r_[np.arange(mesh.latitude.shape[1]), np.arange(number)]
    more = mesh.take((slice(None), index))
    areas = more.areas.copy()
    areas[:, -number:] = 0.0
    return replace(more, areas=areas)


def _piled(source, mesh):
    """The northernmost cells, all at the pole, as where models repeat a pole for each column."""
    latitude = mesh.latitude.copy()
    if latitude.ndim == 2 and mesh.globe:
        for row in range(-source.integer(1, 5), 0):
            latitude[row] = 90.0
    return replace(mesh, latitude=latitude)


def _spoil_centres(source, case, mesh, style, way):
    """An object with one thing wrong with its centres."""
    obj, (first, second) = case.obj, style.names
    if way == "cyclic columns":
        return replace(case, per_cell=0.0)
    if way == "piled up at a pole":
        return replace(case, per_cell=0.0)
    if way in ("fill", "zeros"):
        gone = source.rng().random(mesh.latitude.shape) < 0.25
        gone.flat[:2] = True, False
        value = source.pick((*FILLS, np.nan, np.inf)) if way == "fill" else 0.0
        obj = obj.assign_coords(
            {name: (style.dims, np.where(gone, value, obj[name].values), obj[name].attrs) for name in style.names}
        )
        areas = np.where(gone, 0.0, mesh.areas)
        centres = (np.where(gone, np.nan, centre) for centre in (mesh.latitude, mesh.longitude))
        source.tell("fill:", value)
        if np.isfinite(value) and source.chance(40):  # as xarray leaves it with mask_and_scale=False
            for name in style.names:
                obj[name].attrs[source.pick(("_FillValue", "missing_value"))] = value
        return Case(obj, *centres, areas, not np.isfinite(value), case.tolerance, cells=True, told=case.told)
    if way.startswith("radians"):
        obj = obj.assign_coords(
            {name: (style.dims, np.radians(obj[name].values), obj[name].attrs) for name in style.names}
        )
        for name in style.names:
            obj[name].attrs.pop("units", None)
            if way == "radians with units":
                obj[name].attrs["units"] = source.pick(("radian", "radians", "rad"))
        if style.corners and style.corners[0] in obj:
            obj = obj.assign({name: (obj[name].dims, np.radians(obj[name].values)) for name in style.corners})
        if way == "radians, cured as the error says":
            for name, units in zip(style.names, ("degrees_north", "degrees_east"), strict=True):
                bounds = {key: value for key, value in obj[name].attrs.items() if key == "bounds"}
                obj = obj.assign_coords({name: (style.dims, np.degrees(obj[name].values), {"units": units} | bounds)})
        return replace(case, obj=obj)
    if way == "time-dependent":
        times = obj.sizes.get("time", source.pick((1, 2)))
        obj = obj.assign_coords({name: obj[name].expand_dims(time=times) for name in (first, second)})
        return replace(case, obj=obj)
    if way == "nominal axes" and mesh.latitude.ndim == 2:
        axes = ((style.dims[0], "latitude", "degrees_north"), (style.dims[1], "longitude", "degrees_east"))
        word = source.pick(("nominal {}", "fake {}", "{} index", "{}"))
        for dim, kind, units in axes:
            size = obj.sizes[dim]
            centres = mesh.latitude.mean(axis=1) if kind == "latitude" else mesh.longitude.mean(axis=0)
            values = centres if source.chance(50) and np.all(np.diff(centres) != 0) else np.linspace(-60, 60, size)
            obj = obj.assign_coords({dim: (dim, values, {"long_name": word.format(kind), "units": units})})
        return replace(case, obj=obj)
    return case
