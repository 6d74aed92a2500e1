"""The entry points that run.py feeds: one function each, which draws an input and holds the call to the contract."""

import copy
import inspect
import math
import os
import tempfile
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import xarray as xr
from contract import Refused, attempt, check_close, check_output, right
from inputs import (
    JUNK,
    NO_CHOICE,
    NO_COUNT,
    NO_FLAG,
    NO_INTEGER,
    NO_JOBS,
    NO_NAMES,
    NO_NUMBER,
    NO_POSITIVE,
    NO_SIZE,
    NO_VERBOSE,
    any_cells,
    any_grid,
    any_patches,
    any_points,
    any_stack,
    coordinates,
    lattice,
    targets,
    weights,
)
from readings import cell_conventions, grid_conventions, mesh_conventions, table_conventions
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline, make_union

import skgeo
from skgeo import datasets, encoders, inspection, model_selection, nn
from skgeo.exceptions import ModelFileError

EARTH = 6_371_008.8


class Entry(NamedTuple):
    """An entry point: its name, how much of the inputs it gets, what runs one, the public names that it covers."""

    name: str
    share: float
    run: Any
    covers: tuple


ENTRIES: list[Entry] = []


def entry(name, share, *covers):
    """Register a function of a source as an entry point; ``covers`` are more public names that it feeds."""

    def register(run):
        ENTRIES.append(Entry(name, share, run, (name, *covers)))
        return run

    return register


class Parameter(NamedTuple):
    """Values that are valid, and values that are not."""

    good: tuple
    bad: tuple


FLAG = Parameter((True, False, np.True_), NO_FLAG)
DEGREE = Parameter((1, 2, 3, np.int8(4), np.uint16(2)), NO_COUNT)
JOBS = Parameter((None, 1, 2, -1), NO_JOBS)
VERBOSE = Parameter((None, False), NO_VERBOSE)
NAMES = Parameter((None,), NO_NAMES)
PLACES = {"coordinates": NAMES, "add_indicator": FLAG, "verbose": VERBOSE}
SPECTRUM = Parameter(
    (None, "matern"), (*JUNK, "white", 1.0, [1.0], [1.0, -1.0], [0.0, 0.0], [np.nan, 1.0], "", [None, 1])
)


def parameters(source, spec, *, bad=12):
    """Parameters by their specification, and whether all are valid."""
    chosen, source = {}, source.details()
    spoilt = source.pick(tuple(spec)) if spec and source.chance(bad) else None
    for name, (good, wrong) in spec.items():
        if name == spoilt:
            chosen[name] = source.pick(wrong)
        elif source.chance(40):
            chosen[name] = source.pick(good)
    if chosen:
        source.tell("parameters:", chosen)
    return chosen, spoilt is None


# --- transformers of places

SCALED = {
    "n_scales": Parameter((1, 2, 5, np.int64(3)), NO_COUNT),
    "min_scale": Parameter((0.001, 1, 10.0, np.float32(0.1)), NO_POSITIVE),
    "max_scale": Parameter((10.0, 360, 1e6), (*NO_NUMBER, 1e-6)),
    "units": Parameter(("degrees", "radians"), (*NO_CHOICE, None)),
    "periodic": FLAG,
}
MISSING = ("error", "nan")
TRANSFORMERS = {
    "SphericalHarmonicPCA": (
        skgeo.SphericalHarmonicPCA,
        {
            "max_degree": DEGREE,
            "n_components": Parameter(
                (None, 1, 3, 0.5, 0.999, "shannon"), (*JUNK, 0, -1, 1.0, 0.0, 1.5, True, 10**6, "all")
            ),
            "spectrum": SPECTRUM,
            "clip": Parameter((None, 3.0, 0.5, 1e-3, 1e6), (*JUNK, "3", 0, -1.0)),
            "area_weighted": FLAG,
            "n_jobs": JOBS,
            "missing": Parameter((*MISSING, "mean"), (*NO_CHOICE, None)),
        },
    ),
    "encoders.SphericalHarmonics": (
        encoders.SphericalHarmonics,
        {
            "max_degree": Parameter((2, 3, 5), NO_COUNT),
            "min_degree": Parameter((0, 1, 2), (*NO_INTEGER, 99)),
            "spectrum": SPECTRUM,
            "n_jobs": JOBS,
        },
    ),
    "encoders.Cartesian3DEncoder": (encoders.Cartesian3DEncoder, {}),
    "encoders.DirectEncoder": (encoders.DirectEncoder, {}),
    "encoders.WrapEncoder": (encoders.WrapEncoder, {}),
    "encoders.GridEncoder": (encoders.GridEncoder, SCALED),
    "encoders.TheoryEncoder": (encoders.TheoryEncoder, SCALED),
    "encoders.RadialBasisEncoder": (
        encoders.RadialBasisEncoder,
        {"spacing_km": Parameter((1000, 3e3, 1e6), (*JUNK, 0, -1.0, 1e-2))},
    ),
    "encoders.RandomFourierEncoder": (
        encoders.RandomFourierEncoder,
        {
            "n_components": Parameter((2, 4, 10), NO_COUNT),
            "length_scale_km": Parameter((1.0, 500, 1e5), (*JUNK, 0, -1.0)),
            "smoothness": Parameter((0.5, 3, math.inf), (*JUNK, 0, -1.0)),
            "random_state": Parameter((0, 7), ("a", 1.5)),
        },
    ),
    "encoders.SphereCEncoder": (encoders.SphereCEncoder, SCALED | {"plus": FLAG}),
    "encoders.SphereMEncoder": (encoders.SphereMEncoder, SCALED | {"plus": FLAG}),
}


def location_transformer(cls, own, source):
    """Parameters of some kind, points of some kind, one of the methods."""
    spec = PLACES | {"missing": Parameter(MISSING, (*NO_CHOICE, None, "mean"))} | own
    chosen, fine = parameters(source, spec)
    learns = cls is skgeo.SphericalHarmonicPCA
    if fine and not 0 <= chosen.get("min_degree", 0) <= chosen.get("max_degree", 10):
        fine = False
    if (
        fine
        and isinstance(chosen.get("n_components"), int)
        and chosen["n_components"] > 3
        and chosen.get("max_degree", 3) < 2
    ):
        fine = False
    if fine and chosen.get("min_scale", 10.0) > chosen.get("max_scale", 360.0):
        fine = False
    if fine and learns:
        chosen = {"max_degree": 3} | chosen  # that of ten takes its time
    if cls is encoders.RandomFourierEncoder:
        chosen = {"random_state": 0} | chosen  # two fits are compared
    model = cls(**chosen)
    if not fine:
        source.tell("fit, bad parameter")
        attempt(lambda: model.fit(lattice(20)), False, owner=model)
        return
    method = source.pick(
        ("transform", "transform", "fit", "fit_transform", "before fit", "grid", "inverse", "torch", "names")
    )
    source.tell("method:", method)
    policy = chosen.get("missing", "error")
    if method == "before fit":
        attempt(lambda: model.transform(lattice(3)), False, owner=model)
        attempt(model.get_feature_names_out, False, owner=model)
        return
    if method == "grid":
        _transform_grid(model, source)
        return
    if method == "inverse":
        _invert(model, source)
        return
    if method == "torch":
        _twin(model, source)
        return
    if method == "names":
        _names(model, source)
        return
    given = any_points(source, spread=learns, lazy=method != "fit_transform")
    valid = given.valid
    if given.what == "NaN" and policy != "error":
        valid = True
    elif valid is False and given.what in ("masked values", "missing in a frame", "all masked") and policy != "error":
        valid = None
    if given.names is not None:
        model.set_params(coordinates=given.names)
    if method == "transform":
        model.fit(lattice(40))
        values = attempt(lambda: _computed(model.transform(given.X)), valid, owner=model)
        reference = model
    else:
        options, weighty = {}, True
        if learns and given.plain is not None and source.chance(40):
            options["sample_weight"], weighty = weights(source, len(given.plain))
            valid = _all((valid, weighty))
        if given.valid is True and given.lazy and valid is not True and method == "fit":
            valid = None  # values of chunks are not looked at before they are computed
        if given.lazy and not learns and given.valid is False:
            valid = None
        if learns and given.valid is not True:
            valid = False if valid is False else None
        if learns and method == "fit" and source.chance(30):
            model.partial_fit(lattice(10))
            fitted = attempt(
                lambda: model.partial_fit(given.X, **options),
                None if valid is False and weighty is False else valid,
                owner=model,
            )
            values = Refused if fitted is Refused else _computed(model.transform(given.X))
            right(values is Refused or np.isfinite(values[~given.missing]).all(), "not finite after partial_fit")
            return
        if method == "fit":
            fitted = attempt(lambda: model.fit(given.X, **options), valid, owner=model)
            if fitted is Refused:
                return
            right(fitted is model, "fit does not return self")
            values = attempt(lambda: _computed(model.transform(given.X)), valid)
        else:
            values = attempt(lambda: model.fit_transform(given.X, **options), valid, owner=model)
        if values is Refused or given.plain is None:
            return
        plain = {"sample_weight": np.asarray(options["sample_weight"], float)} if options else {}
        reference = clone(model).fit(given.plain, **plain)  # arrays are read in the order of a frame fitted before
    if values is Refused or given.plain is None:
        return
    names = model.get_feature_names_out()
    single = given.single
    missing = given.missing
    check_output(
        values, rows=len(given.plain), columns=len(names), single=single, missing=missing if policy == "nan" else None
    )
    if model.add_indicator:
        right((values[:, -1] == missing).all(), "the indicator is wrong", values[:, -1])
    expected = reference.transform(given.plain)
    check_close(values, expected, tolerance=2e-6 if single else 2e-6 if learns and method != "transform" else 1e-12)
    if policy == "mean":
        right(not values[missing][:, : len(names) - model.add_indicator].any(), "missing rows are not zero", values)
    if policy == "nan" and not learns:
        right(np.isnan(values[missing][:, 0]).all(), "missing rows are not NaN", values)
    turned = given.plain - [0.0, 360.0]
    if np.abs(given.plain[~missing, 1]).max(initial=0.0) < 720 and "Encoder" not in type(model).__name__:
        check_close(reference.transform(turned), expected, tolerance=1e-9)


def _computed(values):
    values = values.compute() if hasattr(values, "dask") else values
    return values.to_numpy() if hasattr(values, "to_numpy") else values


def _transform_grid(model, source):
    """Grids are their points, whatever their mask."""
    grid = _make_grid(source)
    if grid is Refused:
        return
    grid, expectation = grid
    model.fit(lattice(40))
    values = attempt(lambda: _computed(model.transform(grid)), True, owner=model)
    points = _computed(grid.points())
    rows = int(np.prod(grid.shape))
    missing = np.isnan(points).any(axis=1)
    single = grid.dtype == np.float32
    check_output(
        values,
        rows=rows,
        columns=len(model.get_feature_names_out()),
        single=single,
        missing=missing if model.missing != "mean" else None,
    )
    if expectation and not single:
        centres = np.stack(np.meshgrid(*expectation, indexing="ij"), axis=-1).reshape(-1, 2)
        check_close(points, centres, tolerance=1e-12)
    if not single and not missing.any():
        small = model.get_params().get("min_scale", 10.0) < 1
        check_close(values, model.transform(np.array(points)), tolerance=1e-6 if small else 1e-9)
    if isinstance(model, skgeo.SphericalHarmonicPCA):
        fitted = attempt(lambda: clone(model).fit(grid), None)
        if fitted is not Refused:
            right(np.isfinite(fitted.components_).all(), "components are not finite")


def _make_grid(source):
    """A grid of either kind, or one from xarray, and its axes."""
    if source.chance(60):
        given = any_grid(source)
        if source.chance(30) and given.valid is True and "latitude_bounds" not in given.arguments:
            grid = attempt(lambda: skgeo.LatLonGrid.from_xarray(*_dataset(source, given)), True)
        else:
            grid = attempt(lambda: skgeo.LatLonGrid(**given.arguments), given.valid)
        if grid is Refused:
            return Refused
        return grid, None if given.valid is None or given.single else (given.latitude, given.longitude)
    given = any_cells(source)
    grid = attempt(lambda: skgeo.CellGrid(**given.arguments), given.valid)
    return Refused if grid is Refused else (grid, None)


def _dataset(source, given):
    """The grid as an xarray object, and its mask."""
    attributes = source.pick(
        (
            {},
            {"standard_name": ("latitude", "longitude")},
            {"units": ("degrees_north", "degrees_east")},
            {"axis": ("Y", "X")},
        )
    )
    names = ("lat", "lon") if not attributes or "axis" in attributes else ("a", "b")
    axes = {}
    for i, name in enumerate(names):
        values = (given.latitude, given.longitude)[i]
        axes[name] = (name, np.asarray(values), {key: value[i] for key, value in attributes.items()})
    shape = (given.latitude.size, given.longitude.size)
    field = xr.DataArray(np.ones(shape), axes, names, name="t")
    mask = source.pick((None, "valid", "given"))
    source.tell("from_xarray", names, attributes, mask)
    if source.chance(30):
        field = field.transpose()
    if source.chance(30):
        field = field.expand_dims(time=2)
    obj = field if source.chance(50) else field.to_dataset()
    if mask == "given":
        mask = xr.DataArray(np.ones(shape[::-1]), dims=names[::-1]) if shape[0] != shape[1] else np.ones(shape)
    return obj, mask


def _names(model, source):
    """Feature names: as many as columns, and input features are checked."""
    model.fit(lattice(20))
    asked = source.pick((None, ["lat", "lon"], ["a"], ["a", "b", "c"], np.array(["x", "y"], object)))
    names = attempt(lambda: model.get_feature_names_out(asked), asked is None or len(asked) == 2)
    if names is not Refused:
        right(len(set(names)) == len(names) == model.transform(lattice(2)).shape[1], "names are not unique", names)


#: What an embedding may be handed back as.
EMBEDDINGS = {
    "own": lambda t, s: t,
    "f4": lambda t, s: t.astype("f4"),
    "list": lambda t, s: t.tolist(),
    "NaN": lambda t, s: np.where(np.eye(*t.shape), np.nan, t),
    "infinite": lambda t, s: np.where(np.eye(*t.shape), np.inf, t),
    "columns": lambda t, s: np.column_stack([t, t]),
    "flat": lambda t, s: t[0],
    "empty": lambda t, s: t[:0],
    "text": lambda t, s: np.full(t.shape, "a"),
    "huge": lambda t, s: t * s.pick((1e300, 1e150, 1e20)),
    "zeros": lambda t, s: 0 * t,
    "None": lambda t, s: None,
    "random": lambda t, s: s.rng().normal(size=t.shape),
}


def _invert(model, source):
    """The way back, where there is one."""
    if not hasattr(model, "inverse_transform"):
        return
    model.fit(lattice(60))
    places = coordinates(source, huge=False)[:3]
    table = model.transform(places)
    kind = source.pick(("own", *EMBEDDINGS))
    source.tell("inverse of", kind)
    X = EMBEDDINGS[kind](table, source)
    valid = True if kind in ("own", "f4", "list") else None if kind in ("huge", "random", "zeros") else False
    if kind == "NaN":
        valid = model.missing != "error"
    found = attempt(lambda: model.inverse_transform(X), valid, owner=model)
    if found is Refused:
        return
    right(found.shape == (len(table), 2), f"places have shape {found.shape}")
    known = np.isfinite(found).all(axis=1)
    right((np.abs(found[known, 0]) <= 90.0).all() and (np.abs(found[known, 1]) <= 180.0).all(), "no places", found)
    full = model.get_params().get("n_components") is None and model.get_params().get("clip", None) is None
    if kind == "own" and full and model.get_params().get("min_degree", 0) <= 1:
        off = np.abs(_vectors(found) - _vectors(places)).max()
        right(off < 1e-9, "not the places that were transformed", found, places)


def _vectors(points):
    latitude, longitude = np.radians(np.asarray(points, float)).T
    return np.column_stack(
        [np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)]
    )


def _twin(model, source):
    """The torch module gives what transform gives."""
    model.fit(lattice(40))
    valid = model.missing != "mean" and not model.add_indicator
    twin = attempt(model.to_torch, valid, owner=model)
    if twin is not Refused:
        points = coordinates(source, huge=False)
        small = model.get_params().get("min_scale", 10.0) < 1
        check_close(
            twin(torch.tensor(points)).detach().numpy(), model.transform(points), tolerance=1e-4 if small else 1e-7
        )
        attempt(lambda: twin(torch.zeros(source.pick(((), (3,), (2, 3), (4, 1))))), False)


for _name, (_cls, _spec) in TRANSFORMERS.items():
    entry(_name, 6.0 if "Harmonic" in _name else 9.0)(partial(location_transformer, _cls, _spec))


# --- patches


@entry("PatchScaleFeaturizer", 10.0)
def patch_scale(source):
    chosen, fine = parameters(
        source, {"earth_radius": Parameter((1.0, EARTH, 10, np.float32(3)), (*NO_POSITIVE, 1e-300, 1e300)), "log": FLAG}
    )
    model = skgeo.PatchScaleFeaturizer(**chosen)
    if not fine:
        attempt(lambda: model.fit([[0, 1, 0, 1, 1, 1]]), False, owner=model)
        return
    given = any_stack(source) if source.chance(25) else any_patches(source, most_pixels=source.pick((1, 12, 2**31 - 1)))
    values = _patch_output(model, given, source)
    if values is not Refused and given.plain is not None and given.valid is True:
        expected = clone(model).fit_transform(given.plain)
        check_close(values, expected, tolerance=2e-6 if given.single else 1e-12)
        if given.plain.ndim == 2:
            far = (
                90.0 - np.abs(given.plain[:, :2].mean(axis=1)) > 1e-3
            )  # nearer a pole edges are rounded to too few digits
            check_close(expected[far], _descriptors(given.plain, model)[far], tolerance=1e-9)


def _patch_output(model, given, source, *, fit=False):
    """The output of fit and transform, checked for what it always is; or of transform after another fit."""
    if fit or source.chance(50):
        if given.lazy:
            values = attempt(lambda: model.fit(given.X).transform(given.X).compute(), given.valid)
        else:
            values = attempt(lambda: model.fit_transform(given.X), given.valid)
    else:
        model.fit([[0, 30, 0, 40, 2, 3], [-60, -30, 100, 140, 2, 3]])
        values = attempt(lambda: _computed(model.transform(given.X)), given.valid, owner=model)
    if values is not Refused:
        rows = len(values) if given.plain is None else len(given.plain)
        check_output(values, rows=rows, columns=len(model.get_feature_names_out()), single=given.single)
    return values


def _descriptors(table, model):
    """The descriptors by the formulas of the reference, in extended precision."""
    south, north, west, east, n_lat, n_lon = table.T.astype(np.longdouble)
    east = np.where(east < west, east + 360 * np.ceil((west - east) / 360), east)
    width, radius = np.radians(np.minimum(east - west, 360)), np.longdouble(float(model.earth_radius))
    lon, lat = radius * width * np.cos(np.radians((south + north) / 2)), radius * np.radians(north - south)
    area = radius**2 * width * 2 * np.sin(np.radians(north - south) / 2) * np.cos(np.radians((south + north) / 2))
    columns = [lon, lat, area, lon / lat, lon / n_lon, lat / n_lat, np.sqrt(lon / n_lon * lat / n_lat)]
    columns += [(lon / n_lon) / (lat / n_lat), np.pi * radius / lon, np.pi * radius / lat]
    values = np.column_stack(columns)
    return (np.log(values) if model.log else values).astype(float)


@entry("PatchPositionEncoder", 5.0)
def patch_position(source):
    basis = _basis()
    makers = (
        lambda: None,
        lambda: skgeo.SphericalHarmonicPCA(2),
        lambda: FrozenEstimator(basis),
        lambda: FrozenEstimator(skgeo.SphericalHarmonicPCA(2, 3, clip=None, add_indicator=True).fit(lattice(50))),
        lambda: encoders.SphericalHarmonics(3),
        lambda: encoders.WrapEncoder(),
        lambda: encoders.GridEncoder(2),
        lambda: skgeo.SphericalHarmonicPCA(2, area_weighted=False),
    )
    which = source.integer(1, len(makers) - 1) if source.chance(95) else 0
    encoder = makers[which]()
    bad = {
        "encoder": Parameter((encoder,), (*JUNK[:8], 5, "wrap", encoders.WrapEncoder, Ridge())),
        "average": Parameter(("pixels", "exact"), (*NO_CHOICE, None)),
        "grid": Parameter((None,), (*JUNK[:8], 5, "sea")),
        "verbose": VERBOSE,
    }
    chosen, fine = parameters(source, bad)
    model = skgeo.PatchPositionEncoder(**{"encoder": encoder} | chosen)
    source.tell("encoder:", model.encoder)
    if not fine:
        attempt(lambda: model.fit([[0, 10, 0, 20, 2, 2]]), False, owner=model)
        return
    given = any_stack(source) if source.chance(25) else any_patches(source)
    exact = model.average == "exact"
    if exact and (given.what.startswith("stack") or which in (5, 6)):
        given = given._replace(valid=False)
    elif which not in (2, 3) and given.valid is True:
        given = given._replace(valid=None)  # what is narrow has too few components to be fitted on
    if exact and which in (5, 6):
        attempt(lambda: model.fit(given.X), False, owner=model)
        return
    values = _patch_output(model, given, source, fit=which not in (2, 3))
    if which in (2, 3) and given.valid is True and values is not Refused:
        check_close(values, _nameless(model).transform(given.plain), tolerance=2e-6 if given.single else 1e-9)


def _nameless(model):
    """A copy that does not know the columns of the frame it was fitted on, in whose order it would read arrays."""
    model = copy.deepcopy(model)
    vars(model).pop("feature_names_in_", None)
    return model


@cache
def _basis():
    return skgeo.SphericalHarmonicPCA(3).fit(lattice(60))


# --- grids


@entry("LatLonGrid", 8.0, "GridReport")
def lat_lon_grid(source):
    given = any_grid(source)
    grid = attempt(lambda: skgeo.LatLonGrid(**given.arguments), given.valid)
    if grid is Refused:
        return
    areas = attempt(lambda: grid.cell_areas(), True)
    right(np.isfinite(areas).all() and (areas >= 0).all(), "areas are not finite", areas)
    if source.chance(10):
        radius = source.pick((1.0, np.float32(3.3), np.int8(100), *NO_POSITIVE))
        good = isinstance(radius, float | np.float32 | np.int8) and 0 < radius < np.inf
        scaled = attempt(lambda: grid.cell_areas(radius), good and radius > 1e-100)
        right(scaled is Refused or np.allclose(scaled, areas * (float(radius) / EARTH) ** 2, rtol=1e-12), "other areas")
    right(areas.sum() <= 4 * np.pi * EARTH**2 * (1 + 1e-9), "more area than the Earth has", areas.sum())
    attempt(lambda: repr(grid), True)
    if given.valid is True:
        right(len(grid.points()) == areas.size, "points are missing")
        check_close(grid.latitude, given.latitude, tolerance=1e-4 if given.single else 0)
        edges = grid.latitude_edges
        height = np.sin(np.radians(edges[:, 1])) - np.sin(np.radians(edges[:, 0]))
        width = np.radians(grid.longitude_edges[:, 1] - grid.longitude_edges[:, 0])
        check_close(areas / EARTH**2, np.outer(height, width), tolerance=1e-12)
        right(((edges[:, 0] <= grid.latitude) & (grid.latitude <= edges[:, 1])).all(), "centres are outside", edges)
    _cut(source, grid)


def _cut(source, grid):
    """Patches of a grid, which patch transformers take."""
    sizes, no_sizes = (1, 2, (1, 2), [2, 1], np.array([1, 1]), np.int8(1)), (*NO_SIZE, (1, 2, 3), (0, 1))
    spec = {
        "patch_size": Parameter(sizes, (*no_sizes, None)),
        "stride": Parameter((None, *sizes), no_sizes),
        "min_fraction": Parameter((0.0, 0.5, 1, np.float32(0.1)), (*NO_NUMBER, 1.5)),
        "return_index": FLAG,
    }
    if isinstance(grid, skgeo.LatLonGrid):
        spec |= {"partial": FLAG, "as_frame": FLAG}
    chosen, fine = parameters(source, spec)
    chosen = {"patch_size": 1} | chosen
    if not fine:
        attempt(lambda: grid.patches(**chosen), False)
        return
    large = len(grid.shape) < 2 or (np.broadcast_to(chosen["patch_size"], 2) > grid.shape).any()
    kept = grid.mask is None and not grid.chunked and np.isfinite(grid.points()).all()
    patches = attempt(lambda: grid.patches(**chosen), False if large else True if kept else None)
    if patches is Refused:
        return
    if chosen.get("return_index", False):
        patches, index = patches
        right(len(index) == len(patches) > 0, "index and patches differ in length")
    values = attempt(lambda: skgeo.PatchScaleFeaturizer().fit_transform(patches), None)
    right(values is Refused or np.isfinite(values).all(), "descriptors are not finite")
    options = {name: chosen[name] for name in ("patch_size", "stride", "partial", "min_fraction") if name in chosen}
    field = source.rng().random((2, *grid.shape))
    values = attempt(lambda: grid.patch_values(field, **options), True)
    right(values.shape[:2] == (2, len(patches)), "values and patches differ in length")
    back = attempt(lambda: grid.from_patches(values, **options), True)
    known = np.isfinite(back)
    right(known[0].any(), "nothing came back")
    check_close(back[known], field[known], tolerance=1e-12)


@entry("nn.PatchDataset", 1.0)
def patch_dataset(source):
    """Samples of patches and windows of a field, with parameters of all kinds."""
    grid = skgeo.LatLonGrid(np.linspace(-40, 40, 5), np.linspace(0, 300, 6))
    sizes, no_sizes = (1, 2, (1, 2)), (*NO_SIZE, (1, 2, 3), (0, 1))
    spec = {
        "patch_size": Parameter(sizes, (*no_sizes, None)),
        "stride": Parameter((None, *sizes), no_sizes),
        "window": Parameter((None, 1, (2, 2)), no_sizes),
        "fill_value": Parameter((0.0, -1, np.float32(3)), (*NO_NUMBER, np.nan)),
        "partial": FLAG,
        "features": Parameter((None,), (np.ones((1, 1, 1)), np.ones(3), object())),
        "channel_dim": Parameter((None,), ("level", 5)),
    }
    chosen, fine = parameters(source, spec)
    chosen = {"patch_size": 1} | chosen
    if chosen.get("window") is not None:
        chosen["window_stride"] = source.pick((None, 1, (1, 2)))
    field = source.pick((np.ones((3, 2, 5, 6)), np.ones((3, 5, 6)), np.ones((5, 6)), np.ones((6, 5)), np.ones(30), "a"))
    good = isinstance(field, np.ndarray) and field.shape[-2:] == grid.shape
    dataset = attempt(lambda: nn.PatchDataset(field, grid=grid, **chosen), fine and good)
    if dataset is not Refused and len(dataset):
        sample = attempt(lambda: dataset[len(dataset) - 1], True)
        right(bool(torch.isfinite(sample["values"]).all()), "values are not finite")


@entry("CellGrid", 6.0)
def cell_grid(source):
    given = any_cells(source)
    grid = attempt(lambda: skgeo.CellGrid(**given.arguments), given.valid)
    if grid is Refused:
        return
    attempt(lambda: repr(grid), True)
    areas = attempt(lambda: _computed(grid.cell_areas()), None)
    if areas is not Refused:
        right(np.isfinite(areas).all() and (areas >= 0).all(), "areas are not finite", areas)
    points = attempt(lambda: _computed(grid.points()), True)
    right(points.shape == (int(np.prod(grid.shape)), 2), "points are missing")
    _cut(source, grid)


SPOILT_FIELDS = {
    "no names": lambda field: field.rename(lat="a", lon="b"),
    "radians": lambda field: field.assign_coords(lat=field.lat.assign_attrs(units="radians")),
    "rotated": lambda field: field.rename(lat="rlat", lon="rlon"),
    "two latitudes": lambda field: field.assign_coords(latitude=("lat", field.lat.values)),
    "scalar": lambda field: field.isel(lat=0),
    "2-D": lambda field: xr.DataArray(
        np.ones((2, 2)), dict.fromkeys(("lat", "lon"), (("y", "x"), np.eye(2))), ("y", "x")
    ),
    "NaN": lambda field: field.assign_coords(lat=field.lat.where(field.lat <= 10).values),
}


@entry("from_xarray", 4.0)
def from_xarray(source):
    """Objects with all that can be wrong with coordinates and masks."""
    given = any_grid(source)
    kind = source.pick(("good", "good", "cells", "mask", "what", *SPOILT_FIELDS))
    source.tell(kind)
    if kind == "what":
        bad = source.pick((None, 5, "a", np.ones((2, 2)), lattice(3), {}, object(), xr.DataTree()))
        method = source.pick((skgeo.LatLonGrid, skgeo.CellGrid)).from_xarray
        attempt(lambda: method(bad), False)
        return
    latitude, longitude = np.linspace(-40, 40, 5), np.linspace(0, 90, 4)
    field = xr.DataArray(source.rng().random((5, 4)), {"lat": latitude, "lon": longitude}, ("lat", "lon"), name="t")
    if kind == "good":
        if given.valid is True:
            grid = attempt(lambda: skgeo.LatLonGrid.from_xarray(*_dataset(source, given)), True)
            check_close(grid.latitude, given.latitude, tolerance=1e-4 if given.single else 0)
        return
    if kind == "cells":
        cells = any_cells(source)
        if cells.valid is not True or np.ndim(cells.arguments["latitude"]) != 2:
            return
        axes = [np.asarray(cells.arguments[name]) for name in ("latitude", "longitude")]
        obj = xr.Dataset(coords={"lat": (("y", "x"), axes[0]), "lon": (("y", "x"), axes[1])})
        grid = attempt(lambda: skgeo.CellGrid.from_xarray(obj), True)
        right(grid.shape == axes[0].shape, "another shape")
        return
    if kind == "mask":
        mask = source.pick(
            (
                "valid",
                "other",
                5,
                [],
                np.ones((4, 5)),
                np.zeros((5, 4)),
                field > 2,
                xr.Dataset(),
                field.isel(lat=slice(3)),
                "t",
                "",
                field.rename("m").assign_coords(lat=latitude + 1),
                np.full((5, 4), "a"),
                field.expand_dims(time=3) > 0.5,
                object(),
                b"",
            )
        )
        given_valid = isinstance(mask, str) and mask == "valid"
        obj = source.pick((field, field.to_dataset()))
        attempt(
            lambda: skgeo.LatLonGrid.from_xarray(obj, mask),
            given_valid or (None if isinstance(mask, str) and mask == "t" else False),
        )
        return
    bad = SPOILT_FIELDS[kind](field)
    if source.chance(50):
        attempt(lambda: skgeo.LatLonGrid.from_xarray(bad), None if kind == "two latitudes" else False)
    else:
        attempt(lambda: skgeo.SphericalHarmonicPCA(2).fit(bad), None if kind in ("2-D", "two latitudes") else False)


entry("grid conventions", 6.0)(grid_conventions)
entry("cell conventions", 6.0)(cell_conventions)
entry("mesh conventions", 4.0)(mesh_conventions)
entry("table conventions", 4.0)(table_conventions)


# --- models

#: Good but for squares that overflow or underflow.
EXTREME = (1e-300, 1e300, 10**150, 1e-160, 1e-100, 1e100, 1e-6, 1e6, 1e-3, 1e3)
# A hyperparameter is a positive number, or None: to be found.
FREE_JUNK = (*JUNK, "1", True, float("inf"), -1.0, 10**400, -1e-300)
GP = {
    "max_degree": Parameter((1, 3, 5, np.int8(4)), NO_COUNT),
    "variance": Parameter((1.0, 0.1, 5, None), FREE_JUNK),
    "method": Parameter(("auto", "exact", "neighbours", "harmonics"), (*JUNK, "kriging", None)),
    "length_scale_km": Parameter((2000.0, 7000, 500.0, None), FREE_JUNK),
    "smoothness": Parameter((0.5, 1.5, 2, None), FREE_JUNK),
    "noise": Parameter((0.1, 1, 0.01, None), FREE_JUNK),
    "n_neighbors": Parameter((1, 3, 20), NO_COUNT),
    "normalize_y": FLAG,
    "mean": Parameter(("constant",), (*JUNK, "quadratic", None)),
    "n_jobs": JOBS,
    "verbose": VERBOSE,
    "coordinates": NAMES,
}


@entry("SphericalGaussianProcessRegressor", 4.0)
def gaussian_process(source):
    chosen, fine = parameters(source, GP)
    extreme = fine and source.chance(8)
    if extreme:
        name = source.pick(("variance", "length_scale_km", "smoothness", "noise"))
        chosen |= {name: source.pick(EXTREME)}
        source.tell(chosen)
    # Most models have their hyperparameters: to find them takes a hundred times as long.
    given = {} if source.chance(20) else {"variance": 1.0, "length_scale_km": 2000.0, "smoothness": 1.5, "noise": 0.1}
    model = skgeo.SphericalGaussianProcessRegressor(**{"max_degree": 4} | given | chosen)
    if not fine:
        attempt(lambda: model.fit(lattice(20), np.arange(20.0)), False, owner=model)
        return
    given, y, options, valid = _samples(source, model, targets, least=3, weighted=40)
    if valid is True and (model.noise is None or model.noise < 0.1 or extreme):
        valid = None
    source.tell("fit", valid)
    if source.chance(20) and given.valid is not None and not extreme:
        model.fit(lattice(9), np.arange(9.0))
        fitted = attempt(
            lambda: model.partial_fit(given.X, y, **options), None if valid is True else valid, owner=model
        )
    else:
        fitted = attempt(lambda: model.fit(given.X, y, **options), valid, owner=model)
    if fitted is Refused:
        return
    where, mean = _asked(source, model, partial(model.predict, return_std=True))
    if mean is Refused:
        return
    for values in mean:
        right(len(values) == len(where.plain) and np.isfinite(values).all(), "not finite", values)
    right((mean[1] >= 0).all(), "negative deviations", mean[1])
    expected = _nameless(model).predict(where.plain)
    scale = max(1.0, float(np.max(model.target_scale_)), float(np.abs(model.target_mean_).max()))
    check_close(mean[0] / scale, expected / scale, tolerance=1e-9)
    kind = source.integer(0, 3)
    if kind == 0:
        drawn = attempt(lambda: model.sample_y(where.X, source.pick((1, 2)), 0), True)
        right(np.isfinite(drawn).all(), "samples are not finite")
    elif kind == 1:
        bad = source.pick((*NO_COUNT,))
        attempt(lambda: model.sample_y(lattice(2), bad), False)
    elif kind == 2:
        theta = source.pick(
            (
                None,
                [0.0],
                np.zeros(99),
                "a",
                np.full(model.theta_.shape, np.nan),
                np.full(model.theta_.shape, 1e4),
                np.array(model.theta_),
            )
        )
        found = attempt(lambda: model.log_marginal_likelihood(theta), None)
        right(found is Refused or np.isfinite(found), "the likelihood is not finite", found)


def _all(truths):
    return False if any(truth is False for truth in truths) else None if None in truths else True


def _samples(source, model, make, *, least, weighted=0):
    """Places, what ``make`` gives to learn from, sometimes weights, and whether all are valid."""
    given = any_points(source, least=least)
    rows = 8 if given.plain is None else len(given.plain)
    y, known = make(source, rows)
    options, weighty = {}, True
    if source.chance(weighted):
        options["sample_weight"], weighty = weights(source, rows)
    model.set_params(coordinates=given.names)
    return given, y, options, _all((given.valid, known, weighty))


def _asked(source, model, method):
    """Other places, and what the model says of them: Refused, too, where it is not known what they are."""
    where = any_points(source)
    model.set_params(coordinates=where.names)
    if not hasattr(where.X, "columns"):  # an array, which the model would read in the order of its frame
        vars(model).pop("feature_names_in_", None)
    found = attempt(lambda: method(where.X), where.valid, owner=model)
    return where, Refused if where.plain is None else found


NEURAL = {
    "learning_rate": Parameter((1e-3, 0.01), NO_POSITIVE),
    "weight_decay": Parameter((0, 0.1), NO_NUMBER),
    "batch_size": Parameter((None, 1, 7), NO_SIZE),
    "max_epochs": Parameter((1, 2), NO_COUNT),
    "patience": Parameter((None, 1), NO_SIZE),
    "validation_fraction": Parameter((0.1, 0.5), (*NO_POSITIVE, 1.0, 2)),
    "keep": Parameter(("best", "last"), (*NO_CHOICE, None)),
    "dtype": Parameter(("float32", "float64"), (*NO_CHOICE, None, "float16")),
    "device": Parameter(("cpu",), (*JUNK[:2], "gpu", "", "quantum")),
    "verbose": VERBOSE,
}
LOCATION = {
    "encoder": Parameter(
        ("direct", "wrap", encoders.SphericalHarmonics(2), encoders.GridEncoder(2)), (*JUNK, "other", None, 5, Ridge())
    ),
    "network": Parameter(("linear", "mlp", "siren", "fcnet"), (*JUNK[:5], "other", None, 5, np.array([1.0]))),
    "hidden_dim": Parameter((4, 8), NO_SIZE),
    "n_layers": Parameter((1, 2), NO_SIZE),
    "dropout": Parameter((0.0, 0.5), (*JUNK, 1.0, -0.1, "0", True)),
    "coordinates": NAMES,
}


def location_model(cls, source):
    """A model that trains a network on places."""
    chosen, fine = parameters(source, NEURAL | LOCATION)
    settings = {"encoder": "wrap", "network": "linear", "max_epochs": 1, "random_state": 0} | chosen
    if not fine and settings["network"] == "linear" and {"hidden_dim", "n_layers", "dropout"} & set(chosen):
        settings["network"] = "mlp"
    model = cls(**settings)
    classes = "Classifier" in cls.__name__
    if not fine:
        attempt(lambda: model.fit(lattice(20), np.arange(20) % 2), False, owner=model)
        return
    given, y, options, valid = _samples(source, model, partial(targets, classes=classes), least=5, weighted=30)
    valid = None if valid is True and (classes or options) else valid  # classes that are held out, or weigh nothing
    fitted = attempt(lambda: model.fit(given.X, y, **options), valid, owner=model)
    if fitted is Refused:
        return
    where, found = _asked(source, model, model.predict)
    if found is Refused:
        return
    right(len(found) == len(where.plain), "predictions are missing")
    right(classes or np.isfinite(found).all(), "predictions are not finite", found)
    if classes:
        shares = model.predict_proba(where.X)
        right(np.isfinite(shares).all() and np.allclose(shares.sum(axis=1), 1.0), "no probabilities", shares)


entry("nn.LocationClassifier", 0.5)(partial(location_model, nn.LocationClassifier))
entry("nn.LocationRegressor", 0.5)(partial(location_model, nn.LocationRegressor))
# Another model of places is one more line like these: entry("nn.Name", 0.5)(partial(location_model, nn.Name)).


PRESENCE_ONLY = {
    "loss": Parameter(("full", "ssdl", "maxent", "poisson"), (*NO_CHOICE, None)),
    "positive_weight": Parameter((None, 2, 30.0), NO_POSITIVE),
    "background": Parameter(("uniform", "records"), (*JUNK[:3], "sea", None, 5)),
    "n_background": Parameter((5, 20), NO_COUNT),
    "class_weight": Parameter((None, "balanced"), (*JUNK[:3], "even", 5)),
    "covariates": Parameter((False,), NO_FLAG),
}


@entry("nn.PresenceOnlyClassifier", 0.5)
def presence_only(source):
    """Records of species, and their ranges elsewhere."""
    chosen, fine = parameters(source, NEURAL | LOCATION | PRESENCE_ONLY)
    settings = {"encoder": "wrap", "network": "linear", "max_epochs": 1, "random_state": 0, "n_background": 20} | chosen
    if not fine and settings["network"] == "linear" and {"hidden_dim", "n_layers", "dropout"} & set(chosen):
        settings["network"] = "mlp"
    model = nn.PresenceOnlyClassifier(**settings)
    if not fine:
        attempt(lambda: model.fit(lattice(20), np.arange(20) % 2), False, owner=model)
        return
    given, y, options, valid = _samples(source, model, partial(targets, classes=True), least=5, weighted=30)
    fitted = attempt(lambda: model.fit(given.X, y, **options), None if valid is True else valid, owner=model)
    if fitted is Refused:
        return
    where, shares = _asked(source, model, model.predict_proba)
    if shares is Refused:
        return
    right(shares.shape == (len(where.plain), len(model.classes_)), "predictions are missing")
    right(bool(((shares >= 0.0) & (shares <= 1.0)).all()), "no probabilities", shares)


@entry("LocationPriorClassifier", 0.3, "combine_with_image_scores")
def location_prior(source):
    """Image probabilities and a prior of places."""
    rng = np.random.default_rng(0)
    spec = {
        "temperature": Parameter(("fit", 1.0, 2), (*NO_POSITIVE[:4], "best")),
        "prior_weight": Parameter((1.0, "fit", 0.5), (*JUNK[:3], "best", -1)),
        "class_prior": Parameter(("flat", "empirical", [1.0, 2.0]), ("even", [1.0], [0.0, 1.0], [np.nan, 1.0])),
    }
    chosen, fine = parameters(source, spec)
    X, y = np.column_stack([lattice(30), rng.dirichlet(np.ones(2), 30)]), np.arange(30) % 2
    model = skgeo.LocationPriorClassifier(LogisticRegression(), **chosen)
    if attempt(lambda: model.fit(X, y), fine, owner=model) is Refused:
        return
    shares = model.predict_proba(X)
    right(np.isfinite(shares).all() and np.allclose(shares.sum(axis=1), 1.0), "no probabilities", shares)


PROCESS = {
    "method": Parameter(("auto", "exact", "neighbours"), (*NO_CHOICE, None)),
    "variance": Parameter((None, 1.0, 30), NO_POSITIVE),
    "length_scale_km": Parameter((None, 2000.0, 500), NO_POSITIVE),
    "smoothness": Parameter((None, 0.5, 1.5), NO_POSITIVE),
    "n_neighbors": Parameter((1, 5, 20), NO_COUNT),
    "class_weight": Parameter((None, "balanced"), (*JUNK[:3], "even", 5)),
    "n_jobs": JOBS,
    "verbose": VERBOSE,
    "coordinates": NAMES,
}


@entry("SphericalGaussianProcessClassifier", 1.0)
def gaussian_process_classifier(source):
    """Classes at places, and their probabilities elsewhere."""
    chosen, fine = parameters(source, PROCESS)
    # Most models have their hyperparameters: to find them takes a hundred times as long.
    known = {} if source.chance(10) else {"variance": 10.0, "length_scale_km": 2000.0, "smoothness": 1.5}
    model = skgeo.SphericalGaussianProcessClassifier(**known | chosen)
    if not fine:
        attempt(lambda: model.fit(lattice(20), np.arange(20) % 2), False, owner=model)
        return
    given, y, options, valid = _samples(source, model, partial(targets, classes=True), least=5, weighted=30)
    # Weights may leave one class only.
    fitted = attempt(lambda: model.fit(given.X, y, **options), None if valid is True else valid, owner=model)
    if fitted is Refused:
        return
    where, shares = _asked(source, model, model.predict_proba)
    if shares is Refused:
        return
    right(len(shares) == len(where.plain), "predictions are missing")
    right(np.isfinite(shares).all() and np.allclose(shares.sum(axis=1), 1.0), "no probabilities", shares)


@entry("nn.ContrastiveLocationEncoder", 0.3, "nn.compute_features")
def contrastive(source):
    """Places matched with features, and their embedding."""
    model = nn.ContrastiveLocationEncoder("wrap", "linear", embed_dim=2, max_epochs=1, random_state=0)
    given, features, _, valid = _samples(source, model, _features, least=5)
    fitted = attempt(lambda: model.fit(given.X, features), None if valid is True else valid, owner=model)
    if fitted is not Refused:
        _check_embedding(*_asked(source, model, model.transform), width=2)


#: Features of places: the kinds that are valid, those that may be refused, and those that are not.
FEATURES = {
    "good": lambda t: t,
    "f4": lambda t: t.astype("f4"),
    "NaN": lambda t: np.where(np.arange(len(t))[:, np.newaxis] == 0, np.nan, t),
    "text": lambda t: t.astype(str),
    "infinite": lambda t: np.where(np.arange(len(t))[:, np.newaxis] == 0, np.inf, t),
    "length": lambda t: t[1:],
    "masked": lambda t: np.ma.masked_array(t, True),
    "empty": lambda t: t[:, :0],
    "complex": lambda t: t + 0j,
}


def _features(source, number):
    """Features of so many places, and whether they are valid."""
    kind = source.pick(("good", *FEATURES))
    source.tell("features:", kind)
    table = FEATURES[kind](source.details().rng().standard_normal((number, 3)))
    return table, True if kind in ("good", "f4") else None if kind in ("NaN", "text") else False


def _check_embedding(where, found, *, width):
    if found is not Refused:
        table = np.asarray(found)  # of lazy ones, too
        right(table.shape == (len(where.plain), width), "embeddings are missing")
        right(np.isfinite(table).all(), "embeddings are not finite", table)


@entry("nn.PretrainedEncoder", 1.0, "nn.SatCLIPWeights", "nn.load_satclip", "nn.GeoCLIPWeights", "nn.load_geoclip")
def pretrained(source):
    """The embedding of places by a network of random weights; weights that are none are refused."""
    encoder = nn.PretrainedEncoder(source.pick((_satclip_weights(), _geoclip_weights())))
    _check_embedding(*_asked(source, encoder, lambda X: encoder.fit(X).transform(X)), width=3)
    junk = source.pick((None, 5, "a", {}, {"layers.0.weight": np.ones((2, 4))}, {"layers.0.weight": "a"}))
    attempt(lambda: source.pick((nn.SatCLIPWeights, nn.GeoCLIPWeights))(junk), False)


@cache
def _satclip_weights():
    rng = np.random.default_rng(0)
    shapes = {"layers.0.weight": (4, 9), "layers.0.bias": (4,), "last_layer.weight": (3, 4), "last_layer.bias": (3,)}
    return nn.SatCLIPWeights({name: rng.standard_normal(shape) for name, shape in shapes.items()})


@cache
def _geoclip_weights():
    rng = np.random.default_rng(0)
    widths = {"capsule.1": (5, 4), "capsule.3": (5, 5), "capsule.5": (5, 5), "head.0": (3, 5)}
    arrays = {"LocEnc0.capsule.0.b": rng.standard_normal((2, 2))}
    for layer, shape in widths.items():
        arrays[f"LocEnc0.{layer}.weight"] = rng.standard_normal(shape)
        arrays[f"LocEnc0.{layer}.bias"] = rng.standard_normal(shape[0])
    return nn.GeoCLIPWeights(arrays)


#: What the features of a head may be.
TABLES = {
    "good": lambda t, s: t,
    "f4": lambda t, s: t.astype("f4"),
    "NaN": lambda t, s: np.where(np.eye(*t.shape), np.nan, t),
    "narrow": lambda t, s: t[:, :1],
    "flat": lambda t, s: t[0],
    "text": lambda t, s: t.astype(str),
    "empty": lambda t, s: t[:0],
    "huge": lambda t, s: t * s.pick((1e300, 1e30)),
    "constant": lambda t, s: 0 * t,
}


def head_model(cls, source):
    """A model that trains the projection head on features."""
    spec = NEURAL | {
        "n_scale": Parameter((1, 2), NO_COUNT),
        "log": FLAG,
        "embed_dim": Parameter((1, 4), NO_COUNT),
        "head_dim": Parameter((None, 4), NO_SIZE),
    }
    chosen, fine = parameters(source, spec)
    model = cls(**{"n_scale": 2, "embed_dim": 4, "max_epochs": 1, "random_state": 0} | chosen)
    classes = "Classifier" in cls.__name__
    rng, rows = source.rng(), source.pick((5, 12))
    X = rng.normal(size=(rows, 5))
    if not fine:
        attempt(lambda: model.fit(X, np.arange(rows) % 2), False, owner=model)
        return
    kind = source.pick(("good", *TABLES))
    source.tell(kind)
    X = TABLES[kind](X, source)
    y, known = targets(source, rows, classes=classes)
    bad = ("NaN", "narrow", "flat", "empty")
    valid = False if kind in bad else None if kind in ("huge", "text") or classes else known
    fitted = attempt(lambda: model.fit(X, y), False if known is False and valid is None else valid, owner=model)
    if fitted is not Refused:
        found = attempt(lambda: model.predict(X), None)
        right(classes or found is Refused or np.isfinite(found).all(), "predictions are not finite", found)


entry("nn.ProjectionHeadClassifier", 0.4)(partial(head_model, nn.ProjectionHeadClassifier))
entry("nn.ProjectionHeadRegressor", 0.4)(partial(head_model, nn.ProjectionHeadRegressor))


# --- modules

WIDTHS = {name: Parameter((1, 3, 8), NO_COUNT) for name in ("n_inputs", "n_outputs")}
DEPTH = WIDTHS | {"hidden_dim": Parameter((2, 4), NO_COUNT), "n_layers": Parameter((1, 2), NO_COUNT)}
DEPTH |= {"dropout": Parameter((0.0, 0.5), (*JUNK, 1.0, -0.1, "0", True, None))}
MODULES = {
    "nn.Linear": (nn.Linear, WIDTHS),
    "nn.FcNet": (nn.FcNet, DEPTH),
    "nn.MLP": (nn.MLP, DEPTH),
    "nn.SirenNet": (
        nn.SirenNet,
        DEPTH | {"first_w0": Parameter((30.0, 1), NO_POSITIVE), "w0": Parameter((1.0, 2), NO_POSITIVE)},
    ),
}


def module(cls, spec, source):
    """Build a network, and feed it tensors of its width and of others."""
    chosen, fine = parameters(source, spec, bad=40)
    settings = {"n_inputs": 3, "n_outputs": 2} | chosen
    built = attempt(lambda: cls(**settings), fine)
    if built is Refused:
        return
    width = settings["n_inputs"]
    shape = source.pick(((width,), (5, width), (2, 0, width), (2, 3, width)))
    with torch.no_grad():
        out = attempt(lambda: built.eval()(torch.ones(shape)), True)
        right(
            out.shape == (*shape[:-1], settings["n_outputs"]) and bool(torch.isfinite(out).all()),
            "another shape",
            out.shape,
        )


for _name, (_cls, _spec) in MODULES.items():
    entry(_name, 1.0)(partial(module, _cls, _spec))


@entry(
    "nn.Harmonics",
    1.5,
    "nn.HarmonicPCA",
    "nn.PatchPosition",
    "nn.PatchScale",
    "nn.GreatCircleBias",
    "nn.EncoderModule",
    "nn.LocationEncoder",
    "nn.PatchProjectionHead",
)
def twins(source):
    """Constructors of the twins and of what joins them, with parameters of all kinds."""
    kind = source.pick(
        (
            *("Harmonics", "HarmonicPCA", "PatchPosition", "PatchScale", "GreatCircleBias", "EncoderModule"),
            *("LocationEncoder", "Head", "from_features"),
        )
    )
    source.tell(kind)
    series = {
        "affine": Parameter(
            (np.ones((1, 4)), [[1.0]]), (np.ones(4), np.ones((1, 3)), np.empty((0, 4)), "a", None, [[1], [1, 2]])
        ),
        "clip": Parameter((None, 1.0), (*JUNK, 0.0, "a")),
    }
    spec = {
        "Harmonics": {"max_degree": DEGREE, "min_degree": Parameter((0, 1), (*NO_INTEGER, 99)), "spectrum": SPECTRUM},
        "HarmonicPCA": series,
        "PatchPosition": series,
        "GreatCircleBias": {name: Parameter((1, 3), NO_COUNT) for name in ("n_heads", "hidden_dim")},
        "PatchScale": {"earth_radius": Parameter((1.0, EARTH), NO_POSITIVE)},
        "EncoderModule": {
            "encoder": Parameter(
                (encoders.WrapEncoder(), encoders.GridEncoder(2)), (*JUNK, None, encoders.GridEncoder(0), Ridge())
            )
        },
        "Head": {name: Parameter((1, 3), NO_COUNT) for name in ("n_position", "n_scale", "embed_dim")},
        "from_features": {
            "features": Parameter(
                (np.random.default_rng(0).normal(size=(4, 3)),),
                ("a", None, np.ones((0, 3)), np.full((3, 3), np.nan), np.ones((3, 1))),
            ),
            "n_scale": Parameter((1, 2), (*NO_COUNT, 9)),
            "log": FLAG,
            "embed_dim": Parameter((2,), NO_COUNT),
        },
        "LocationEncoder": {},
    }[kind]
    chosen, fine = parameters(source, spec, bad=50)
    if kind in ("HarmonicPCA", "PatchPosition"):
        chosen = {"affine": [[1.0, 0.0, 0.0, 0.0]]} | chosen
    if kind == "GreatCircleBias":
        chosen = {"n_heads": 2} | chosen
    if kind == "EncoderModule":
        chosen = {"encoder": encoders.WrapEncoder()} | chosen
    if kind == "Head":
        chosen = {"n_position": 2, "n_scale": 1} | chosen
    if kind == "from_features":
        chosen = {"features": np.random.default_rng(0).normal(size=(4, 3)), "n_scale": 1} | chosen
    if kind == "LocationEncoder":
        model = nn.LocationEncoder(nn.Harmonics(2), nn.MLP(9, 2))
        points = torch.tensor(coordinates(source, huge=False))
        right(bool(torch.isfinite(attempt(lambda: model(points), True)).all()), "not finite")
        attempt(lambda: model(points[:, :1]), False)
        return
    make = {"Head": nn.PatchProjectionHead, "from_features": nn.PatchProjectionHead.from_features}.get(kind) or getattr(
        nn, kind
    )
    if kind == "Harmonics" and fine and chosen.get("min_degree", 0) > chosen.get("max_degree", 10):
        fine = False
    attempt(lambda: make(**chosen), fine)


@entry("nn.turn_patches", 0.3)
def turned(source):
    """Tables of patches turned, and their bias: finite, with latitudes as they were."""
    shape = source.pick(((6,), (0, 6), (1, 6), (3, 6), (2, 3, 6), (2, 3, 8), (3, 5), (3, 3), (2, 4, 3), (2, 2, 4, 3)))
    dtype = source.pick((torch.float64, torch.float32, torch.float16, torch.int64, torch.bool))
    generator = source.pick((None, torch.Generator().manual_seed(0), 0, "a"))
    tables = torch.zeros(shape).to(dtype)
    tables[..., 1::2] = 1
    right_dtype = dtype not in (torch.float16, torch.bool)
    cells = len(shape) > 2 and shape[-1] == 3  # stacks of cells: latitude, longitude, area
    tabular = len(shape) > 1 and shape[-1] >= 6
    fine = (tabular or cells) and right_dtype and not isinstance(generator, int | str)
    out = attempt(lambda: nn.turn_patches(tables, generator), fine)
    if out is Refused:
        return
    kept = slice(1 if cells else 2)
    right(out.shape == shape and bool((out[..., kept] == tables[..., kept]).all()), "latitudes have changed")
    pairs = attempt(lambda: nn.GreatCircleBias(2)(out), shape[-1] == 6 or cells)
    right(pairs is Refused or bool(torch.isfinite(pairs).all()), "the bias is not finite")


# --- folds

SPLITTERS = {
    "model_selection.SphericalBlockKFold": model_selection.SphericalBlockKFold,
    "model_selection.BufferedKFold": model_selection.BufferedKFold,
    "model_selection.LeaveOneBlockOut": model_selection.LeaveOneBlockOut,
    "model_selection.NearestNeighbourDistanceKFold": model_selection.NearestNeighbourDistanceKFold,
}
FOLDS = {
    "n_splits": Parameter((2, 3, np.int8(2)), (*NO_COUNT, 1)),
    "radius_km": Parameter((0.0, 1.0, 500), (*NO_NUMBER, 1e6)),
    "block_size_km": Parameter((None, 500.0, 3000), (*JUNK, "a", 0.0, -1, True)),
    "n_blocks": Parameter((None, 5, 20), (*NO_SIZE, 1)),
    "shuffle": FLAG,
    "random_state": Parameter((0, 7), ("a", -1, 1.5, object())),
    "coordinates": NAMES,
    "max_share": Parameter((0.5, 0.9), (*NO_POSITIVE, 1.0, 0.1)),
    "prediction_locations": Parameter(
        (lattice(5), lattice(30)), (None, "a", 5, lattice(3)[:0], lattice(3)[:, :1], np.full((2, 2), 91.0))
    ),
}


def splitter(cls, source):
    """Splits of samples: all rows tested once, none on both sides."""
    own = {name: spec for name, spec in FOLDS.items() if name in inspect.signature(cls).parameters}
    chosen, fine = parameters(source, own)
    chosen = ({"prediction_locations": lattice(20)} if "max_share" in own else {}) | chosen
    flag = isinstance(chosen.get("shuffle", True), bool | np.bool_)
    if "random_state" in chosen and flag and not fine and "max_share" not in own:
        chosen["shuffle"] = True
    if flag and "shuffle" in own and chosen.get("shuffle"):
        chosen.setdefault("random_state", 0)
    if chosen.get("block_size_km") is not None and chosen.get("n_blocks") is not None:
        fine = False
    cv = cls(**chosen)
    given = any_points(source, spread=True, lazy=not fine)
    if not fine:
        attempt(lambda: list(cv.split(lattice(40))), False, owner=cv)
        return
    if given.names is not None:
        cv.set_params(coordinates=given.names)
    valid = given.valid
    if given.what == "more columns":
        valid = True  # which may be there
    elif given.what in ("equal names", "equal names and more", "dates in a frame"):
        valid = False
    splits = attempt(lambda: list(cv.split(given.X)), None if valid is True else valid, owner=cv)
    if splits is Refused or given.plain is None:
        return
    tested = np.concatenate([test for _, test in splits])
    right(sorted(tested) == list(range(len(given.plain))), "not every sample is tested once", tested)
    for train, test in splits:
        right(train.size and test.size and not set(train) & set(test), "samples on both sides")
        same = {tuple(row) for row in given.plain[train]} & {tuple(row) for row in given.plain[test]}
        right(not same, "the same place on both sides")


for _name, _cls in SPLITTERS.items():
    _more = ("model_selection.DistanceMatch",) if "Nearest" in _name else ()
    entry(_name, 0.3 if "Nearest" in _name else 0.08, *_more)(partial(splitter, _cls))


@entry("model_selection.suggest_max_degree", 1.0, "model_selection.DegreeSuggestion")
def suggest(source):
    spec = {
        "resolution_km": Parameter((None, 100.0, 5000), (*JUNK, 0, "a")),
        "largest": Parameter((1, 60), NO_COUNT),
    }
    chosen, fine = parameters(source, spec)
    given = any_points(source, spread=True)
    names = {} if given.names is None else {"coordinates": given.names}
    valid = None if given.what == "more columns" else given.valid
    found = attempt(lambda: model_selection.suggest_max_degree(given.X, **chosen, **names), _all((fine, valid)))
    if found is not Refused:
        right(
            1 <= found.max_degree <= chosen.get("largest", 60) and np.isfinite(found.spacing_km),
            "no degree",
            found.max_degree,
        )


@entry("model_selection.leakage_report", 0.03, "model_selection.LeakageReport", "model_selection.select_max_degree")
def leakage(source):
    rng = source.rng()
    X = np.vstack([coordinates(source, huge=False), lattice(40)])
    y = rng.normal(size=len(X))
    if source.chance(50):
        spec = {
            "block_sizes_km": Parameter((None, [2000.0, 500], 1000), (*JUNK, [], [-1.0], "a", [np.nan], [[1.0]], [0])),
            "n_splits": Parameter((2, 3), (*NO_COUNT, 1)),
            "random_state": Parameter((0,), ("a", -1)),
            "verbose": VERBOSE,
        }
        chosen, fine = parameters(source, spec, bad=40)
        report = attempt(lambda: model_selection.leakage_report(Ridge(), X, y, **chosen), fine)
        if report is not Refused:
            right(np.isfinite(report.scores).all() and len(str(report)), "scores are not finite")
            attempt(report.to_frame, True)
        return
    model = make_pipeline(encoders.SphericalHarmonics(1), Ridge())
    spec = {"degrees": Parameter(([1, 2], 1, np.array([1])), ([0], [-1], "a", [1.5], [], [None]))}
    chosen, fine = parameters(source, spec, bad=40)
    search = attempt(lambda: model_selection.select_max_degree(model, X, y, **{"degrees": [1, 2]} | chosen), fine)
    if search is Refused:
        attempt(lambda: model_selection.select_max_degree(Ridge(), X, y), False)


# --- functions


@entry("matern_spectrum", 2.0, "degree_wavelength_km", "datasets.fibonacci_lattice")
def functions(source):
    kind = source.integer(0, 2)
    if kind == 0:
        spec = {
            "max_degree": DEGREE,
            "nu": Parameter((0.5, 1, 3.0), NO_POSITIVE),
            "kappa": Parameter((0.1, 5, 100.0), NO_POSITIVE),
        }
        chosen, fine = parameters(source, spec, bad=40)
        values = attempt(lambda: skgeo.matern_spectrum(**{"max_degree": 3} | chosen), fine)
        right(values is Refused or (np.isfinite(values).all() and (values > 0).all()), "no spectrum", values)
    elif kind == 1:
        good = source.pick(
            (
                0,
                3,
                [1, 2.5],
                np.arange(4),
                np.int8([3]),
                np.float32(2),
                [],
                1e-300,
                5e-324,
                np.uint64(2**63),
                1e308,
                [[1]],
            )
        )
        bad = source.pick(
            (-1, [1, -2], "a", None, np.nan, [np.nan], 1j, True, [[1], [1, 2]], object(), np.datetime64("now"), -np.inf)
        )
        value, fine = (good, True) if source.chance(50) else (bad, False)
        source.tell(value)
        found = attempt(lambda: skgeo.degree_wavelength_km(value), fine)
        right(found is Refused or not np.isnan(found).any(), "NaN", found)
    else:
        value, fine = (
            (source.pick((1, 2, 100, np.int8(127), np.uint8(200))), True)
            if source.chance(50)
            else (source.pick(NO_COUNT), False)
        )
        source.tell("fibonacci_lattice", value)
        points = attempt(lambda: datasets.fibonacci_lattice(value), fine)
        if points is not Refused:
            right(
                points.shape == (value, 2) and np.isfinite(points).all() and (np.abs(points) <= [90, 180]).all(),
                "no places",
                points,
            )


@entry("datasets", 0.5, "datasets.load_land_mask", "datasets.make_land_ocean", "datasets.make_checkerboard")
def made_data(source):
    count = Parameter((1, 5, np.int8(100)), NO_COUNT)
    state = Parameter((0, None, np.random.RandomState(0)), ("a", -1, 1.5, object()))
    if source.chance(15):
        chosen, fine = parameters(source, {"n_samples": count, "random_state": state}, bad=50)
        found = attempt(lambda: datasets.make_land_ocean(**{"n_samples": 3} | chosen), fine)
    else:
        spec = {"n_samples": count, "n_support": count, "n_classes": count, "random_state": state}
        chosen, fine = parameters(source, spec, bad=50)
        found = attempt(lambda: datasets.make_checkerboard(**{"n_samples": 3, "n_support": 5} | chosen), fine)
    if found is not Refused:
        X, y = found
        right(len(X) == len(y) and np.isfinite(X).all() and (np.abs(X) <= [90, 180]).all(), "no places", X)


# --- files


@cache
def _files():
    """Files of models, with what tells that a loaded one is the same."""
    probes = lattice(7)
    table = [[0, 30, 0, 40, 2, 3], [-60, -30, 100, 140, 2, 3]]
    basis = _basis()
    union = make_union(skgeo.PatchPositionEncoder(FrozenEstimator(basis)), skgeo.PatchScaleFeaturizer()).fit(table)
    columns = ColumnTransformer([("p", encoders.WrapEncoder(), [0, 1])]).fit(probes)
    gp = skgeo.SphericalGaussianProcessRegressor().fit(lattice(20), np.arange(20.0))
    net = nn.LocationRegressor("wrap", "linear", max_epochs=1, random_state=0).fit(probes, np.arange(7.0))
    models = [
        (basis, lambda model: model.transform(probes)),
        (union, lambda model: model.transform(table)),
        (columns, lambda model: model.transform(probes)),
        (encoders.GridEncoder(2).fit(probes), lambda model: model.transform(probes)),
        (skgeo.LatLonGrid([0, 10], [0, 10, 20]), lambda model: model.cell_areas()),
        (gp, lambda model: model.predict(probes)),
        (net, lambda model: model.predict(probes)),
    ]
    torch.manual_seed(0)
    modules = [
        (nn.MLP(2, 1, hidden_dim=3), lambda model: model(torch.ones(2, 2)).detach().numpy()),
        (basis.to_torch(), lambda model: model(torch.tensor(probes)).numpy()),
        (
            nn.PatchProjectionHead(2, 1, embed_dim=2, hidden_dim=2).eval(),
            lambda model: model(torch.ones(1, 3)).detach().numpy(),
        ),
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model")
        found = []
        for save, kinds in ((skgeo.save, models), (nn.save, modules)):
            for model, output in kinds:
                model = model.eval() if hasattr(model, "eval") else model
                save(model, path)
                found.append((path.read_bytes(), output, output(model), save is nn.save))
    return found


def _mutated(source, content):
    """The bytes with some flipped, cut, inserted, doubled or swapped."""
    source = source.details()
    rng, data = source.rng(), bytearray(content)
    kind = source.pick(
        (
            "flip",
            "flip",
            "bytes",
            "cut",
            "head",
            "insert",
            "delete",
            "double",
            "zeros",
            "number",
            "text",
            "none",
            "empty",
            "other",
        )
    )
    start = int(rng.integers(len(data)))
    if source.chance(50):  # where the structure is
        start = start % 600 if source.chance(50) else len(data) - 1 - start % 600
    start = max(0, start)
    stop = start + source.pick((1, 2, 4, 16, 300))
    source.tell(kind, start, stop)
    if kind == "flip":
        data[start] ^= 1 << int(rng.integers(8))
    elif kind == "bytes":
        data[start:stop] = rng.bytes(len(data[start:stop]))
    elif kind == "cut":
        del data[start:]
    elif kind == "head":
        del data[:start]
    elif kind == "insert":
        data[start:start] = rng.bytes(stop - start)
    elif kind == "delete":
        del data[start:stop]
    elif kind == "double":
        data[stop:stop] = data[start:stop]
    elif kind == "zeros":
        data[start:stop] = bytes(len(data[start:stop]))
    elif kind == "number":
        data[start : start + 4] = source.pick((b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80"))[
            : len(data[start : start + 4])
        ]
    elif kind == "text":
        old, new = source.pick(
            (
                (b"true", b"null"),
                (b"1", b"9"),
                (b"skgeo", b"nogeo"),
                (b'"', b"'"),
                (b"float", b"array"),
                (b"[", b"{"),
                (b"<f8", b"|O8"),
                (b"0", b"-"),
            )
        )
        at = content.find(old, start)
        if at >= 0:
            data[at : at + len(old)] = new
    elif kind == "empty":
        data.clear()
    elif kind == "other":
        data = bytearray(source.pick((b"PK", b"PK\x03\x04", b"\x80\x04\x95", b"{}", b"\x93NUMPY", rng.bytes(200))))
    return bytes(data)


def files(of_torch, source):
    """Damaged files are refused, or are the same model all the same."""
    kinds = [kind for kind in _files() if kind[3] is of_torch]
    content, output, expected, _ = source.pick(kinds)
    changed = _mutated(source, content)
    if source.chance(20):
        changed = _mutated(source, changed or content)
    load = nn.load if of_torch else skgeo.load
    path = Path(_folder(), "fuzzed")
    path.write_bytes(changed)
    model = attempt(lambda: load(path), True if changed == content else None, refusals=(ModelFileError,))
    if model is not Refused:
        right(np.array_equal(output(model), expected), "another model was loaded")


@cache
def _folder():
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # where files are fast
    folder = tempfile.TemporaryDirectory(prefix=f"fuzz{os.getpid()}_", dir=memory)
    _KEPT.append(folder)
    return folder.name


_KEPT: list = []

entry("load", 10.0, "save")(partial(files, False))
entry("nn.load", 8.0, "nn.save")(partial(files, True))


@entry("sealed files", 6.0)
def sealed(source):
    """Files whose hashes are right and whose content is not: what somebody else's program may write."""
    import json

    from skgeo._output import archive
    from skgeo._output.integrity import write_metadata

    content, *_ = source.pick([kind for kind in _files() if not kind[3]])
    path = Path(_folder(), "sealed")
    path.write_bytes(content)
    written, entries = archive.unpack(path, "sealed", "skgeo model")
    metadata = json.loads(written)
    objects = metadata["objects"]
    target = source.rng().integers(len(objects))
    state = objects[target]["state"]
    name = source.pick(tuple(state)) if state else None
    value = source.pick(
        (
            None,
            True,
            -1,
            1e400,
            "x",
            [],
            {},
            {"array": "array_0"},
            {"array": "none"},
            {"object": 0},
            {"object": 99},
            {"object": -1},
            {"tuple": "a"},
            {"slice": [1]},
            {"float": "x"},
            {"float": "nan"},
            {"dtype": "|O"},
            {"dtype": "zz"},
            {"strings": ["a"], "shape": [7]},
            {"strings": [1], "shape": [1]},
            {"scalar": "array_0"},
            {"dict": {"a": {"object": 0}}},
            [[[[[[]]]]]],
            {"a": 1, "b": 2},
            2**70,
        )
    )
    kind = source.pick(("value", "value", "class", "drop", "empty", "name"))
    source.tell(objects[target]["class"], name, kind, value)
    if kind == "value" and name is not None:
        state[name] = value
    elif kind == "class":
        objects[target]["class"] = source.pick(
            ("skgeo.LatLonGrid", "os.system", None, 5, "skgeo.SphericalHarmonicPCA", "sklearn.pipeline.Pipeline")
        )
    elif kind == "drop" and name is not None:
        del state[name]
    elif kind == "empty":
        metadata["objects"] = source.pick(([], None, [{}], {}, [5], [{"class": "skgeo.LatLonGrid", "state": None}]))
    else:
        state[source.pick(("__class__", "transform", "mask", "_skgeo_version", "fit", ""))] = value
    text = write_metadata("skgeo model", metadata["arrays"], objects=metadata["objects"])
    path.write_bytes(archive.pack(text, entries))
    attempt(lambda: skgeo.load(path), None, refusals=(ModelFileError,))


# --- displays, but for drawing


def _silent(cls):
    """The display without drawing."""
    return type(cls.__name__, (cls,), {"plot": lambda self, *arguments, **options: self})


@entry("inspection", 2.0, *(f"inspection.{name}" for name in inspection.__all__))
def displays(source):
    kind = source.pick(
        (
            "basis",
            "embedding",
            "similarity",
            "spectrum",
            "patches",
            "folds",
            "predictions",
            "response",
            "from_embedding",
            "leakage",
        )
    )
    source.tell(kind)
    grid = skgeo.LatLonGrid(np.linspace(-80, 80, 5), np.linspace(0, 300, 6))
    basis = _basis()
    if kind in ("basis", "embedding"):
        cls = _silent(inspection.BasisDisplay if kind == "basis" else inspection.EmbeddingMapDisplay)
        spec = {
            "components": Parameter(
                (0 if kind == "embedding" else 2, (0, 1, 2), ["shpca0"], [1]), ([99], "x", [-1], [1.5], [None], 1.5, [])
            ),
            "grid": Parameter((grid,), (*JUNK[:9], "a", 5, lattice(3))),
        }
        chosen, fine = parameters(source, spec, bad=40)
        shown = attempt(lambda: cls.from_estimator(basis, **{"grid": grid} | chosen), fine)
        right(shown is Refused or np.isfinite(shown.values).all(), "values are not finite")
    elif kind == "similarity":
        place = source.pick(
            (
                (0.0, 0.0),
                [90, -720.0],
                (1e-5, 5e-324),
                (91.0, 0),
                (np.nan, 0),
                "ab",
                None,
                (1,),
                (1, 2, 3),
                5,
                ("a", "b"),
                (None, 1),
            )
        )
        valid = (
            isinstance(place, tuple | list)
            and len(place) == 2
            and not isinstance(place[0], str | None)
            and abs(place[0]) <= 90
        )
        shown = attempt(
            lambda: _silent(inspection.SimilarityDisplay).from_estimator(basis, place, grid=grid), bool(valid)
        )
        right(shown is Refused or (np.abs(shown.values) <= 1 + 1e-12).all(), "no similarities")
    elif kind == "spectrum":
        model = source.pick(
            (basis, FrozenEstimator(basis), skgeo.SphericalHarmonicPCA(2), None, Ridge(), encoders.WrapEncoder())
        )
        fine = model is basis or isinstance(model, FrozenEstimator)
        attempt(lambda: _silent(inspection.SpectrumDisplay).from_estimator(model), fine)
    elif kind == "patches":
        given = any_patches(source)
        if given.lazy:
            return
        descriptor = source.pick(("area", "extent_lon", "other", 5))
        fine = descriptor not in ("other", 5)
        shown = attempt(
            lambda: _silent(inspection.PatchDisplay).from_patches(given.X, descriptor), _all((fine, given.valid))
        )
        right(shown is Refused or np.isfinite(shown.values).all(), "values are not finite")
    elif kind == "folds":
        given = any_points(source, lazy=False, spread=True)
        names = (
            given.names is not None or given.what in ("more columns", "missing in a frame") or "xarray" in given.what
        )
        cv = model_selection.SphericalBlockKFold(2)
        shown = attempt(
            lambda: _silent(inspection.FoldDisplay).from_splitter(cv, given.X), None if names else given.valid
        )
        right(
            shown is Refused or given.plain is None or shown.roles.shape == (2, len(given.plain)), "roles are missing"
        )
    elif kind == "predictions":
        places = coordinates(source)
        y, fine = targets(source, len(places))
        same = (
            np.shape(y) == (len(places),)
            and np.asarray(y).dtype.kind in "fiu"
            and np.isfinite(np.asarray(y, float)).all()
        )
        shown = attempt(
            lambda: _silent(inspection.PredictionMapDisplay).from_predictions(y, np.zeros(len(places)), places),
            fine if same else None,
        )
        right(shown is Refused or not same or np.isfinite(shown.values).all(), "values are not finite")
    elif kind == "response":
        model = _fitted_pipeline()
        chosen, fine = parameters(
            source, {"grid": Parameter((grid,), (*JUNK[:9], "a", 5)), "max_degree": DEGREE}, bad=40
        )
        if "max_degree" in chosen and chosen["max_degree"] is None:
            fine = True
        shown = attempt(
            lambda: _silent(inspection.ResponseDisplay).from_estimator(model, **{"grid": grid} | chosen), fine
        )
        right(shown is Refused or np.isfinite(shown.power).all(), "power is not finite")
    elif kind == "from_embedding":
        table = source.pick(
            (
                np.ones((30, 4)),
                np.zeros((30, 4)),
                np.ones((29, 4)),
                np.ones(30),
                "a",
                None,
                np.full((30, 4), "x"),
                np.ones((30, 0)),
            )
        )
        row = source.pick((0, 29, -1, 30, "a", None, 1.5))
        attempt(lambda: _silent(inspection.SimilarityDisplay).from_embedding(table, grid, row), None)
        attempt(lambda: _silent(inspection.EmbeddingMapDisplay).from_embedding(table, grid, 0), None)
    else:
        report = source.pick((None, 5, object()))
        attempt(lambda: _silent(inspection.LeakageDisplay).from_report(report), False, refusals=(AttributeError,))


@cache
def _fitted_pipeline():
    return make_pipeline(encoders.SphericalHarmonics(3), Ridge()).fit(lattice(40), lattice(40)[:, 0])


def uncovered():
    """Public names that no entry point feeds."""
    modules = {"": skgeo, "encoders.": encoders, "nn.": nn, "model_selection.": model_selection, "datasets.": datasets}
    modules |= {"inspection.": inspection}
    public = {f"{prefix}{name}" for prefix, of in modules.items() for name in of.__all__}
    return sorted(public - {"exceptions", "__version__"} - {name for each in ENTRIES for name in each.covers})
