"""Fields of the Earth as patches of a few pixels, for patch_transfer.py: regions, pixel sizes and shifted grids.

A ``Cut`` holds the fields of a region, averaged to coarser pixels and divided into patches. A ``Problem`` holds the
cuts for training, the cut for validation, and the cuts for testing.
"""

from dataclasses import dataclass

import numpy as np

from skgeo import LatLonGrid
from skgeo.datasets import load_land_mask
from skgeo.encoders import SphericalHarmonics

TESTS = {
    "same": "same region",
    "shifted": "shifted by half a patch",
    "half": "half the size",
    "double": "twice the size",
    "east": "other longitudes",
    "south": "other latitudes",
}
HIDDEN = 0.75  # share of the patches


def centres(table):
    """Centres of patches in degrees."""
    return np.column_stack([table[:, :2].mean(axis=1), table[:, 2:4].mean(axis=1)])


@dataclass(frozen=True)
class Cut:
    """Patches of fields: values and validity of pixels (fields, rows, columns, values), and the patch table (n, 6)."""

    values: np.ndarray
    valid: np.ndarray
    patches: np.ndarray
    n_channels: int

    def draw(self, window, n, seed, share):
        """Draw windows of patches, (n, patches in a window): numbers of field and patch, and the share to hide."""
        rng = np.random.default_rng(seed)
        n_fields, n_rows, n_columns = self.values.shape[:3]
        field = rng.integers(n_fields, size=(n, 1))
        row, column = rng.integers(n_rows - window[0] + 1, size=n), rng.integers(n_columns - window[1] + 1, size=n)
        inside = np.add.outer(np.arange(window[0]) * n_columns, np.arange(window[1])).ravel()
        patch = (row * n_columns + column)[:, np.newaxis] + inside
        order = rng.random(patch.shape).argsort(axis=1)
        return field, patch, order < round(share * patch.shape[1])

    def take(self, field, patch):
        """Values and validity of the patches of windows, (n, patches, values)."""
        return tuple(each.reshape(len(each), -1, each.shape[-1])[field, patch] for each in (self.values, self.valid))


@dataclass(frozen=True)
class Problem:
    """Cuts for training, validation and tests, with the numbers of rows and columns of patches in a window."""

    window: tuple[int, int]
    train: tuple[Cut, ...]
    validation: Cut
    tests: dict[str, Cut]


@dataclass(frozen=True)
class Fields:
    """Standardised fields (n, channels, n_lat, n_lon), NaN where missing, with their axes in degrees."""

    values: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray

    def pick(self, numbers):
        """The fields with these numbers."""
        return Fields(self.values[numbers], self.latitude, self.longitude)

    def cut(self, box, size, patch):
        """The patches, of ``patch`` x ``patch`` pixels of ``size`` x ``size`` cells, of (first, last) rows, columns."""
        (top, bottom), (left, right) = box
        columns = np.arange(left, right) % self.longitude.size
        values, latitude = self.values[..., top:bottom, :][..., columns], self.latitude[top:bottom]
        longitude = np.unwrap(self.longitude[columns], period=360)
        step = size * patch
        rows, width = latitude.size // step * step, longitude.size // step * step
        coarse = _coarsen(values[..., :rows, :width], latitude[:rows], size)
        axes = (axis.reshape(-1, size).mean(axis=1) for axis in (latitude[:rows], longitude[:width]))
        return _divide(coarse, LatLonGrid(*axes), patch)


def _coarsen(values, latitude, size):
    """Mean of the cells that are not NaN, weighted by the cosine of latitude."""
    *rest, n_rows, n_columns = values.shape
    blocks = values.reshape(*rest, n_rows // size, size, n_columns // size, size)
    weight = np.cos(np.radians(latitude)).reshape(-1, size)[:, :, np.newaxis, np.newaxis] * np.isfinite(blocks)
    total = weight.sum(axis=(-3, -1))
    mean = (weight * np.nan_to_num(blocks)).sum(axis=(-3, -1)) / np.maximum(total, 1e-9)
    return np.where(total > 0, mean, np.nan)


def _divide(values, grid, patch):
    """A cut of fields on a grid."""
    n_rows, n_columns = (length // patch for length in grid.shape)
    # Patches come before channels, so that a token holds all channels of a patch.
    blocks = np.moveaxis(grid.patch_values(values, patch), 2, 1)
    blocks = blocks.reshape(len(values), n_rows, n_columns, -1)
    valid = np.isfinite(blocks)
    return Cut(np.nan_to_num(blocks).astype(np.float32), valid, grid.patches(patch), values.shape[1])


def winds(folder, sizes=(2,)):
    """ERA-Interim z, u and v: pixels of 1.5 degrees, patches of 6 degrees.

    The region is 0 to 180 E, 75 N to 33 S. The fields at 200 and 850 hPa are for training, January at 500 hPa is for
    validation, and July at 500 hPa is for testing.
    """
    data = _open(folder / "eraint_uvz.nc")
    values = np.stack([data[name].values for name in "zuv"], axis=2)  # month, level, variable, latitude, longitude
    rows, columns = slice(20, 164), slice(240, 480)
    for level, months in enumerate((slice(None), slice(1), slice(None))):  # July at 500 hPa is not known yet
        known = values[months, level, :, rows, columns]
        mean, std = known.mean(axis=(0, 2, 3), keepdims=True), known.std(axis=(0, 2, 3), keepdims=True)
        values[:, level] = (values[:, level] - mean) / std
    return _problem_of_globe(values.reshape(6, 3, 241, 480), data, sizes)


def drawn(sizes=(2,)):
    """Random fields with the power (l + 3)^-3 of degree l, up to degree 24. All fields share half of their variance."""
    latitude, longitude = 90 - 0.75 * np.arange(241), -180 + 0.75 * np.arange(480)
    harmonics = SphericalHarmonics(24, min_degree=1, spectrum=(np.arange(25) + 3.0) ** -3).fit([[0.0, 0.0]])
    rng = np.random.default_rng(0)
    draw = rng.standard_normal((624, 6, 3)) + rng.standard_normal((624, 1, 3))
    rows = [harmonics.transform(np.column_stack([np.full(480, each), longitude])) for each in latitude]
    values = np.stack([row @ draw.reshape(624, -1) for row in rows]).reshape(241, 480, 6, 3).transpose(2, 3, 0, 1)
    return _problem_of_globe(values / values.std(), {"latitude": latitude, "longitude": longitude}, sizes)


def made(folder=None, sizes=(2,)):
    """Independent random fields with the power of :func:`drawn` and twice the standard deviation over land.

    The land is real. The regions, patches and windows are those of the winds.
    """
    latitude, longitude = 90 - 0.75 * np.arange(241), -180 + 0.75 * np.arange(480)
    harmonics = SphericalHarmonics(24, min_degree=1, spectrum=(np.arange(25) + 3.0) ** -3).fit([[0.0, 0.0]])
    draw = np.random.default_rng(0).standard_normal((624, 18))
    rows = [harmonics.transform(np.column_stack([np.full(480, each), longitude])) @ draw for each in latitude]
    land = load_land_mask()
    row = abs(land.latitude[:, np.newaxis] - latitude).argmin(axis=0)
    column = abs(land.longitude[:, np.newaxis] - longitude).argmin(axis=0)
    values = np.stack(rows).reshape(241, 480, 6, 3).transpose(2, 3, 0, 1) * (1 + land.fraction[row][:, column])
    return _problem_of_globe(values / values.std(), {"latitude": latitude, "longitude": longitude}, sizes)


def _problem_of_globe(values, axes, sizes):
    """Six fields on a grid of 0.75 degrees: 0, 2, 3 and 5 for training, 1 for validation and 4 for testing."""
    fields = Fields(values, np.asarray(axes["latitude"], float), np.asarray(axes["longitude"], float))
    learned, validation, test = (fields.pick(numbers) for numbers in ([0, 2, 3, 5], [1], [4]))
    region = ((20, 164), (240, 480))
    boxes = {
        "same": (region, 2),
        "shifted": (((24, 164), (244, 480)), 2),
        "half": (region, 1),
        "between": (region, 3),
        "double": (region, 4),
        "east": (((20, 164), (0, 240)), 2),
        "south": (((164, 236), (240, 480)), 2),
    }
    return Problem(
        (6, 6),
        tuple(learned.cut(region, size, 4) for size in sizes),
        validation.cut(region, sizes[0], 4),
        {name: test.cut(box, size, 4) for name, (box, size) in boxes.items()},
    )


def sea(folder, sizes=(2,)):
    """OSTIA sea-surface temperature from 5 S to 4.4 N, missing on land: patches of 2.2 x 3.3 degrees with 2 x 2 pixels.

    The region is 130 E to 80 W. 36 months are for training, the next 6 for validation and the last 12 for testing.
    """
    data = _open(folder / "ostia_monthly.nc")
    values = data["surface_temperature"].values.astype(float)
    known = values[:36, :16, 156:336]
    values = ((values - np.nanmean(known)) / np.nanstd(known))[:, np.newaxis]
    fields = Fields(values, *(data[name].values.astype(float) for name in ("latitude", "longitude")))
    learned, validation, test = (fields.pick(months) for months in (slice(36), slice(36, 42), slice(42, None)))
    region = ((0, 16), (156, 336))
    boxes = {
        "same": (region, 2),
        "shifted": (((2, 18), (158, 336)), 2),
        "half": (region, 1),
        "double": (region, 4),
        "east": (((0, 16), (336, 588)), 2),
    }
    return Problem(
        (2, 16),
        tuple(learned.cut(region, size, 2) for size in sizes),
        validation.cut(region, sizes[0], 2),
        {name: test.cut(box, size, 2) for name, (box, size) in boxes.items()},
    )


def _open(path):
    import xarray as xr

    with xr.open_dataset(path) as data:
        return data.load()
