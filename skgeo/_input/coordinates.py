"""Arrays and frames -> latitude and longitude in degrees; every text about coordinates that are wrong."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from skgeo._input.columns import column_values, coordinate_columns, refuse_kind
from skgeo._input.columns import frame_columns as frame_columns
from skgeo._input.columns import is_geometric as is_geometric
from skgeo._input.names import LATITUDE_NAMES as LATITUDE_NAMES
from skgeo._input.names import LONGITUDE_NAMES as LONGITUDE_NAMES
from skgeo._input.names import match_coordinate_names as match_coordinate_names
from skgeo._input.numbers import as_numbers, check_numbers, format_number, format_rows
from skgeo._typing import FloatArray
from skgeo._validation import warn_caller
from skgeo.exceptions import CoordinateError, CoordinateWarning

# Rounding of angles up to 360 degrees in single precision, 180 or 360 having been added or subtracted: 7 metres.
SINGLE_ROUNDING = 2.0 * float(np.spacing(np.float32(360.0)))
# Latitude of the poles, with rounding: pi / 2 in single precision is 90.0000025 degrees, and files have bounds of
# 90.00001. Centres, vertices and bounds up to here are clipped to 90; beyond, they are no latitudes.
POLE = 90.0 + SINGLE_ROUNDING
# Beyond this, in degrees, float64 knows a longitude no better than to a millimetre, and a model to no better than 1e-6
# of degree 100: it is no longitude, but the number that a file has where it has none (1e15, 1e20, 9.97e36).
LARGEST_LONGITUDE = 1e8
# Numbers that files have where they have no longitude, though each is one (-999 is 81 degrees east).
_FILL_VALUES = (-999.0, 999.0, -9999.0, 9999.0, -99999.0, 99999.0, -999999.0, 999999.0, -32767.0, -32768.0, 32767.0)
# Longitudes that people write down lie within these; around fill values they do.
_USUAL_LONGITUDES = (-360.0, 720.0)
# What is less wide or high, in degrees, is rounding: a hundredth of a micrometre.
THINNEST = 4.0 * 90.0 * float(np.finfo(np.float64).eps)
# Latitudes that are mostly beyond this are no swapped longitudes either: they are metres or feet.
_PROJECTED = 1000.0
# Radians of single precision may exceed pi by rounding.
_RADIANS = 1.0 + 1e-6
# Longitudes that spread over this share of a turn go around.
_NEARLY_AROUND = 0.98


class Points(NamedTuple):
    """Latitude and longitude (n,) of points in float64 degrees; both are NaN where either is missing.

    ``dtype`` is the dtype of the input and ``columns`` are the columns of the frame, None for other input. ``named``
    says that the input itself named latitude and longitude, as frames, geometries and xarray objects do.
    """

    latitude: FloatArray
    longitude: FloatArray
    dtype: np.dtype[Any]
    columns: list[str] | None = None
    named: bool = False


def read_coordinates(
    X: object,
    names: Sequence[str] | None = None,
    *,
    missing: bool | str = False,
    others: bool = False,
    columns_of_array: Sequence[str] = (),
) -> Points:
    """Read points from an array of (latitude, longitude) rows, a frame with such columns or geometries; check them.

    ``names`` are the names of the latitude and the longitude column of a frame; None recognises the usual names.
    Coordinates may be missing if ``missing`` is True; a string forbids them, and the message ends with it. With
    ``others`` a frame may have other columns, which are not read. An array has its columns in the order of
    ``columns_of_array``; without these the latitude is first.
    """
    # An array has no attributes to look for.
    geometric = type(X) is not np.ndarray and is_geometric(X)
    columns = None if type(X) is np.ndarray else _geometry_columns(X) if geometric else frame_columns(X)
    meaning = "(latitude, longitude)"
    if geometric:
        table = _point_table(X, missing)
    elif columns is None:
        swapped = bool(columns_of_array) and coordinate_columns(list(columns_of_array), names)[0] != columns_of_array[0]
        meaning = "(longitude, latitude)" if swapped else meaning
        table = read_table(X, 2, meaning, missing)
        table = table[:, ::-1] if swapped else table
    else:
        check_length(X, 2)
        table = read_columns(X, coordinate_columns(columns, names, others=others), missing)
    latitude, longitude = table.astype(np.float64).T
    absent = np.isnan(latitude) | np.isnan(longitude)
    if absent.any():
        latitude, longitude = (np.where(absent, np.nan, degrees) for degrees in (latitude, longitude))
    origin = f"columns are {meaning}" if columns is None else "the two columns may be misnamed"
    origin = "geometries are (x, y): longitude, latitude" if geometric else origin
    _check_range(latitude[~absent], longitude[~absent], np.flatnonzero(~absent), origin)
    latitude = latitude.clip(-90.0, 90.0)
    low, high = _USUAL_LONGITUDES
    if not (low <= longitude.min() and longitude.max() <= high):  # NaN is neither
        check_longitude(longitude, "X")
    return Points(latitude, longitude, table.dtype, columns, geometric or columns is not None)


def _geometry_columns(X: Any) -> list[str] | None:
    """The geometry column of a GeoDataFrame that has nothing else, as a ColumnTransformer hands it over."""
    columns = list(getattr(X, "columns", []))
    return columns if len(columns) == 1 else None


def _point_table(X: Any, missing: bool | str) -> npt.NDArray[np.float64]:
    """Latitude and longitude (n, 2) of the points of a GeoDataFrame or GeoSeries, from whatever CRS they are in."""
    kind = type(X).__name__
    if not hasattr(X, "geometry"):
        raise CoordinateError(f"X is a {kind}: pass a GeoSeries, geopandas.GeoSeries(X).")
    points = X.geometry
    check_length(points, 2)
    crs = points.crs
    if crs is None:
        raise CoordinateError(
            f"X is a {kind} without a CRS: say what its coordinates are, X.set_crs(4326) for longitude and latitude in "
            "degrees."
        )
    absent = np.asarray(points.isna() | points.is_empty)
    others = sorted(set(points[~absent].geom_type) - {"Point"})
    if others:
        raise CoordinateError(
            f"X holds {', '.join(others)}: expected points. X.representative_point() gives a point inside each."
        )
    if not crs.equals("EPSG:4326", ignore_axis_order=True):
        points = points.to_crs(4326)
        warn_caller(f"X is in {crs.to_string()}: reprojected to EPSG:4326, latitude and longitude.", CoordinateWarning)
    table = np.full((len(points), 2), np.nan)
    table[~absent] = np.column_stack([points[~absent].y, points[~absent].x])
    return check_numbers(table, "X", missing)


def read_table(X: object, n_columns: int, meaning: str, missing: bool | str = False) -> npt.NDArray[Any]:
    """A real, finite array of shape (n, n_columns), its floating dtype kept.

    NaN and masked values are let through as NaN if ``missing`` is True; a text says how they may be.
    """
    if (
        isinstance(X, np.ndarray) and type(X) is np.ndarray and X.ndim and X.dtype.kind == "f"
    ):  # the usual input needs none of the conversions below
        _check_shape(X, n_columns, meaning)
        return check_numbers(X, "X", missing)
    if sparse.issparse(X):
        raise CoordinateError("X is sparse: sparse data is not supported; pass a dense array, X.toarray().")
    refuse_kind(X, meaning)
    if isinstance(X, np.ma.MaskedArray) and X.ndim and np.ma.is_masked(X):
        if missing is not True:
            rows = np.flatnonzero(np.ma.getmaskarray(X).reshape(len(X), -1).any(axis=1))
            cure = f"drop these rows, X[~X.mask.any(axis=1)]{missing or ''}"
            raise CoordinateError(f"X has masked values in {format_rows(rows)}: {cure}.")
        X = masked_to_nan(X)
    if hasattr(X, "dims") and hasattr(X, "coords"):
        raise CoordinateError(
            f"X is a {type(X).__name__}: its columns go by names, which are not read here; pass a DataFrame, or "
            f"X.values if they are {meaning}."
        )
    try:
        table = np.asarray(X)
    except (RuntimeError, TypeError, ValueError) as error:
        raise CoordinateError(f"X, a {type(X).__name__}, is not a table of {meaning} rows: {error}") from error
    refuse_kind(table, meaning, type(X))
    _check_shape(table, n_columns, meaning)
    return check_numbers(as_numbers(table, "X", text=True), "X", missing)


def _check_shape(table: npt.NDArray[Any], n_columns: int, meaning: str) -> None:
    """Two dimensions, at least a row, the right number of columns."""
    if table.ndim != 2:
        raise CoordinateError(
            f"X has {table.ndim} dimensions, shape {table.shape}: expected 2, one row of {meaning} per sample. "
            f"Reshape your data: {'X[np.newaxis]' if table.ndim == 3 else 'X.reshape(1, -1)'} for a single sample."
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


def read_columns(X: Any, names: Sequence[str], missing: bool | str = False) -> npt.NDArray[Any]:
    """Columns of a frame as a real, finite array of shape (n, len(names)), float32 only if all are."""
    columns = {f"X column {name!r}": column_values(X, name) for name in names}
    return np.column_stack(
        [check_numbers(as_numbers(values, name, text=True), name, missing) for name, values in columns.items()]
    )


def _check_range(latitude: FloatArray, longitude: FloatArray, row: npt.NDArray[np.intp], order: str) -> None:
    """Refuse latitudes beyond the poles, and say what probably happened; values are those of the given rows."""
    outside = np.flatnonzero(np.abs(latitude) > POLE)
    if outside.size == 0:
        return
    message = f"X has latitudes outside [-90, 90] degrees in {format_rows(row[outside])}: {format_number(latitude[outside[0]])}."
    if np.median(np.abs(latitude)) > _PROJECTED:
        message += (
            " These look like projected coordinates in metres: reproject them to EPSG:4326 "
            "(longitude and latitude in degrees) first, for instance with geopandas .to_crs(4326) or pyproj."
        )
    elif np.all(np.abs(longitude) <= 90.0):
        message += f" Are they swapped? Exchanging them would make every row valid; {order}."
    else:
        message += " Columns are (latitude, longitude) in degrees."
    raise CoordinateError(message)


def warn_radians(latitude: FloatArray, longitude: FloatArray) -> None:
    """Warn when points fill the range that radians have; NaN is where a point is missing.

    Of longitudes -pi..pi it is enough that latitudes spread over more than pi / 2, or longitudes over more than pi. Of
    0..2 pi both must, as :func:`fill_radians` says, or the longitudes must go nearly all around: degrees between 0 and
    6.28 may be a region, 0..5 E and 0..1.5 N for instance. Radians of a small region pass for degrees.
    """
    latitude, longitude = latitude[~np.isnan(latitude)], longitude[~np.isnan(longitude)]
    span = radian_span(latitude, longitude)
    if span is None:
        return
    centred = float(np.abs(longitude).max()) <= _RADIANS * np.pi
    spread = span[0] > np.pi / 2 or span[1] > np.pi
    around = span[1] > _NEARLY_AROUND * 2.0 * np.pi
    if (centred and spread) or around or fill_radians(latitude, longitude):
        say_radians("X lies", "np.degrees(X)")


def fill_radians(latitude: FloatArray, longitude: FloatArray) -> bool:
    """Whether places lie within the ranges of radians, and spread over most of both.

    Latitudes over more than pi / 2, longitudes, -pi..pi or 0..2 pi, over more than three quarters of a turn. In degrees
    that is a box of two by five degrees at the equator, which happens seldom.
    """
    span = radian_span(latitude, longitude)
    return span is not None and span[0] > np.pi / 2 and span[1] > 1.5 * np.pi


def say_radians(subject: str, cure: str) -> None:
    """The one warning about radians."""
    warn_caller(
        f"{subject} within the range of radians, +-pi / 2 and +-pi or 0..2 pi, and spread over it: is it in radians? "
        f"Degrees are expected, {cure}.",
        CoordinateWarning,
    )


def radian_span(latitude: FloatArray, longitude: FloatArray) -> tuple[float, float] | None:
    """Spread of latitudes and longitudes that lie within the ranges of radians; None if they do not."""
    if not latitude.size or not longitude.size or np.abs(latitude).max() > _RADIANS * np.pi / 2:
        return None
    west, east = float(longitude.min()), float(longitude.max())
    inside = max(-west, east) <= _RADIANS * np.pi or (west >= 1.0 - _RADIANS and east <= _RADIANS * 2.0 * np.pi)
    return (float(np.ptp(latitude)), east - west) if inside else None


def check_longitude(longitude: FloatArray, name: str) -> None:
    """Refuse longitudes that are no angles but fill values: beyond LARGEST_LONGITUDE, or 1e20, 9.97e36 and the like.

    Warn of numbers such as -999 where all others are usual longitudes: any finite number is a longitude, -999 is 81
    degrees east, but hardly the only one beyond -360..720. NaN is let through.
    """
    size = np.abs(longitude)
    largest = float(np.nanmax(size, initial=0.0))
    if largest > LARGEST_LONGITUDE:
        cells = np.flatnonzero(size > LARGEST_LONGITUDE)
        raise CoordinateError(
            f"{name} has longitudes beyond {LARGEST_LONGITUDE:g} degrees in {format_rows(cells)}: "
            f"{format_number(longitude.flat[cells[0]])}. That is no longitude; is it a fill value? Make it NaN, or drop it."
        )
    fill = fill_values(longitude)
    if fill.size:
        warn_caller(
            f"{name} has the longitude {format_number(longitude.flat[fill[0]])} in {format_rows(fill)}, the others are between "
            f"{_USUAL_LONGITUDES[0]:g} and {_USUAL_LONGITUDES[1]:g}: is it a fill value? Make it NaN, or drop it.",
            CoordinateWarning,
        )


def fill_values(longitude: FloatArray) -> npt.NDArray[np.intp]:
    """Where longitudes are usual fill values, such as -999, and all others in the usual range; nowhere else."""
    low, high = _USUAL_LONGITUDES
    unusual = np.flatnonzero((longitude < low) | (longitude > high))  # NaN is neither
    return unusual if np.isin(longitude.flat[unusual], _FILL_VALUES).all() else unusual[:0]


def as_numbers_with_nan(values: Any, name: str) -> npt.NDArray[Any]:
    """Numbers as a new array of a floating dtype, NaN where masked or missing; infinity is missing too.

    Files have infinity off the disk of a geostationary satellite.
    """
    try:
        array = np.array(masked_to_nan(values))
    except (TypeError, ValueError) as error:
        raise CoordinateError(f"{name} is not an array: {error}") from error
    if array.dtype.kind == "f" and array.ndim:
        array[np.isinf(array)] = np.nan
    return check_numbers(array, name, missing=True)


def masked_to_nan(values: Any) -> Any:
    """Floating numbers, NaN where masked; what has no mask, or nothing masked, as it is."""
    if not np.ma.is_masked(values):
        return values
    return np.asarray(values.astype(np.result_type(values.dtype, np.float32)).filled(np.nan))


def check_cell_centres(values: npt.ArrayLike, others: npt.ArrayLike, name: str) -> FloatArray:
    """Latitudes or longitudes of cells in float64, NaN where they or the others are missing; within the poles."""
    centres = as_numbers_with_nan(values, name).astype(np.float64)
    if name == "latitude":
        outside = np.flatnonzero(np.abs(centres) > POLE)
        if outside.size:
            raise CoordinateError(
                f"{name} is outside [-90, 90] degrees in {outside.size} cells: {format_number(centres.flat[outside[0]])}. "
                "Swapped with longitude, projected, or a fill value that is not marked as missing?"
            )
        centres = centres.clip(-90.0, 90.0)
    centres[np.isnan(as_numbers_with_nan(others, name))] = np.nan
    return centres
