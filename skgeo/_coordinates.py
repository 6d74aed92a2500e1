"""Arrays and frames -> latitude and longitude in degrees; every text about coordinates that are wrong."""

from collections.abc import Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt
from scipy import sparse

from skgeo._harmonics import FloatArray
from skgeo._parameters import warn_caller
from skgeo.exceptions import CoordinateError, CoordinateWarning

LATITUDE_NAMES = ("lat", "latitude")
LONGITUDE_NAMES = ("lon", "lng", "long", "longitude")

# Latitude of the poles, with a tenth of a millimetre for rounding.
POLE = 90.0 + 1e-9
# Latitudes that are mostly beyond this are no swapped longitudes either: they are metres or feet.
_PROJECTED = 1000.0
# Fractions come out of regridding with rounding errors of so much.
_FRACTION = 1e-6
# Rounding of longitudes in single precision, 180 and 360 having been added or subtracted.
_SINGLE_ROUNDING = 2.0 * float(np.spacing(np.float32(360.0)))
# A gap between the last and the first column of less than this share of a step is the first column once more.
_REPEATED = 1e-3


class Coordinates(NamedTuple):
    """Latitude and longitude (n,) in float64 degrees, the dtype they came in, and the columns of the frame."""

    latitude: FloatArray
    longitude: FloatArray
    dtype: np.dtype[Any]
    columns: list[str] | None


def read_coordinates(X: object, names: Sequence[str] | None = None) -> Coordinates:
    """Read points from an array of (latitude, longitude) rows or a frame with such columns, and check them.

    ``names`` are the names of the latitude and the longitude column of a frame; None recognises the usual ones.
    """
    columns = frame_columns(X)
    if columns is None:
        table = read_table(X, 2, "(latitude, longitude)")
    else:
        check_length(X, 2)
        table = read_columns(X, _coordinate_columns(columns, names))
    latitude, longitude = table.astype(np.float64).T
    _check_range(latitude, longitude, named=columns is not None)
    return Coordinates(latitude, longitude, table.dtype, columns)


def frame_columns(X: object) -> list[str] | None:
    """Column names of a pandas or polars DataFrame or a pyarrow Table; None for anything else."""
    if hasattr(X, "lazy") and hasattr(X, "collect"):
        raise CoordinateError(f"X is a {type(X).__name__}, which has no values yet: pass X.collect().")
    if hasattr(X, "column_names"):
        return list(X.column_names)
    return list(X.columns) if hasattr(X, "columns") and hasattr(X, "dtypes") else None


def read_table(X: object, n_columns: int, meaning: str) -> npt.NDArray[Any]:
    """A real, finite array of shape (n, n_columns), its floating dtype kept."""
    if sparse.issparse(X):
        raise CoordinateError("X is sparse: sparse data is not supported; pass a dense array, X.toarray().")
    if isinstance(X, np.ma.MaskedArray) and X.ndim and np.ma.is_masked(X):
        rows = np.flatnonzero(np.ma.getmaskarray(X).reshape(len(X), -1).any(axis=1))
        raise CoordinateError(f"X has masked values in {_rows(rows)}: drop these rows, X[~X.mask.any(axis=1)].")
    if hasattr(X, "dims") and hasattr(X, "coords"):
        raise CoordinateError(
            f"X is a {type(X).__name__}: its columns go by names, which are not read here; pass a DataFrame, or "
            f"X.values if they are {meaning}."
        )
    try:
        table = np.asarray(X)
    except (RuntimeError, TypeError, ValueError) as error:
        raise CoordinateError(f"X, a {type(X).__name__}, is not a table of {meaning} rows: {error}") from error
    _check_shape(table, n_columns, meaning)
    return check_numbers(table, "X")


def _check_shape(table: npt.NDArray[Any], n_columns: int, meaning: str) -> None:
    """Two dimensions, at least a row, the right number of columns."""
    if table.ndim != 2:
        raise CoordinateError(
            f"X has {table.ndim} dimensions, shape {table.shape}: expected 2, one row of {meaning} per sample. "
            "Reshape your data: X.reshape(1, -1) for a single sample."
        )
    n_samples, n_features = table.shape
    if n_features == 0:
        raise CoordinateError(
            f"X has 0 feature(s) (shape=({n_samples}, 0)) while a minimum of {n_columns} is required: {meaning}."
        )
    check_length(table, n_features)
    if n_features != n_columns:
        raise CoordinateError(f"X has {n_features} features, but {n_columns} are expected: {meaning}.")


def check_length(table: Any, n_features: int) -> None:
    """At least one row."""
    if len(table) == 0:
        raise CoordinateError(f"X is empty: 0 sample(s) (shape=(0, {n_features})) while a minimum of 1 is required.")


def check_numbers(values: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    """Refuse what is no finite real number, naming the first row; integers become float64."""
    if values.dtype.kind == "c":
        raise CoordinateError(
            f"{name} is complex in {_rows(np.arange(len(values)))}: Complex data not supported, take {name}.real."
        )
    if values.dtype.kind not in "fiu":
        rows = np.flatnonzero([not _is_number(row) for row in values.reshape(len(values), -1)])
        where = f" in {_rows(rows)}, {values[rows[0]]!r}" if rows.size else ""
        raise CoordinateError(
            f"{name} holds {values.dtype} values{where}: expected numbers. "
            "Convert them first, for instance with astype(float); text such as 41°24'N needs parsing."
        )
    single = values.dtype.kind == "f" and values.dtype.itemsize == 4
    values = values.astype(np.float32 if single else np.float64, copy=False)  # and in native byte order
    bad = ~np.isfinite(values)
    if bad.any():
        rows = np.flatnonzero(bad.reshape(len(values), -1).any(axis=1))
        raise CoordinateError(f"{name} contains NaN or infinity in {_rows(rows)}: drop or impute these rows first.")
    return values


def _is_number(row: npt.NDArray[Any]) -> bool:
    """Whether all entries are numbers, which bools are not."""
    return all(isinstance(value, (int, float, np.number)) and not isinstance(value, bool) for value in row.tolist())


def read_columns(X: Any, names: Sequence[str]) -> npt.NDArray[Any]:
    """Columns of a frame as a real, finite array of shape (n, len(names)), float32 only if all are."""
    return np.column_stack([check_numbers(_column_values(X[name]), f"X column {name!r}") for name in names])


def _column_values(column: Any) -> npt.NDArray[Any]:
    """Values of a column of a frame; missing values of nullable columns become NaN."""
    values = np.asarray(column.to_numpy())
    kind = getattr(getattr(column, "dtype", None), "kind", "O")
    if values.dtype == object and kind in "fiu":  # pandas nullable or Arrow numbers
        return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    return values


def _coordinate_columns(columns: list[str], names: Sequence[str] | None) -> tuple[str, str]:
    """Names of the latitude and longitude columns of a frame that has these two columns and no others."""
    if names is not None:
        latitude, longitude = names
        if sorted(map(str, columns)) != sorted([latitude, longitude]):
            _refuse_columns(columns, f"expected the columns {latitude!r} and {longitude!r} that coordinates= names")
        return latitude, longitude
    found = [[name for name in columns if str(name).lower() in known] for known in (LATITUDE_NAMES, LONGITUDE_NAMES)]
    for kind, matches in zip(("latitude", "longitude"), found, strict=True):
        if len(matches) > 1:
            _refuse_columns(columns, f"more than one looks like a {kind}: {matches}")
    if not all(found) and {"x", "y"} <= {str(name).lower() for name in columns}:
        _refuse_columns(columns, "x and y may be projected, or in either order")
    if not all(found):
        _refuse_columns(columns, "no latitude and longitude among them")
    if len(columns) > 2:
        _refuse_columns(columns, "expected latitude and longitude only")
    return found[0][0], found[1][0]


def _refuse_columns(columns: list[str], reason: str) -> NoReturn:
    raise CoordinateError(
        f"X has the columns {columns}: {reason}. Name them 'latitude' and 'longitude' (or lat, lon, lng, long), "
        "say which they are with coordinates=('my_lat', 'my_lon'), or select them, X[['lat', 'lon']], for "
        "instance in a ColumnTransformer."
    )


def _check_range(latitude: FloatArray, longitude: FloatArray, *, named: bool) -> None:
    """Refuse latitudes beyond the poles, and say what probably happened."""
    rows = np.flatnonzero(np.abs(latitude) > POLE)
    if rows.size == 0:
        return
    row = rows[0]
    message = f"X has latitudes outside [-90, 90] degrees in {_rows(rows)}: {number(latitude[row])}."
    if np.median(np.abs(latitude)) > _PROJECTED:
        message += (
            " These look like projected coordinates in metres: reproject them to EPSG:4326 "
            "(longitude and latitude in degrees) first, for instance with geopandas .to_crs(4326) or pyproj."
        )
    elif np.all(np.abs(longitude) <= 90.0):
        order = "the two columns may be misnamed" if named else "columns are (latitude, longitude)"
        message += f" Are they swapped? Exchanging them would make every row valid; {order}."
    else:
        message += " Columns are (latitude, longitude) in degrees."
    raise CoordinateError(message)


def warn_radians(latitude: FloatArray, longitude: FloatArray) -> None:
    """Warn when coordinates fill the range that radians have."""
    if np.abs(latitude).max() > np.pi / 2 or np.abs(longitude).max() > np.pi:
        return
    if np.ptp(latitude) > np.pi / 2 or np.ptp(longitude) > np.pi:
        warn_caller(
            "X lies within +-pi and is spread over that range: is it in radians? Degrees are expected, np.degrees(X).",
            CoordinateWarning,
        )


def check_axis(values: npt.ArrayLike, name: str) -> tuple[FloatArray, np.dtype[Any]]:
    """One axis of a grid as a new float64 array, and the floating dtype it came in.

    Finite and strictly monotone, latitudes within the poles; longitudes are unwrapped before they can be monotone.
    """
    if np.ma.is_masked(values):
        raise CoordinateError(f"{name} has masked values: an axis of a grid has no gaps.")
    try:
        axis = np.array(values)
    except (TypeError, ValueError) as error:
        raise CoordinateError(f"{name} is not an array: {error}") from error
    if axis.ndim != 1 or axis.size == 0:
        raise CoordinateError(f"{name} has shape {axis.shape}: expected one dimension with at least one value.")
    axis = check_numbers(axis, name)
    dtype, axis = axis.dtype, axis.astype(np.float64)
    if name == "longitude":
        return axis, dtype
    outside = np.flatnonzero(np.abs(axis) > POLE)
    if outside.size:
        raise CoordinateError(
            f"{name} is outside [-90, 90] degrees in {_rows(outside)}: {number(axis[outside[0]])}. "
            "Swapped with longitude, or projected?"
        )
    _check_monotone(np.diff(axis), axis, name)
    return axis, dtype


def unwrap_longitude(longitude: FloatArray) -> FloatArray:
    """Longitudes of grid columns continued across the seam, so that they rise or fall throughout."""
    steps = 180.0 - (180.0 - np.diff(longitude)) % 360.0
    _check_monotone(steps, longitude, "longitude")
    if 360.0 - abs(steps.sum()) < _REPEATED * np.abs(steps).min(initial=360.0):
        raise CoordinateError(
            f"longitude goes around more than once, from {number(longitude[0])} to {number(longitude[-1])}: "
            "drop the columns that repeat."
        )
    along = longitude[0] + np.concatenate([[0.0], np.cumsum(steps)])
    return longitude + 360.0 * np.round((along - longitude) / 360.0)


def even_axis(axis: FloatArray) -> FloatArray:
    """The evenly spaced axis of which single precision made this one, if there is one; else the axis as it is.

    Files hold axes in single precision, where columns of a twentieth of a degree have widths that differ in the third
    digit, and differently in another longitude convention. Step and first value are taken to be the simplest fractions
    that agree with all values to their rounding.
    """
    if axis.size < 3:
        return axis
    count = np.arange(axis.size)
    step = _simplest_fraction((axis[-1] - axis[0]) / (axis.size - 1), 2.0 * _SINGLE_ROUNDING / (axis.size - 1))
    offset = _simplest_fraction(float(np.mean(axis - step * count)) / step, _SINGLE_ROUNDING / abs(step))
    even = np.asarray((offset + count) * step, dtype=np.float64)
    return even if np.abs(even - axis).max() <= _SINGLE_ROUNDING else axis


def _simplest_fraction(value: float, tolerance: float) -> float:
    """The fraction of the least denominator within a tolerance; the value itself if that is no small one."""
    denominator = np.arange(1, 10_000)
    fraction = np.round(value * denominator) / denominator
    near = np.abs(fraction - value) <= tolerance
    return float(fraction[np.argmax(near)]) if near.any() else value


def _check_monotone(steps: FloatArray, axis: FloatArray, name: str) -> None:
    """Refuse an axis that turns or stands still."""
    turns = np.flatnonzero(steps * np.sign(steps.sum() or 1.0) <= 0.0)
    if turns.size:
        i = int(turns[0])
        raise CoordinateError(
            f"{name} must rise or fall throughout, but goes from {number(axis[i])} to {number(axis[i + 1])} at "
            f"position {i}: sort the axis, with the data along it, and drop repeated values."
        )


def check_mask(mask: npt.ArrayLike, shape: tuple[int, int]) -> npt.NDArray[Any]:
    """The mask of a grid as a new array: bool, or float64 fractions in [0, 1]."""
    if np.ma.is_masked(mask):
        raise CoordinateError("mask has masked values: fill them, mask.filled(0), to leave those cells out.")
    values = np.array(mask)
    if values.shape != shape:
        raise CoordinateError(
            f"mask has shape {values.shape}, the grid has {shape} (latitude, longitude): transpose or subset it."
        )
    if values.dtype.kind != "b":
        values = check_numbers(values, "mask").astype(np.float64)
        outside = np.argwhere((values < -_FRACTION) | (values > 1.0 + _FRACTION))
        if len(outside):
            row, column = outside[0].tolist()
            raise CoordinateError(
                f"mask is outside [0, 1] in {len(outside)} cells, the first at ({row}, {column}): "
                f"{number(values[row, column])}. Give booleans or the fraction of each cell; percent needs mask / 100."
            )
        values = values.clip(0.0, 1.0)
    if not values.any():
        raise CoordinateError("mask keeps nothing: all cells are False or 0. True or 1 means inside the domain.")
    return values


def number(value: float) -> str:
    """A number as people write it, in full where a shorter form would be another number."""
    short = f"{value:.15g}"
    return short if float(short) == value else repr(float(value))


def _rows(rows: npt.NDArray[np.intp]) -> str:
    """How many rows, and the first."""
    return f"{rows.size} row{'s' if rows.size != 1 else ''}, first row {rows[0]}"


def check_bounds(bounds: npt.ArrayLike, centres: FloatArray, name: str) -> FloatArray:
    """The true edges (n, 2) of the cells of an axis, lower first, from CF bounds; neighbours share one value.

    ``centres`` are checked, longitudes unwrapped. Longitude edges are brought to their centres by whole turns, and the
    outermost are exactly a turn apart where they meet.
    """
    edges = _bring_near(_read_bounds(bounds, centres.size, name), centres, name)
    rounding = edge_rounding(edges)
    low, high = edges[:: _direction(centres)].T
    i = _first(np.abs(high[:-1] - low[1:]) > rounding)
    if i is not None:
        word = "overlap" if high[i] > low[i + 1] else "leave a gap"
        _refuse_bounds(name, f"{word} between {number(high[i])} and {number(low[i + 1])}: cells must touch")
    i = _first((centres < edges[:, 0] - rounding) | (centres > edges[:, 1] + rounding))
    if i is not None:
        cell = f"{number(edges[i, 0])}..{number(edges[i, 1])}"
        _refuse_bounds(name, f"put the centre {number(centres[i])} at position {i} outside its cell {cell}")
    shared = np.concatenate([low[:1], (high[:-1] + low[1:]) / 2.0, high[-1:]])
    if name == "longitude" and abs(shared[-1] - shared[0] - 360.0) <= rounding:
        shared[-1] = shared[0] + 360.0
    elif shared[-1] - shared[0] > 360.0:
        _refuse_bounds(name, f"go around more than once, from {number(shared[0])} to {number(shared[-1])}")
    return np.column_stack([shared[:-1], shared[1:]])[:: _direction(centres)]


def edge_rounding(edges: FloatArray) -> float:
    """How far edges of single precision may be off, and never as much as matters to the narrowest cell."""
    return min(_SINGLE_ROUNDING, 0.1 * float(np.diff(edges, axis=1).min()))


def true_edges(given: FloatArray, default: FloatArray) -> FloatArray:
    """Edges from bounds, or the default ones where both are the same to the rounding of single precision."""
    same = np.abs(given - default).max() <= edge_rounding(given)
    return default if same else given


def _read_bounds(bounds: npt.ArrayLike, count: int, name: str) -> FloatArray:
    """Bounds as an array of finite numbers (count, 2)."""
    if np.ma.is_masked(bounds):
        _refuse_bounds(name, "have masked values")
    try:
        edges = np.array(bounds)
    except (TypeError, ValueError) as error:
        raise CoordinateError(f"{name}_bounds are not an array: {error}") from error
    if edges.shape != (count, 2):
        _refuse_bounds(name, f"have shape {edges.shape}: expected ({count}, 2), both edges of each cell")
    return check_numbers(edges, f"{name}_bounds").astype(np.float64)


def _bring_near(edges: FloatArray, centres: FloatArray, name: str) -> FloatArray:
    """Both edges of each cell, the lower first: latitudes inside the poles, longitudes around their centres."""
    if name == "latitude":
        outside = _first(np.abs(edges).max(axis=1) > 90.0 + _SINGLE_ROUNDING)
        if outside is not None:
            cell = " and ".join(map(number, edges[outside]))
            _refuse_bounds(name, f"reach beyond a pole at position {outside}, {cell}: clip them to [-90, 90]")
        edges = np.sort(edges.clip(-90.0, 90.0), axis=1)
    else:
        edges = _arcs(edges, centres)
    empty = _first(edges[:, 0] >= edges[:, 1])
    if empty is not None:
        _refuse_bounds(name, f"give the cell at position {empty} no width: both edges are {number(edges[empty, 0])}")
    return edges


def _arcs(edges: FloatArray, centres: FloatArray) -> FloatArray:
    """Of the two arcs between the longitudes of each pair that which holds the centre; the narrower if both do."""
    low, high = np.sort(edges, axis=1).T
    arcs = np.stack([np.stack([low, high]), np.stack([high, low + 360.0])])
    arcs += 360.0 * np.round((centres - arcs.mean(axis=1, keepdims=True)) / 360.0)
    (west, east), width = arcs.swapaxes(0, 1), arcs[:, 1] - arcs[:, 0]
    holds = (west - _SINGLE_ROUNDING <= centres) & (centres <= east + _SINGLE_ROUNDING) & (width > _SINGLE_ROUNDING)
    other = holds[1] & (~holds[0] | (width[1] < width[0])) & (high - low > _SINGLE_ROUNDING)
    return np.where(other, arcs[1], arcs[0]).T


def _direction(centres: FloatArray) -> int:
    """1 for an axis that rises, -1 for one that falls."""
    return 1 if centres[0] <= centres[-1] else -1


def _first(bad: npt.NDArray[np.bool_]) -> int | None:
    """Where a condition first holds."""
    return int(np.argmax(bad)) if bad.any() else None


def _refuse_bounds(name: str, reason: str) -> NoReturn:
    raise CoordinateError(
        f"{name}_bounds {reason}. Correct them, or leave them out for edges midway between the centres "
        "(from xarray: drop_vars the variable of the bounds)."
    )
