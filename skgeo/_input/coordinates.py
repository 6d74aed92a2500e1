"""Read latitude and longitude in degrees from arrays and frames, and refuse wrong coordinates with a cure."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from skgeo._input.columns import column_values, coordinate_columns, frame_columns, is_geometric, refuse_kind
from skgeo._input.numbers import as_numbers, check_numbers, detached, format_number, format_rows
from skgeo._typing import FloatArray
from skgeo._validation import warn_caller
from skgeo.exceptions import CoordinateError, CoordinateWarning

# Rounding of angles up to 360 degrees in single precision, after 180 or 360 was added or subtracted: 7 metres.
SINGLE_ROUNDING = 2.0 * float(np.spacing(np.float32(360.0)))
# Latitude of the poles, with rounding: pi / 2 in single precision is 90.0000025 degrees, and files have bounds of
# 90.00001. Centres, vertices and bounds up to this number are clipped to 90. Larger numbers are no latitudes.
POLE = 90.0 + SINGLE_ROUNDING
# Degrees. Larger longitudes have errors over a millimetre in float64, and harmonics of degree 100 errors over 1e-6.
# Files have such numbers (1e15, 1e20, 9.97e36) where a longitude is missing.
LARGEST_LONGITUDE = 1e8
# Sizes of numbers that files have where a longitude is missing. Each of them is a longitude (-999 is 81 degrees east).
_FILL_SIZES = (888.0, 999.0, 999.9, 999.99, 9999.0, 9999.9, 9999.99, 99999.0, 999999.0, 32767.0, 32768.0, 65535.0)
# In single precision, so that -9999.9 is found in float32 and float64.
_FILL_VALUES = np.array(_FILL_SIZES, dtype=np.float32)
# Longitudes that people write down lie in this range. A fill value stands alone outside of this range.
_USUAL_LONGITUDES = (-360.0, 720.0)
# Least width and height of a cell in degrees, a hundredth of a micrometre on the ground. Anything thinner is rounding.
THINNEST = 4.0 * 90.0 * float(np.finfo(np.float64).eps)
# If half of the latitudes or more are beyond this, they are metres or feet, not longitudes in the wrong column.
_PROJECTED = 1000.0
# Radians in single precision may exceed pi by rounding, by less than this factor.
_RADIANS = 1.0 + 1e-6
# Longitudes that spread over more than this share of a turn go around the Earth.
_NEARLY_AROUND = 0.98
# HEALPix cells of the first rows have longitudes down to -pi / 4 in some libraries, beside others up to 2 pi.
_WEST_OF_ZERO = np.pi / 4
# Colatitudes spread over more than this share of pi, and their longitudes over more than this share of a turn.
_COLATITUDES = 0.85


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
    allow_missing: bool = False,
    cure: str = "",
    others: bool = False,
    columns_of_array: Sequence[str] = (),
) -> Points:
    """Read points from an array of (latitude, longitude) rows, a frame with such columns or geometries; check them.

    ``names`` are the names of the latitude and the longitude column of a frame; None recognises the usual names.
    ``allow_missing`` allows missing coordinates. Otherwise the error about them ends with ``cure``, see
    :func:`check_numbers`. With ``others`` a frame may have other columns, which are not read. An array has its columns
    in the order of ``columns_of_array``; without these the latitude is first.
    """
    # An array has no attributes to look for.
    geometric = type(X) is not np.ndarray and is_geometric(X)
    columns = None if type(X) is np.ndarray else _geometry_columns(X) if geometric else frame_columns(X)
    # An error about the range says how the two coordinates were read: ``origin``.
    if geometric:
        origin = "geometries are (x, y): longitude, latitude"
        table = _point_table(X, allow_missing, cure)
    elif columns is None:
        longitude_first = (
            bool(columns_of_array) and coordinate_columns(list(columns_of_array), names)[0] != columns_of_array[0]
        )
        meaning = "(longitude, latitude)" if longitude_first else "(latitude, longitude)"
        origin = f"columns are {meaning}"
        table = read_table(X, 2, meaning, allow_missing=allow_missing, cure=cure)
        table = table[:, ::-1] if longitude_first else table
    else:
        check_length(X, 2)
        pair = coordinate_columns(columns, names, others=others)
        origin = f"column {pair[0]!r} is read as latitude and {pair[1]!r} as longitude"
        table = read_columns(X, pair, allow_missing=allow_missing, cure=cure)
    # float64 columns are views of X: copies of them would double the memory of large tables.
    latitude, longitude = table.astype(np.float64, copy=False).T
    # A point without one of its two coordinates has no place.
    absent = np.isnan(latitude) | np.isnan(longitude)
    if absent.any():
        latitude, longitude = (np.where(absent, np.nan, degrees) for degrees in (latitude, longitude))
    # fmin and fmax ignore NaN.
    if latitude.size and (np.fmin.reduce(latitude) < -90.0 or np.fmax.reduce(latitude) > 90.0):
        _check_range(latitude[~absent], longitude[~absent], np.flatnonzero(~absent), origin)
        latitude = latitude.clip(-90.0, 90.0)
    low, high = _USUAL_LONGITUDES
    if not (low <= longitude.min() and longitude.max() <= high):  # NaN is neither
        check_longitude(longitude, "X")
    return Points(latitude, longitude, table.dtype, columns, geometric or columns is not None)


def _geometry_columns(X: Any) -> list[str] | None:
    """Return the only column of a GeoDataFrame, as a ColumnTransformer passes it; None if there are others."""
    columns = list(getattr(X, "columns", []))
    return columns if len(columns) == 1 else None


def _point_table(X: Any, allow_missing: bool, cure: str) -> npt.NDArray[np.float64]:
    """Return latitude and longitude (n, 2) of the points of a GeoDataFrame or GeoSeries in any CRS."""
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
    return check_numbers(table, "X", allow_missing=allow_missing, cure=cure)


def read_table(
    X: object, n_columns: int, meaning: str, *, allow_missing: bool = False, cure: str = ""
) -> npt.NDArray[Any]:
    """Return a real, finite array of shape (n, n_columns) in the floating dtype of X.

    ``allow_missing`` allows NaN and masked values, which are returned as NaN. Otherwise the error about them ends with
    ``cure``, see :func:`check_numbers`.
    """
    if (
        isinstance(X, np.ndarray) and type(X) is np.ndarray and X.ndim and X.dtype.kind == "f"
    ):  # the usual input needs none of the conversions below
        _check_shape(X, n_columns, meaning)
        return check_numbers(X, "X", allow_missing=allow_missing, cure=cure)
    X = detached(X)
    if sparse.issparse(X):
        raise CoordinateError("X is sparse: sparse data is not supported; pass a dense array, X.toarray().")
    refuse_kind(X, meaning)
    if isinstance(X, np.ma.MaskedArray) and X.ndim and np.ma.is_masked(X):
        if not allow_missing:
            rows = np.flatnonzero(np.ma.getmaskarray(X).reshape(len(X), -1).any(axis=1))
            raise CoordinateError(
                f"X has masked values in {format_rows(rows)}: drop these rows, X[~X.mask.any(axis=1)]{cure}."
            )
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
    return check_numbers(as_numbers(table, "X", text=True), "X", allow_missing=allow_missing, cure=cure)


def _check_shape(table: npt.NDArray[Any], n_columns: int, meaning: str) -> None:
    """Refuse a table without two dimensions, without rows, or with a wrong number of columns."""
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
    """Refuse a table without rows."""
    if len(table) == 0:
        raise CoordinateError(f"X is empty: 0 sample(s) (shape=(0, {n_features})) while a minimum of 1 is required.")


def read_columns(X: Any, names: Sequence[str], *, allow_missing: bool = False, cure: str = "") -> npt.NDArray[Any]:
    """Return columns of a frame as a real, finite array (n, len(names)): float32 if all columns are, else float64."""
    columns = {f"X column {name!r}": column_values(X, name) for name in names}
    return np.column_stack(
        [
            check_numbers(as_numbers(values, name, text=True), name, allow_missing=allow_missing, cure=cure)
            for name, values in columns.items()
        ]
    )


def _check_range(latitude: FloatArray, longitude: FloatArray, row: npt.NDArray[np.intp], origin: str) -> None:
    """Refuse latitudes beyond the poles, and say what probably happened.

    ``row`` holds the row number of each value. ``origin`` says how the coordinates were read.
    """
    outside = np.flatnonzero(np.abs(latitude) > POLE)
    if outside.size == 0:
        return
    first = format_number(latitude[outside[0]])
    message = f"X has latitudes outside [-90, 90] degrees in {format_rows(row[outside])}: {first}."
    if np.median(np.abs(latitude)) > _PROJECTED:
        message += (
            " These look like projected coordinates in metres: reproject them to EPSG:4326 "
            "(longitude and latitude in degrees) first, for instance with geopandas .to_crs(4326) or pyproj."
        )
    elif np.all(np.abs(longitude) <= 90.0):
        message += f" Are they swapped? Exchanging them would make every row valid; {origin}."
    else:
        message += f" {origin[0].upper()}{origin[1:]} in degrees."
    raise CoordinateError(message)


def warn_radians(latitude: FloatArray, longitude: FloatArray) -> None:
    """Warn when points fill the range of radians. Coordinates of missing points are NaN.

    If longitudes lie in -pi..pi, the warning needs latitudes over more than pi / 2, or longitudes over more than pi. If
    longitudes lie in 0..2 pi, the warning needs places that fill both ranges (:func:`fill_radians`), or longitudes
    nearly all around: degrees between 0 and 6.28 may be a region, for instance 0..5 E and 0..1.5 N. Radians of a small
    region are taken for degrees. Latitudes over 0..pi are colatitudes, if longitudes go around as well.
    """
    # Most points are in degrees: latitudes beyond 3.2 are no radians, and need no copies.
    if latitude.size and (np.fmin.reduce(latitude) < -2.0 or np.fmax.reduce(latitude) > 3.2):
        return
    latitude, longitude = latitude[~np.isnan(latitude)], longitude[~np.isnan(longitude)]
    if spread_as_radians(latitude, longitude):
        say_radians("X lies", "np.degrees(X)")
    elif _fill_colatitudes(latitude, longitude):
        warn_caller(
            "X lies within 0..pi and 0..2 pi, and is spread over both: is it in radians, with colatitudes first, as "
            "from pix2ang of HEALPix? Degrees are expected, latitude = 90 - np.degrees(colatitude) and "
            "np.degrees(longitude).",
            CoordinateWarning,
        )


def spread_as_radians(latitude: FloatArray, longitude: FloatArray) -> bool:
    """Whether places are spread over the range of radians, by the rule of :func:`warn_radians`; none is missing."""
    span = radian_span(latitude, longitude)
    if span is not None:
        centred = float(np.abs(longitude).max()) <= _RADIANS * np.pi
        spread = span[0] > np.pi / 2 or span[1] > np.pi
        if (centred and spread) or span[1] > _NEARLY_AROUND * 2.0 * np.pi:
            return True
    return fill_radians(latitude, longitude)


def _fill_colatitudes(latitude: FloatArray, longitude: FloatArray) -> bool:
    """Whether places lie in 0..pi and in a range of longitudes in radians, and spread over nearly all of both."""
    if not latitude.size or latitude.min() < 0.0 or latitude.max() > _RADIANS * np.pi:
        return False
    around = np.ptp(longitude) > _COLATITUDES * 2.0 * np.pi
    return bool(np.ptp(latitude) > _COLATITUDES * np.pi and around and _in_radians(longitude, _WEST_OF_ZERO))


def fill_radians(latitude: FloatArray, longitude: FloatArray) -> bool:
    """Whether places lie within the ranges of radians and spread over most of both ranges.

    Latitudes spread over more than pi / 2, and longitudes, in -pi..pi or -pi / 4..2 pi, over more than three quarters
    of a turn. In degrees such places lie in a box of two by five degrees at the equator, which is rare.
    """
    span = radian_span(latitude, longitude, _WEST_OF_ZERO)
    return span is not None and span[0] > np.pi / 2 and span[1] > 1.5 * np.pi


def say_radians(subject: str, cure: str) -> None:
    """Warn of radians, with one text for points, grids and patches."""
    warn_caller(
        f"{subject} within the range of radians, +-pi / 2 and +-pi or 0..2 pi, and spread over it: is it in radians? "
        f"Degrees are expected, {cure}.",
        CoordinateWarning,
    )


def radian_span(latitude: FloatArray, longitude: FloatArray, west_of_zero: float = 0.0) -> tuple[float, float] | None:
    """Return the spread of latitudes and of longitudes in the ranges of radians; None if one lies outside of them.

    Longitudes in 0..2 pi may reach ``west_of_zero`` radians below zero.
    """
    if not latitude.size or not longitude.size or np.abs(latitude).max() > _RADIANS * np.pi / 2:
        return None
    return (float(np.ptp(latitude)), float(np.ptp(longitude))) if _in_radians(longitude, west_of_zero) else None


def _in_radians(longitude: FloatArray, west_of_zero: float) -> bool:
    """Whether longitudes lie in -pi..pi, or in 0..2 pi with ``west_of_zero`` radians below zero."""
    west, east = float(longitude.min()), float(longitude.max())
    low, high = 1.0 - _RADIANS - west_of_zero, _RADIANS * 2.0 * np.pi
    return max(-west, east) <= _RADIANS * np.pi or (west >= low and east <= high)


def within_usual(longitude: FloatArray) -> bool:
    """Whether no longitude is outside of the range that people write down; NaN is ignored. No copies are made."""
    low, high = _USUAL_LONGITUDES
    if not longitude.size:
        return True
    west, east = np.fmin.reduce(longitude, axis=None), np.fmax.reduce(longitude, axis=None)
    return not (west < low or east > high)


def check_longitude(longitude: FloatArray, name: str) -> None:
    """Refuse longitudes beyond LARGEST_LONGITUDE, such as 1e20 and 9.97e36: they are fill values, no angles.

    Warn of numbers such as -999 where all other longitudes are usual ones. -999 is 81 degrees east, but it is hardly
    the only longitude outside of -360..720. NaN is allowed.
    """
    size = np.abs(longitude)
    largest = float(np.nanmax(size, initial=0.0))
    if largest > LARGEST_LONGITUDE:
        cells = np.flatnonzero(size > LARGEST_LONGITUDE)
        raise CoordinateError(
            f"{name} has longitudes beyond {LARGEST_LONGITUDE:g} degrees in {format_rows(cells)}: "
            f"{format_number(longitude.flat[cells[0]])}. That is no longitude; is it a fill value? "
            "Make it NaN, or drop it."
        )
    fill = fill_values(longitude)
    if fill.size:
        warn_caller(
            f"{name} has the longitude {format_number(longitude.flat[fill[0]])} in {format_rows(fill)}, the others are "
            f"between {_USUAL_LONGITUDES[0]:g} and {_USUAL_LONGITUDES[1]:g}: is it a fill value? "
            "Make it NaN, or drop it.",
            CoordinateWarning,
        )


def fill_values(longitude: FloatArray) -> npt.NDArray[np.intp]:
    """Return where longitudes are usual fill values, such as -999, if all others lie in the usual range."""
    low, high = _USUAL_LONGITUDES
    unusual = np.flatnonzero((longitude < low) | (longitude > high))  # NaN is neither
    with np.errstate(over="ignore"):  # 1e300 is infinite in float32
        single = np.abs(longitude.flat[unusual]).astype(np.float32)
    return unusual if np.isin(single, _FILL_VALUES).all() else unusual[:0]


def as_numbers_with_nan(values: Any, name: str) -> npt.NDArray[Any]:
    """Return numbers as a new array of a floating dtype, with NaN where a value is masked, missing or infinite.

    Files of geostationary satellites have infinity for pixels off the disk of the Earth.
    """
    try:
        array = np.array(masked_to_nan(detached(values)))
    except (TypeError, ValueError) as error:
        raise CoordinateError(f"{name} is not an array: {error}") from error
    if array.dtype.kind == "f" and array.ndim:
        array[np.isinf(array)] = np.nan
    return check_numbers(array, name, allow_missing=True)


def masked_to_nan(values: Any) -> Any:
    """Return masked numbers as floats with NaN where masked; return values without masked ones unchanged."""
    if not np.ma.is_masked(values):
        return values
    return np.asarray(values.astype(np.result_type(values.dtype, np.float32)).filled(np.nan))


def checked_latitudes(latitude: FloatArray, longitude: FloatArray) -> FloatArray:
    """Latitudes of cells in float64, NaN where either coordinate is missing; refused beyond the poles."""
    outside = np.flatnonzero(np.abs(latitude) > POLE)
    if outside.size:
        raise CoordinateError(
            f"latitude is outside [-90, 90] degrees in {outside.size} cells: "
            f"{format_number(latitude.flat[outside[0]])}. Swapped with longitude, projected, or a fill value that is "
            "not marked as missing?"
        )
    return np.where(np.isnan(longitude), np.nan, latitude.astype(np.float64).clip(-90.0, 90.0))


def checked_longitudes(longitude: FloatArray, latitude: FloatArray) -> FloatArray:
    """Longitudes of cells in float64, NaN where either coordinate is missing; fill values are refused."""
    longitude = np.where(np.isnan(latitude), np.nan, longitude.astype(np.float64))
    check_longitude(longitude, "longitude")
    return longitude
