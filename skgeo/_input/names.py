"""Which names of columns are a latitude and a longitude."""

import re
from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any

LATITUDE_NAMES = ("lat", "latitude")
LONGITUDE_NAMES = ("lon", "lng", "long", "longitude")

# Words that only say that numbers are degrees, as in decimalLatitude, lat_dd, "longitude (degrees_east)".
_DEGREES = frozenset({"decimal", "dd", "deg", "degree", "degrees", "wgs", "wgs84", "84", "epsg", "4326"})
_NORTH, _EAST = _DEGREES | {"north", "n"}, _DEGREES | {"east", "e"}

# Words before "lat" and "lon" that name other quantities: radians, differences, errors, counts, sizes, movements along
# the axes of a vehicle (lateral, longitudinal), and angles from other origins than the equator and Greenwich.
_OTHERS = """
    sin cos tan rad radian radians delta d diff difference change error err std sd var uncertainty precision accuracy
    scaled normalized normalised norm standardized log n num number count idx index i bin id pixel pixels extent size
    width step spacing res resolution cutoff m km meter meters metre metres a acc accel acceleration g v vel velocity
    speed force jerk slip rot rotated grid magnetic geomagnetic mag galactic gal ecliptic
    co
"""
_OTHER_QUANTITIES = frozenset(_OTHERS.split())

# Runs of capitals, capitalised words, small letters, digits: GPSLatitude is GPS, Latitude.
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")

# Data bases return names in small letters: GBIF's decimallatitude, latdd, gpslatitude. "latitude" may follow any word.
# "lat" and "lon" also end other words, such as flat and salon: only words for degrees may stand beside them.
_DEGREE_WORD = "decimal|degrees|degree|deg|dd|wgs"
_GLUED = re.compile(
    rf"([a-z]*?)(latitude|longitude)({_DEGREE_WORD})?|({_DEGREE_WORD})?(lat|long|lon|lng)({_DEGREE_WORD})?"
)


def match_coordinate_names(names: Iterable[Any]) -> list[tuple[str, str]]:
    """Return the (latitude, longitude) pairs among names: a single pair is found, several pairs are ambiguous.

    Plain names come first: lat or latitude with lon, lng, long or longitude, in any case, with blanks around them.
    Names with words for degrees come next, such as decimalLatitude, decimallatitude and lat_dd. Last come pairs with
    the same words before them, such as pickup_lat and pickup_lon, start.lat, GPSLatitude.

    >>> match_coordinate_names(["species", "decimalLatitude", "decimalLongitude"])
    [('decimalLatitude', 'decimalLongitude')]
    >>> match_coordinate_names(["pickup_lat", "pickup_lon", "dropoff_lat", "dropoff_lon"])
    [('pickup_lat', 'pickup_lon'), ('dropoff_lat', 'dropoff_lon')]
    >>> match_coordinate_names(["lateral", "longest", "plate_long"])
    []
    """
    texts = [name for name in names if isinstance(name, str)]
    plain = _pairs(
        {name: () for name in texts if name.strip().lower() in LATITUDE_NAMES},
        {name: () for name in texts if name.strip().lower() in LONGITUDE_NAMES},
    )
    if plain:
        return plain
    latitudes, longitudes = _prefixes(texts, LATITUDE_NAMES, _NORTH), _prefixes(texts, LONGITUDE_NAMES, _EAST)
    pairs = _pairs(latitudes, longitudes)
    return [pair for pair in pairs if not latitudes[pair[0]]] or pairs


Prefixes = Mapping[str, tuple[str, ...]]


def _pairs(latitudes: Prefixes, longitudes: Prefixes) -> list[tuple[str, str]]:
    """Return all pairs of names that have the same words before them."""
    return [pair for pair in product(latitudes, longitudes) if latitudes[pair[0]] == longitudes[pair[1]]]


def _split_glued(word: str) -> list[str]:
    """Split a word that holds latitude or longitude into its parts; keep other words whole."""
    match = _GLUED.fullmatch(word)
    return [part for part in match.groups() if part] if match else [word]


def _prefixes(names: list[str], known: tuple[str, ...], degrees: frozenset[str]) -> dict[str, tuple[str, ...]]:
    """Return the words before latitude or longitude, for each name with only words for degrees after it."""
    found = {}
    for name in names:
        words = [part for word in _WORD.findall(name) for part in _split_glued(word.lower())]
        at = [i for i, word in enumerate(words) if word in known]
        if not at:
            continue
        before, behind = words[: at[-1]], words[at[-1] + 1 :]
        if degrees.issuperset(behind) and _OTHER_QUANTITIES.isdisjoint(before):
            found[name] = tuple(word for word in before if word not in _DEGREES)
    return found
