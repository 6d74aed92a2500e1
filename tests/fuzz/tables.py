"""Tables of places as people hold them, each with its true latitudes and longitudes in plain float64 degrees.

GBIF's names, blanks around names, pairs such as pickup_lat and pickup_lon, columns in either order, numbers of dtype
object, Decimal, radians as the haversine distance wants them. Nothing here asks skgeo.
"""

import decimal
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
from places import uniform


class Table(NamedTuple):
    """A table, its true places (n, 2), whether it is what people ordinarily hold, and names to be declared."""

    X: Any
    plain: np.ndarray
    benign: bool
    names: tuple | None = None
    columns: int = 2


#: Names of columns that are found without being declared.
FOUND = (
    ("lat", "lon"),
    ("latitude", "longitude"),
    ("Latitude", "Longitude"),
    ("LAT", "LONG"),
    ("lat", "lng"),
    ("decimalLatitude", "decimalLongitude"),
    ("decimallatitude", "decimallongitude"),
    (" lat", " lon"),
    ("latitude ", " longitude"),
    ("pickup_lat", "pickup_lon"),
    ("start_latitude", "start_longitude"),
    ("site_lat", "site_lng"),
)
#: Names that mean nothing until they are declared.
DECLARED = (("a", "b"), ("y", "x"), ("N", "E"), ("breite", "laenge"))
#: Other columns; some look like coordinates.
MORE = ("year", "species", "coordinateUncertaintyInMeters", "flat", "colon", "population", "plateau")
SECOND_PAIR = ("dropoff_lat", "dropoff_lon")


def _numbers(kind, values):
    """A column in some dtype, and what its values are."""
    if kind == "f4":
        values = values.astype(np.float32)
    elif kind == "object":
        return values.astype(object), values
    elif kind == "Decimal":
        values = values.round(4)
        return np.array([decimal.Decimal(f"{value:.4f}") for value in values], dtype=object), values
    elif kind == "integers as objects":
        values = values.round()
        return np.array([int(value) for value in values], dtype=object), values
    elif kind == "text":
        values = values.round(4)
        return np.array([f"{value:.4f}" for value in values], dtype=object), values
    return values, values.astype(np.float64)


def some_places(source):
    """Places of a globe, a country, a city: at least 30, no two alike."""
    rng = source.rng()
    kind = source.pick(("globe", "globe", "country", "city", "band", "Gulf of Guinea"))
    source.tell("places:", kind)
    number = source.integer(30, 60)
    if kind == "globe":
        table = uniform(rng, number)
    elif kind == "band":
        table = np.column_stack([rng.uniform(-23, 23, number), rng.uniform(-180, 180, number)])
    elif kind == "Gulf of Guinea":  # smaller than radians spread
        table = rng.uniform([0.0, 6.4], [1.7, 7.5], (number, 2))
    else:
        size = 10.0 if kind == "country" else 0.1
        middle = source.pick(((48.1, 11.6), (-33.9, 151.2), (37.8, -122.4), (69.6, 18.9), (-17.8, 178.5)))
        table = np.array(middle) + size * rng.uniform(-0.5, 0.5, (number, 2))
    turn = source.pick((0.0, 0.0, 360.0))
    table[:, 1] = (table[:, 1] + 180) % 360 - 180 if turn == 0 else table[:, 1] % 360
    return table, kind


def frame(source, plain, *, more=False, pairs=1, names=None):
    """A frame of the places, and its true numbers."""
    kinds = ("f8", "f8", "f4", "object", "Decimal", "text", "integers as objects")
    kind = source.pick(kinds if np.ptp(plain[:, 0]) > 5 else kinds[:-1])
    names = source.pick(FOUND) if names is None else names
    columns, true = {}, []
    for i, name in enumerate(names):
        columns[name], values = _numbers(kind, plain[:, i])
        true.append(values.astype(np.float64))
    if pairs == 2:
        columns |= dict(zip(SECOND_PAIR, plain.T[::1] / 2, strict=True))
    if more:
        for name in np.array(MORE)[source.rng().permutation(len(MORE))[: source.integer(1, 3)]]:
            columns[str(name)] = np.arange(len(plain)) % 7
    order = list(columns)
    if source.chance(50):
        order = order[::-1]
    table = pd.DataFrame({name: columns[name] for name in order})
    polars = source.chance(25)
    if polars:
        table = pl.DataFrame({name: list(columns[name]) for name in order})
    source.tell("frame:", "polars" if polars else "pandas", order, kind)
    return Table(table, np.column_stack(true), kind != "text", None, len(order))


def in_radians(source, plain):
    """Places all over the globe in radians, -pi..pi or 0..2 pi, as an array or a frame."""
    turned = plain % [1e9, 360] if source.chance(50) else plain
    turned = np.column_stack([plain[:, 0], turned[:, 1]])
    radians = np.radians(turned)
    source.tell("radians", radians.min(axis=0), radians.max(axis=0))
    table = radians if source.chance(60) else pd.DataFrame(radians, columns=source.pick(FOUND[:4]))
    return Table(table, plain, False)


def any_table(source, *, more=False):
    """A table of places: array or frame, in degrees or not."""
    plain, kind = some_places(source)
    way = source.pick(("array", "frame", "frame", "frame", "declared", "two pairs", "radians"))
    source.tell("way:", way)
    if way == "radians" and kind == "globe":
        return in_radians(source, plain)
    if way == "two pairs":
        given = frame(source, plain, pairs=2, names=source.pick(FOUND[-3:]), more=more)
        return given._replace(benign=False)
    if way == "declared":
        names = source.pick(DECLARED)
        return frame(source, plain, names=names, more=more)._replace(names=names)
    if way == "frame":
        return frame(source, plain, more=more)
    dtype = source.pick((np.float64, np.float32, object))
    table = plain.astype(dtype)
    source.tell("array of", dtype.__name__)
    return Table(table, table.astype(np.float64), True)


def patch_radians(source):
    """A patch table of the globe in radians, and in degrees."""
    rows, columns = np.meshgrid(np.arange(-90.0, 90, 30), np.arange(0.0, 360, 45), indexing="ij")
    west = columns.ravel() - source.pick((0.0, 180.0))
    pixels = np.full(rows.size, 4.0)
    plain = np.column_stack([rows.ravel(), rows.ravel() + 30, west, west + 45, pixels, pixels])
    return np.column_stack([np.radians(plain[:, :4]), pixels, pixels]), plain
