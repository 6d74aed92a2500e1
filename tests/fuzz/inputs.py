"""Inputs for run.py that carry the truth: whether they are valid, and which plain float64 numbers they are.

Nothing here asks skgeo whether an input is valid: a generator makes plain coordinates that are valid by construction,
dresses them up in one of many forms, or spoils them in one of many ways.
"""

import functools
from typing import Any, NamedTuple

import dask.array as da
import geopandas
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import scipy.sparse
import shapely
import xarray as xr
from hypothesis import strategies as st
from places import uniform

LATITUDES = (0.0, -0.0, 90.0, -90.0, 89.9999999, -89.99999999999999, 45.0, -33.9, 1e-300, 5e-324, -1e-5, 66.5)
LONGITUDES = (0.0, -0.0, 180.0, -180.0, 179.9999999, 360.0, -360.0, 359.9999, 720.5, 151.2, -1e6, 5e-324, 12345678.125)
FAR_LONGITUDES = (1e7 + 0.5, -12345678.125, 99999999.0)
#: Longitudes that nobody means: fill values that were not decoded.
NO_LONGITUDES = (1e20, 9.96921e36, -1e18, 1e300, 1.7976931348623157e308)
TOO_FAR_NORTH = (90.0001, 91.0, -90.5, 180.0, -9999.0, 1e20, -1e300)

#: Values of another type than any number, name or flag that a parameter may take.
JUNK = (
    b"1",
    1j,
    float("nan"),
    [],
    {},
    object,
    np.array([1.0, 2.0]),
    np.array(["a"]),
    {"a": 1},
    ...,
    np.datetime64("NaT"),
)
NO_INTEGER = (*JUNK, None, "1", 1.5, True, -1)
NO_SIZE = (*JUNK, "1", 1.5, True, 0, -1, np.int64(-5))  # where None is one
NO_COUNT = (*NO_SIZE, None)
NO_NUMBER = (*JUNK, None, "1", True, float("inf"), -1.0, 10**400)
NO_POSITIVE = (*NO_NUMBER, 0, 0.0, -1e-300)
NO_FLAG = (*JUNK, None, "yes", 1, 0, 0.0, "True")
NO_CHOICE = (*JUNK, "other", "", 1, True)
NO_NAMES = (*JUNK, "lat", 5, ("lat",), ("lat", "lat"), ("a", "b", "c"), (1, 2), (None, "b"), ["a", 2])
NO_JOBS = (*JUNK, "2", 0, 1.5, True)
NO_VERBOSE = (*JUNK, "yes", 2, -1, 0.5)


class Input(NamedTuple):
    """What is handed over, whether it is valid (None: it may be refused), and what it is in plain float64."""

    X: Any
    valid: bool | None
    plain: Any
    single: bool = False  # of single precision, so that the output is
    what: str = ""
    names: tuple[str, str] | None = None  # for coordinates=
    lazy: bool = False

    @property
    def missing(self):
        return np.isnan(self.plain).any(axis=1)


@functools.cache
def _integers(low, high):
    return st.integers(low, high)


class Source:
    """Draws of one example; what was drawn is its description."""

    def __init__(self, data):
        self._data = data
        self.story = []

    def pick(self, options):
        number = len(options)
        return options[self._data.draw(_integers(0, number - 1))] if number > 1 else options[0]

    def integer(self, low, high):
        return self._data.draw(_integers(low, high))

    def chance(self, percent):
        return self._data.draw(_integers(0, 99)) >= 100 - percent

    def rng(self):
        return np.random.default_rng(self._data.draw(_integers(0, 2**32 - 1)))

    def tell(self, *words):
        self.story.append(" ".join(map(str, words)))

    def details(self):
        """A source whose draws all follow from one of hypothesis', which is many times as fast."""
        return Details(self)


class Details:
    """Draws of many details of an example."""

    def __init__(self, source):
        self._rng, self.story, self.tell = source.rng(), source.story, source.tell

    def pick(self, options):
        return options[int(self._rng.integers(len(options)))]

    def integer(self, low, high):
        return int(self._rng.integers(low, high, endpoint=True))

    def chance(self, percent):
        return self._rng.random() < percent / 100

    def rng(self):
        return self._rng

    def details(self):
        return self


def coordinates(source, *, least=1, spread=False, huge=True):
    """Valid latitudes and longitudes (n, 2) in plain float64: random ones, special ones, copies."""
    source = source.details()
    rng = source.rng()
    number = max(least, source.pick((1, 2, 3, 5, 8, 24)))
    table = uniform(rng, number)
    if source.chance(40):
        table[:, 1] += 360.0 * rng.integers(-3, 4, number)
    if source.chance(30):
        table = table.round()
    if source.chance(20):
        table[:] = table[0] + rng.normal(0, 10.0 ** -rng.integers(0, 14), (number, 2))
        table[:, 0] = table[:, 0].clip(-90, 90)
    if source.chance(50):
        at = rng.random((number, 2)) < 0.3
        table[:, 0] = np.where(at[:, 0], rng.choice(LATITUDES, number), table[:, 0])
        table[:, 1] = np.where(at[:, 1], rng.choice(LONGITUDES, number), table[:, 1])
    if huge and source.chance(10):
        table[rng.integers(number), 1] = source.pick(FAR_LONGITUDES)
    if source.chance(20):
        table[rng.integers(number)] = table[0]
    if spread:
        table = np.vstack([table, lattice(12)])
    return table


def lattice(number):
    """Places all over the sphere, by a formula of their own."""
    index = np.arange(number) + 0.5
    return np.column_stack([np.degrees(np.arcsin(1 - 2 * index / number)), (index * 137.50776) % 360 - 180])


# --- forms of valid tables


class Arraylike:
    """What only says how it becomes an array."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype=dtype)


def _read_only(table):
    table = table.copy()
    table.flags.writeable = False
    return table


def _strided(table):
    wide = np.full((2 * len(table), 2 * table.shape[1]), 99, table.dtype)
    wide[::2, ::2] = table
    return wide[::2, ::2]


LAYOUTS = {
    "C": np.array,
    "F": np.asfortranarray,
    "read-only": _read_only,
    "strided": _strided,
    "backwards": lambda table: table[::-1].copy()[::-1],
    "list": np.ndarray.tolist,
    "tuple of tuples": lambda table: tuple(map(tuple, table.tolist())),
    "list of arrays": list,
    "masked without a mask": np.ma.masked_array,
    "masked with a mask of False": lambda table: np.ma.masked_array(table, np.zeros(table.shape, bool)),
    "array-like": Arraylike,
    "matrix": lambda table: table.view(np.matrix),
}
WIDE = ("f8", ">f8", "g")
NARROW = ("f4", ">f4", "f2", "i1", "i2", "i4", "i8", ">i4", "u1", "u2", "u4", "u8")


def _narrowed(plain, dtype):
    """The table in another dtype, into whose range its values are brought first."""
    table = plain.copy()
    most = {"i1": 127, "u1": 255}.get(dtype, 720)
    table[:, 1] = np.fmod(table[:, 1], most)
    if np.dtype(dtype).kind in "iu":
        table = np.trunc(table)
    if np.dtype(dtype).kind == "u":
        table = np.abs(table)
    with np.errstate(under="ignore"):
        return table.astype(dtype)


def array_form(source, plain, *, narrow=True):
    """The table in some dtype and layout: what it is, its numbers, whether it is single."""
    source = source.details()
    dtype = source.pick((*WIDE, *(NARROW if narrow else ())))
    layout = source.pick(tuple(LAYOUTS))
    table = _narrowed(plain, dtype) if dtype in NARROW else plain.astype(dtype)
    X = LAYOUTS[layout](table)
    single = table.dtype.newbyteorder("=") == np.float32 and layout not in ("list", "tuple of tuples")
    return Input(X, True, table.astype(np.float64), single, f"{layout} of {dtype}")


NAMES = (("lat", "lon"), ("latitude", "longitude"), ("LAT", "Lng"), ("Latitude", "long"), ("lat", "longitude"))


def _columns(source, plain):
    """Two columns in one of many dtypes, and their values."""
    kind = source.pick(("f8", "f4", "Float64", "Int64", "i8", "double[pyarrow]", "mixed"))
    if kind in ("Int64", "i8"):
        plain = np.trunc(np.column_stack([plain[:, 0], np.fmod(plain[:, 1], 720)]))
    if kind == "f4":
        plain = _narrowed(plain, "f4").astype(np.float64)
    kinds = ("f8", "f4") if kind == "mixed" else (kind, kind)
    if kind == "mixed":
        plain = np.column_stack([plain[:, 0], _narrowed(plain, "f4")[:, 1].astype(np.float64)])
    return plain, kinds, kind


def frame_form(source, plain):
    """A frame with its columns in some order, by usual or declared names."""
    source = source.details()
    plain, kinds, kind = _columns(source, plain)
    declared = source.chance(20)
    names = source.pick((("a", "b"), ("y", "x"), ("lon", "lat"))) if declared else source.pick(NAMES)
    library = source.pick(("pandas", "polars", "pyarrow", "dask"))
    data = {name: pd.array(plain[:, i], dtype=kinds[i]) for i, name in enumerate(names)}
    frame = pd.DataFrame(data)
    if source.chance(50):
        frame = frame[frame.columns[::-1]]
    if source.chance(20):
        frame.index = np.arange(len(frame))[::-1] * 7
    if library == "polars":
        frame = pl.DataFrame(
            {name: frame[name].to_numpy(dtype=None if kinds[0][1:].isdigit() else float) for name in frame}
        )
    elif library == "pyarrow":
        frame = pa.table(
            {name: pa.array(np.asarray(frame[name], dtype=float if kinds[0][0] in "FId" else None)) for name in frame}
        )
    elif library == "dask":
        if kind not in ("f8", "f4"):
            frame = frame.astype("f8")
        import dask.dataframe as dd

        frame = dd.from_pandas(frame, npartitions=source.integer(1, min(3, len(frame))), sort=False)
    single = kind == "f4"
    what = f"{library} frame of {kind}, columns {list(frame.columns) if library != 'pyarrow' else frame.column_names}"
    return Input(frame, True, plain, single, what, names if declared else None, library == "dask")


def geo_form(source, plain):
    longitude = np.fmod(plain[:, 1], 1e6)
    points = geopandas.points_from_xy(longitude, plain[:, 0])
    plain = np.column_stack([plain[:, 0], longitude])
    series = geopandas.GeoSeries(points, crs=source.pick(("EPSG:4326", "OGC:CRS84")))
    if source.chance(50):
        return Input(geopandas.GeoDataFrame(geometry=series), True, plain, False, "GeoDataFrame")
    return Input(series, True, plain, False, "GeoSeries")


def xarray_form(source, plain):
    """Points along a dimension."""
    names = source.pick(NAMES[:2])
    axes = {name: ("site", plain[:, i]) for i, name in enumerate(names)}
    obj = xr.Dataset(coords=axes) if source.chance(50) else xr.Dataset(axes)
    if source.chance(30):
        obj = xr.DataArray(np.zeros(len(plain)), axes, ("site",), name="t")
    if source.chance(20):
        return Input(obj.chunk(site=max(1, len(plain) // 2)), True, plain, False, "chunked xarray points", None, True)
    return Input(obj, True, plain, False, "xarray points")


def dask_form(source, plain):
    chunk = source.integer(1, max(1, len(plain)))
    if source.chance(30):
        plain = _narrowed(plain, "f4").astype(np.float64)
        return Input(da.from_array(plain.astype("f4"), (chunk, 2)), True, plain, True, "dask f4", None, True)
    return Input(da.from_array(plain, (chunk, source.pick((1, 2)))), True, plain, False, "dask", None, True)


def valid_points(source, *, spread=False, lazy=True, least=1):
    """Valid points in any form."""
    plain = coordinates(source, spread=spread, least=least)
    kind = source.integer(0, 99)
    if kind < 55:
        return array_form(source, plain)
    if kind < 85:
        given = frame_form(source, plain)
        return given if lazy or not given.lazy else array_form(source, plain)
    if kind < 90:
        return geo_form(source, plain)
    if kind < 95 or not lazy:
        given = xarray_form(source, plain)
        return given if lazy or not given.lazy else array_form(source, plain)
    return dask_form(source, plain)


# --- ways to spoil points


def _with(table, source, column, value):
    table = table.copy()
    table[source.rng().integers(len(table)), column] = value
    return table


def _masked(table, source):
    mask = np.zeros(table.shape, bool)
    mask[source.rng().integers(len(table)), source.integer(0, 1)] = True
    return np.ma.masked_array(table, mask)


def _objects(table, value, source):
    objects = table.astype(object)
    objects[source.rng().integers(len(objects)), source.integer(0, 1)] = value
    return objects


def _frame(columns):
    def make(table, source):
        width = len(columns)
        values = np.tile(table, (1, 1 + width // 2))[:, :width]
        frame = pd.DataFrame(np.clip(values, -80, 80))
        frame.columns = list(columns)
        unique = len(set(columns)) == width and all(isinstance(name, str) for name in columns)
        library = source.pick(("pandas", "polars", "pyarrow")) if unique else "pandas"
        if library == "polars":
            return pl.DataFrame({name: frame[name].to_numpy() for name in columns})
        return pa.table({name: frame[name].to_numpy() for name in columns}) if library == "pyarrow" else frame

    return make


def _nullable(table, source):
    frame = pd.DataFrame(table, columns=["lat", "lon"]).astype(source.pick(("Float64", "double[pyarrow]", "f8")))
    frame.iloc[source.rng().integers(len(frame)), source.integer(0, 1)] = None
    if source.chance(30):
        return pa.Table.from_pandas(frame, preserve_index=False)
    return pl.from_pandas(frame) if source.chance(40) else frame


def _geometries(table, source):
    good = geopandas.points_from_xy(np.fmod(table[:, 1], 720.0), table[:, 0])
    series = geopandas.GeoSeries(good, crs=4326)
    kind = source.pick(("no crs", "polygons", "none", "empty", "one missing", "as array"))
    if kind == "no crs":
        return geopandas.GeoSeries(good)
    if kind == "polygons":
        return geopandas.GeoSeries([shapely.box(0, 0, 1, 1)] * len(good), crs=4326)
    if kind == "none":
        return geopandas.GeoSeries([None] * len(good), crs=4326)
    if kind == "empty":
        return series[:0]
    if kind == "one missing":
        series.iloc[source.rng().integers(len(series))] = None
        return series
    return series.array


SPOILT = {
    "too far north": lambda t, s: _with(t, s, 0, s.pick(TOO_FAR_NORTH)),
    "infinite": lambda t, s: _with(t, s, s.integer(0, 1), s.pick((np.inf, -np.inf))),
    "a bad single": lambda t, s: _with(np.fmod(t, 360), s, 0, s.pick((91.0, np.inf, 1e30))).astype("f4"),
    "far integers": lambda t, s: np.full((len(t), 2), s.pick((2**62, -(2**31), 91))),
    "no longitude": lambda t, s: _with(t, s, 1, s.pick(NO_LONGITUDES)),
    "far unsigned": lambda t, s: np.full((len(t), 2), 2**64 - 1, dtype="u8"),
    "one column": lambda t, s: t[:, :1],
    "three columns": lambda t, s: np.column_stack([t, t[:, 0]]),
    "no columns": lambda t, s: t[:, :0],
    "no rows": lambda t, s: t[:0],
    "nothing": lambda t, s: s.pick((None, [], [[]], (), {}, set(), np.empty((0, 0)), np.array(None), "", b"")),
    "a number": lambda t, s: s.pick((1, 1.5, np.float64(3), np.array(2.0), True, 1j, float("nan"))),
    "one row, flat": lambda t, s: t[0],
    "three dimensions": lambda t, s: t[np.newaxis],
    "text": lambda t, s: s.pick(
        (t.astype(str), t.astype(str).tolist(), "45,10", t.astype("S"), t.astype(str).astype(object))
    ),
    "dates": lambda t, s: np.zeros((len(t), 2), s.pick(("M8[D]", "m8[s]"))),
    "records": lambda t, s: np.zeros(len(t), s.pick(([("lat", "f8"), ("lon", "f8")], [("a", "O")]))),
    "bools": lambda t, s: s.pick((np.ones((len(t), 2), bool), [[True, False]] * len(t))),
    "complex": lambda t, s: t.astype(s.pick(("c16", "c8"))),
    "objects": lambda t, s: _objects(t, s.pick((None, "5", 1j, [], object(), True, pd.NA)), s),
    "numbers as objects": lambda t, s: t.astype(object),
    "masked values": _masked,
    "all masked": lambda t, s: np.ma.masked_array(t, True),
    "ragged": lambda t, s: [*t.tolist(), [1.0]],
    "nested": lambda t, s: [[[row], row] for row in t.tolist()],
    "sparse": lambda t, s: s.pick((scipy.sparse.csr_array, scipy.sparse.coo_matrix))(t),
    "no table": lambda t, s: s.pick(
        (object(), iter(t), (row for row in t), {"lat": t[:, 0]}, len, Source, slice(None), ...)
    ),
    "series": lambda t, s: s.pick((pd.Series(t[:, 0]), pl.Series(t[:, 0]), pd.Index(t[:, 0]))),
    "nameless DataArray": lambda t, s: xr.DataArray(t),
    "Dataset without names": lambda t, s: s.pick((xr.Dataset(), xr.Dataset({"a": ("n", t[:, 0])}), xr.DataTree())),
    "lazy frame": lambda t, s: pl.LazyFrame({"lat": t[:, 0], "lon": t[:, 1]}),
    "unknown names": _frame(("a", "b")),
    "x and y": _frame(("x", "y")),
    "only latitude": _frame(("lat", "depth")),
    "two latitudes": _frame(("lat", "latitude", "lon")),
    "equal names": _frame(("lat", "lat")),
    "equal names and more": _frame(("lat", "lon", "lon")),
    "more columns": _frame(("lat", "lon", "depth")),
    "one name": _frame(("lat",)),
    "numbered columns": _frame((0, 1)),
    "odd names": _frame((None, ("lat", "lon"))),
    "missing in a frame": _nullable,
    "text in a frame": lambda t, s: pd.DataFrame({"lat": t[:, 0], "lon": t[:, 1].astype(str)}),
    "categories in a frame": lambda t, s: pd.DataFrame({"lat": t[:, 0], "lon": pd.Categorical(t[:, 1])}),
    "bools in a frame": lambda t, s: pd.DataFrame({"lat": t[:, 0] > 0, "lon": t[:, 1]}),
    "dates in a frame": lambda t, s: pd.DataFrame({"lat": pd.to_datetime(np.zeros(len(t))), "lon": t[:, 1]}),
    "complex in a frame": lambda t, s: pd.DataFrame({"lat": t[:, 0] + 0j, "lon": t[:, 1]}),
    "far in a frame": lambda t, s: pd.DataFrame(_with(t, s, 0, s.pick(TOO_FAR_NORTH)), columns=["lat", "lon"]),
    "no rows in a frame": lambda t, s: s.pick((pd.DataFrame, pl.DataFrame))({"lat": t[:0, 0], "lon": t[:0, 1]}),
    "lists in a frame": lambda t, s: s.pick((pd.DataFrame, pl.DataFrame))({"lat": [[1.0]] * len(t), "lon": t[:, 1]}),
    "geometries": _geometries,
}
#: What is numbers all the same.
PERHAPS = ("categories in a frame", "numbers as objects", "text", "text in a frame")
LACKING = ("infinite", "masked values", "all masked", "missing in a frame")


def spoilt_points(source):
    """Points that are invalid under every policy for missing ones."""
    plain = coordinates(source, huge=False)
    way = source.pick(tuple(way for way in SPOILT if way not in LACKING))
    X = SPOILT[way](plain, source)
    if way == "geometries" and X.isna().any():
        way = "missing in a frame"
    return Input(X, None if way in PERHAPS else False, None, what=way)


def lacking_points(source):
    """Points that are invalid unless missing ones are let through."""
    plain = coordinates(source, huge=False)
    if source.chance(50):
        X = _with(plain, source, source.integer(0, 1), np.nan)
        single = source.chance(30)
        if single:
            X = np.column_stack([X[:, 0], np.fmod(X[:, 1], 720)]).astype("f4")
        return Input(X, False, X.astype(np.float64), single, "NaN")
    way = source.pick(LACKING)
    return Input(SPOILT[way](plain, source), False, None, what=way)


def any_points(source, **options):
    """Points that are valid, or not."""
    share = source.integer(0, 99)
    given = (
        valid_points(source, **options)
        if share < 60
        else lacking_points(source)
        if share < 70
        else spoilt_points(source)
    )
    source.tell("X:", given.what, "valid" if given.valid else "invalid")
    return given


# --- targets and weights


WEIGHTS = {
    "good": lambda t, s: t,
    "integers": lambda t, s: s.rng().integers(1, 5, len(t)),
    "bools": lambda t, s: np.ones(len(t), bool),
    "list": lambda t, s: t.tolist(),
    "some zero": lambda t, s: np.where(s.rng().random(len(t)) < 0.3, 0.0, t),
    "tiny": lambda t, s: t * s.pick((1e-300, 1e-200, 5e-324)),
    "huge": lambda t, s: t * s.pick((1e300, 1e200, 1e100)),
    "f4": lambda t, s: t.astype("f4"),
}
SPOILT_WEIGHTS = {
    "negative": lambda t: np.append(t[1:], -1.0),
    "NaN": lambda t: np.append(t[1:], np.nan),
    "infinite": lambda t: np.append(t[1:], np.inf),
    "length": lambda t: np.append(t, 1.0),
    "columns": lambda t: np.column_stack([t, t]),
    "text": lambda t: t.astype(str),
    "zero": np.zeros_like,
    "complex": lambda t: t + 0j,
    "masked": lambda t: np.ma.masked_array(t, True),
    "number": lambda t: 5.0,
}


def weights(source, number):
    """Weights of so many samples, and whether they are valid."""
    source = source.details()
    good = source.rng().random(number) + 0.1
    kind = source.pick(("good", *WEIGHTS, "bad"))
    source.tell("weights:", kind)
    if kind == "bad":
        bad = source.pick(tuple(SPOILT_WEIGHTS))
        source.tell(bad)
        return SPOILT_WEIGHTS[bad](good), None if bad == "number" and number == 1 else False
    return WEIGHTS[kind](good, source), None if kind in ("some zero", "tiny", "huge") else True


TARGETS = {
    "good": lambda t: t,
    "list": np.ndarray.tolist,
    "f4": lambda t: t.astype("f4"),
    "two": lambda t: np.column_stack([t, t**2]),
    "text": lambda t: np.array(["sea", "land", "ice"])[t % 3],
    "bools": lambda t: t > 0,
}
SPOILT_TARGETS = {
    "NaN": lambda t: np.append(t[1:].astype(float), np.nan),
    "infinite": lambda t: np.append(t[1:].astype(float), np.inf),
    "length": lambda t: np.append(t, t[0]),
    "words": lambda t: np.array(["a", "b"])[t.astype(int) % 2],
    "None": lambda t: None,
    "three dimensions": lambda t: t.reshape(-1, 1, 1),
    "empty": lambda t: t[:0],
    "number": lambda t: 3.0,
    "complex": lambda t: t * 1j,
}


def targets(source, number, *, classes=False):
    """Targets of so many samples, and whether they are valid."""
    source = source.details()
    rng = source.rng()
    good = rng.integers(0, 3, number) if classes else rng.normal(10.0, 3.0, number)
    if classes and number > 1:
        good[:2] = 0, 1
    others = ("list", "text", "bools", "bad") if classes else ("list", "f4", "two", "wild", "bad")
    kind = source.pick(("good",) * 4 + others)
    source.tell("y:", kind)
    if kind == "bad":
        bad = source.pick(tuple(SPOILT_TARGETS))
        source.tell(bad)
        return SPOILT_TARGETS[bad](good), None if classes and bad == "words" else False
    if kind == "wild":
        return good * source.pick((1e300, 1e160, 1e-300, 0.0, 5e-324)), None
    return TARGETS[kind](good), True


# --- patches

PATCH_NAMES = ("south", "north", "west", "east", "n_lat", "n_lon")


def patch_numbers(source, *, most_pixels):
    """Valid patch tables (n, 6) in plain float64."""
    source = source.details()
    rng = source.rng()
    number = source.pick((1, 2, 3, 6))
    edges = np.sort(rng.uniform(-90, 90, (2, number)), axis=0)
    if source.chance(40):
        edges[0], edges[1] = rng.choice([-90.0, -45.0, 0.0, 89.0], number), rng.choice([89.5, 90.0], number)
    if source.chance(20):
        height = 10.0 ** -rng.integers(0, 12, number)
        edges[1] = np.minimum(90.0, edges[0].clip(-90, 89.9) + height)
        edges[0] = np.minimum(edges[0].clip(-90, 89.9), np.nextafter(edges[1], -90))
    west = rng.uniform(-180, 180, number) + 360.0 * rng.integers(-2, 3, number) * source.chance(50)
    width = rng.choice([1e-3, 1.0, 90.0, 180.0, 359.0, 360.0], number) * (
        rng.uniform(0.1, 1, number) if source.chance(50) else 1
    )
    if source.chance(30):
        west = west.round()
    counts = rng.integers(1, most_pixels, (2, number), endpoint=True)
    east = west + width
    if source.chance(20):  # across the antimeridian as people write it
        usual = (width < 350) & (width > 0.01) & (np.abs(west) <= 180)
        east = np.where(usual, (east + 180) % 360 - 180, east)
    return np.column_stack([*edges, west, east, *counts])


def _patch_frame(table, names=PATCH_NAMES):
    return pd.DataFrame(table, columns=list(names))


SPOILT_PATCHES = {
    "south above north": lambda t, s: t[:, [1, 0, 2, 3, 4, 5]],
    "no height": lambda t, s: t[:, [0, 0, 2, 3, 4, 5]],
    "no width": lambda t, s: t[:, [0, 1, 2, 2, 4, 5]],
    "too wide": lambda t, s: _with(t, s, 3, t[:, 2].max() + 1080.0),
    "beyond a pole": lambda t, s: _with(t, s, 1, s.pick((90.1, 1e300))),
    "half a pixel": lambda t, s: _with(t, s, s.integer(4, 5), s.pick((0.5, 1.5, 0.0, -1.0, 1e300, 2.0**31))),
    "not finite": lambda t, s: _with(t, s, s.integer(0, 5), s.pick((np.nan, np.inf, -np.inf))),
    "huge east": lambda t, s: _with(t, s, 3, s.pick((1e300, 1e18))),
    "five columns": lambda t, s: t[:, :5],
    "no rows": lambda t, s: t[:0],
    "flat": lambda t, s: t[0],
    "text": lambda t, s: t.astype(str),
    "objects": lambda t, s: t.astype(object),
    "complex": lambda t, s: t + 0j,
    "masked": lambda t, s: np.ma.masked_array(t, np.eye(*t.shape, dtype=bool)),
    "sparse": lambda t, s: scipy.sparse.csr_array(t),
    "points": lambda t, s: t[:, :2],
    "nothing": lambda t, s: s.pick((None, [], 5, "a", {}, object(), np.empty((0, 0, 0, 2)), np.empty((1, 2, 2, 3)))),
    "unknown names": lambda t, s: _patch_frame(t, "abcdef"),
    "equal names": lambda t, s: _patch_frame(t, ("south", "north", "west", "west", "n_lat", "n_lon")),
    "a name less": lambda t, s: _patch_frame(t).drop(columns=s.pick(PATCH_NAMES)),
    "a name more": lambda t, s: _patch_frame(t).assign(more=1),
    "text in a frame": lambda t, s: _patch_frame(t).astype({"west": str}),
    "missing in a frame": lambda t, s: _patch_frame(t).astype("Float64").mask(np.eye(*t.shape, dtype=bool)),
    "lazy frame": lambda t, s: pl.LazyFrame(dict(zip(PATCH_NAMES, t.T, strict=True))),
    "a grid": lambda t, s: __import__("skgeo").LatLonGrid([0, 1], [0, 1]),
    "a dataset": lambda t, s: xr.Dataset({name: ("n", t[:, i]) for i, name in enumerate(PATCH_NAMES)}),
    "geometries": lambda t, s: geopandas.GeoSeries(geopandas.points_from_xy(t[:, 2], t[:, 0].clip(-80, 80)), crs=4326),
    "empty stack": lambda t, s: np.full((2, 2, 2, 2), np.nan),
    "stack too far north": lambda t, s: np.full((1, 2, 2, 2), s.pick(TOO_FAR_NORTH)),
    "infinite stack": lambda t, s: np.full((1, 2, 2, 2), np.inf),
    "text stack": lambda t, s: s.pick((np.full((1, 2, 2, 2), "a"), np.full((1, 2, 2, 2), None))),
}


def any_patches(source, *, most_pixels=12):
    """A patch table that is valid, or not; of those beyond single precision it is not known."""
    plain = patch_numbers(source, most_pixels=most_pixels)
    if source.chance(35):
        way = source.pick(tuple(SPOILT_PATCHES))
        source.tell("patches:", way)
        numbers = way in ("text", "text in a frame", "objects")  # all the same
        return Input(SPOILT_PATCHES[way](plain, source), None if numbers else False, None, what=way)
    share = source.integer(0, 99)
    if share < 60:
        given = array_form(source, plain, narrow=False)
        if source.chance(20):  # single precision may close what is thin
            table = plain.astype("f4")
            given = Input(table, None, table.astype(float), True, "f4")
    elif share < 90:
        order = source.rng().permutation(6)
        frame = _patch_frame(plain).iloc[:, order]
        if source.chance(50):
            frame = frame.astype({"n_lat": "int64", "n_lon": source.pick(("int32", "Int64", "uint32"))})
        if source.chance(40):
            frame = pl.DataFrame({name: frame[name].to_numpy(dtype=float) for name in frame})
        given = Input(frame, True, plain, False, f"{type(frame).__module__} frame {list(frame.columns)}")
    else:
        given = Input(da.from_array(plain, (source.integer(1, len(plain)), 6)), True, plain, False, "dask", None, True)
    source.tell("patches:", given.what)
    return given


def any_stack(source):
    """A stack of pixel centres: regular ones are valid; others may be refused."""
    source = source.details()
    rng = source.rng()
    number, height, width = source.integer(1, 3), source.integer(2, 5), source.integer(2, 5)
    rows, columns = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    step = source.pick((0.01, 0.25, 1.0))
    start = np.column_stack([rng.uniform(-80, 80, number), rng.uniform(-540, 540, number)])[:, None, None]
    stack = start + step * np.stack([rows, columns], axis=-1)
    if source.chance(30):
        stack = stack + 0.2 * step * rng.uniform(-1, 1, stack.shape)
    valid, single = True, source.chance(30)
    kind = source.pick(("regular", "regular", "missing", "one pixel", "copies", "wild", "special"))
    source.tell("stack:", kind)
    if kind == "missing":
        stack[rng.random(stack.shape[:3]) < 0.3] = np.nan
        valid = None
    elif kind == "one pixel":
        stack, valid = stack[:, :1, :1], None
    elif kind == "copies":
        stack[:], valid = stack[:, :1, :1], None
    elif kind == "wild":
        stack, valid = rng.uniform(-90, 90, stack.shape), None
    elif kind == "special":
        stack[..., 0], stack[..., 1] = rng.choice(LATITUDES, stack.shape[:3]), rng.choice(LONGITUDES, stack.shape[:3])
        valid = None
    if single:
        stack = stack.astype("f4")
    plain = stack.astype(float)
    if source.chance(20):
        stack = stack.tolist() if source.chance(50) else np.ma.masked_array(np.nan_to_num(stack), np.isnan(stack))
        single = single and not isinstance(stack, list)
    return Input(stack, valid, plain, single, f"stack, {kind}")


# --- grids


class Grid(NamedTuple):
    """Arguments of a grid, whether they are valid, and the centres as plain axes."""

    arguments: dict
    valid: bool | None
    latitude: Any
    longitude: Any
    single: bool = False


def _axes(source):
    """Valid axes: even or not, in either direction, in all conventions."""
    source = source.details()
    rng = source.rng()
    n_lat, n_lon = source.pick(((2, 3), (1, 4), (4, 1), (3, 2), (6, 8), (5, 12)))
    closed = source.chance(40) and n_lon > 2
    latitude = np.linspace(-90, 90, n_lat + 2)[1:-1] if source.chance(50) else np.sort(rng.uniform(-89, 89, n_lat))
    longitude = np.arange(n_lon) * (360 / n_lon) if closed else np.sort(rng.uniform(-80, 80, n_lon))
    if source.chance(20) and n_lat > 1:
        latitude = np.linspace(-90, 90, n_lat)
    if source.chance(20):
        step = 10.0 ** -source.integer(0, 6)
        latitude, longitude = (
            step * np.arange(n_lat) + rng.uniform(-80, 80),
            step * np.arange(n_lon) + rng.uniform(-180, 180),
        )
    if source.chance(40):
        latitude = latitude[::-1]
    if source.chance(30):
        longitude = longitude[::-1]
    if source.chance(50):
        longitude = (longitude + source.pick((0.0, 180.0, 90.0, -1.5))) % 360 - source.pick((0.0, 180.0, 360.0))
    if source.chance(20):
        longitude = longitude + 360.0 * rng.integers(-2, 3, n_lon)
    return latitude, longitude


def _mask(source, shape):
    source = source.details()
    rng = source.rng()
    inside = rng.random(shape)
    inside.flat[0] = 1.0
    kind = source.pick(("none", "bool", "fraction", "int", "u1", "f4", "list", "read-only", "dask"))
    source.tell("mask:", kind)
    masks = {
        "none": None,
        "bool": inside > 0.5,
        "fraction": inside,
        "int": (inside > 0.3).astype(int),
        "list": (inside > 0.4).tolist(),
        "u1": (inside > 0.3).astype("u1"),
        "f4": inside.astype("f4"),
        "read-only": _read_only(inside),
        "dask": da.from_array(inside > 0.5, 2),
    }
    return masks[kind]


def _spoilt_axis(source, axis, name):
    source = source.details()
    rng = source.rng()
    axis = np.array(axis)
    kind = source.pick(
        ("NaN", "infinite", "twice", "turns", "2-D", "empty", "text", "none", "masked", "complex", "dates", "far")
    )
    source.tell("bad", name, kind)
    if kind == "far" and name == "longitude":
        kind = "NaN"
    if kind == "turns" and axis.size < 4:
        kind = "twice"
    at = rng.integers(axis.size)
    if kind in ("NaN", "infinite", "far"):
        axis[at] = {"NaN": np.nan, "infinite": np.inf, "far": 91.0}[kind]
        return axis
    if kind == "turns":
        return np.array([0.0, 10.0, 5.0, 20.0, 1.0])
    return {
        "twice": np.append(axis, axis[-1]),
        "2-D": axis[np.newaxis],
        "empty": axis[:0],
        "text": axis.astype(str),
        "none": None,
        "masked": np.ma.masked_array(axis, np.arange(axis.size) == at),
        "complex": axis + 1j,
        "dates": np.zeros(axis.size, "M8[D]"),
    }[kind]


def any_grid(source):
    """Arguments of LatLonGrid."""
    latitude, longitude = _axes(source)
    arguments = {"latitude": latitude, "longitude": longitude, "mask": _mask(source, (latitude.size, longitude.size))}
    if source.chance(30):
        return _spoilt_grid(source, arguments, latitude, longitude)
    single = source.chance(20)
    if single:
        latitude, longitude = latitude.astype("f4"), longitude.astype("f4")
        steps = np.diff(longitude.astype(float)), np.diff(latitude.astype(float))
        if min(np.abs(step).min(initial=1) for step in steps) < 1e-3:
            return Grid(arguments | {"latitude": latitude, "longitude": longitude}, None, None, None, True)
    form = source.pick((np.array, list, _read_only, lambda axis: axis[::-1].copy()[::-1], np.ma.masked_array))
    arguments |= {"latitude": form(latitude), "longitude": form(longitude)}
    valid = True
    if source.chance(15):  # a centre between bounds, whose sign or direction is unusual
        middle = (latitude[:-1] + latitude[1:]) / 2.0
        ends = np.concatenate([[latitude[0]], middle, [latitude[-1]]]).astype(float)
        bounds = np.column_stack([ends[:-1], ends[1:]])
        arguments["latitude_bounds"] = bounds if source.chance(50) else bounds[:, ::-1]
        valid = True if latitude.size > 1 and not single else None
    if source.chance(8):  # so narrow, or so far, that rounding decides
        longitude = source.pick(
            ([0.0, 5e-324], [1e15, 1e15 + 1], [1e300, 1e300], [0.0, 1e-300, 1.0], [0.0, 359.9999999])
        )
        latitude = source.pick(([0.0, 5e-324], [89.9999999999, 90.0], [0.0, 1e-300], [-90.0, 90.0]))
        return Grid({"latitude": latitude, "longitude": longitude}, None, None, None)
    return Grid(arguments, valid, np.asarray(latitude, float), np.asarray(longitude, float), single)


def _spoilt_grid(source, arguments, latitude, longitude):
    source = source.details()
    kind = source.pick(("latitude", "longitude", "mask", "latitude_bounds", "longitude_bounds"))
    if kind in ("latitude", "longitude"):
        spoilt = _spoilt_axis(source, arguments[kind], kind)
        return Grid(arguments | {kind: spoilt, "mask": None}, False, None, None)
    shape = (latitude.size, longitude.size)
    if kind == "mask":
        ones = np.ones(shape)
        bad = source.pick(
            (
                np.ones((shape[0] + 1, shape[1])),
                0 * ones,
                ones > 2,
                55 * ones,
                -ones,
                np.nan * ones,
                ones.astype(str),
                np.ma.masked_array(ones, True),
                ones + 1j,
                1.0,
                "valid",
                object(),
                [[1], [1, 2]],
            )
        )
        source.tell("bad mask", repr(bad)[:40])
        return Grid(arguments | {"mask": bad}, False, None, None)
    wrong = source.pick(("shape", "NaN", "text", "elsewhere", "same", "number", "object"))
    source.tell("bad", kind, wrong)
    axis = np.asarray(arguments[kind.partition("_")[0]], float)
    bounds = np.column_stack([axis - 1, axis + 1])
    bad = {
        "shape": bounds[:, :1],
        "NaN": bounds * np.nan,
        "text": bounds.astype(str),
        "elsewhere": bounds / 1e3 + 60 + 47 * (axis[:1] > 0),
        "same": np.column_stack([axis, axis]),
        "number": 3,
        "object": object(),
    }[wrong]
    return Grid(arguments | {kind: bad}, None if wrong == "elsewhere" else False, None, None)


class Cells(NamedTuple):
    arguments: dict
    valid: bool | None


def any_cells(source):
    """Arguments of CellGrid."""
    source = source.details()
    rng = source.rng()
    shape = source.pick(((3, 4), (2, 2), (1, 5), (6,), (1,), (4, 3)))
    index = np.indices(shape)
    step = source.pick((0.1, 1.0, 10.0))
    latitude = rng.uniform(-50, 20) + step * index[0] + 0.3 * step * index[-1]
    longitude = rng.uniform(-360, 360) + step * index[-1]
    arguments = {"latitude": latitude, "longitude": longitude}
    if source.chance(40):
        arguments["areas"] = rng.random(shape) * 1e8
    elif source.chance(30):
        offsets = step / 3 * np.array([[-1, -1, 1, 1], [-1, 1, 1, -1]])
        arguments["vertices"] = tuple(
            axis[..., None] + offset for axis, offset in zip((latitude, longitude), offsets, strict=True)
        )
    if source.chance(40):
        arguments["mask"] = np.ones(shape) if source.chance(50) else rng.random(shape) > 0.3
    valid = bool("mask" not in arguments or arguments["mask"].any())
    kind = source.pick(("good", "good", "good", "missing", "f4", "dask", "bad", "bad", "special"))
    source.tell("cells", shape, kind, sorted(arguments))
    if kind == "missing":
        gone = rng.random(shape) < 0.4
        latitude[gone] = np.nan
        valid = False if gone.all() else valid
    elif kind == "f4":
        arguments |= {"latitude": latitude.astype("f4"), "longitude": longitude.astype("f4")}
    elif kind == "dask":
        arguments |= {"latitude": da.from_array(latitude, 2), "longitude": da.from_array(longitude, 2)}
    elif kind == "special":
        arguments |= {"latitude": rng.choice(LATITUDES, shape), "longitude": rng.choice(LONGITUDES, shape)}
        valid = None
    elif kind == "bad":
        name = source.pick(("latitude", "longitude", "areas", "vertices", "mask"))
        ones = np.ones(shape)
        bad = {
            "latitude": source.pick(
                (ones * 91, ones[..., None, None], ones * np.nan, None, "a", ones + 1j, ones * np.inf, object())
            ),
            "longitude": source.pick(
                (np.ones(99), ones * np.nan, ones * -np.inf, ones.astype(str), None, [[1], [1, 2]])
            ),
            "areas": source.pick((-ones, np.ones(99), "a", ones * np.inf, ones + 1j, object())),
            "vertices": source.pick(
                ((ones, ones), 5, "ab", (ones[..., None],) * 2, (np.full((*shape, 3), 91.0),) * 2, [None, None])
            ),
            "mask": source.pick((ones * 2, np.ones(99), ones * 0, "a", ones * np.nan, ones.astype(str), object())),
        }[name]
        source.tell("bad", name, repr(bad)[:50])
        if name == "vertices":
            arguments.pop("areas", None)
        return Cells(arguments | {name: bad}, False)
    return Cells(arguments, valid)
