"""The pixels of patches: their centres and weights, block by block, and the pixels of overlapping patches once."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from skgeo._input.patch_table import PixelStack
from skgeo._kernels.harmonics import sin_cos_latitude
from skgeo._kernels.sphere import EARTH_RADIUS, Boxes, cell_areas

__all__ = [
    "PIXELS_AT_A_TIME",
    "Pixels",
    "count_pixels",
    "distinct_pixels",
    "distinct_stacked_pixels",
    "stacked_pixels",
    "table_pixels",
]

# A block of pixels: patch numbers (n,), centres (n, 2) and weights (n,).
Pixels = tuple[npt.NDArray[np.intp], npt.NDArray[np.float64], npt.NDArray[np.float64]]

#: Number of pixels that are encoded at a time. Their embedding takes tens of megabytes.
PIXELS_AT_A_TIME = 2**16
# In degrees, which is 10 cm: centres of pixels of stacks with a smaller distance are the same place.
_SAME_PLACE = 1e-6
# Share of the smallest pixel: centres with a smaller distance are the same pixel in overlapping patches.
_SAME_PIXEL = 0.01


def count_pixels(patches: Boxes) -> int:
    """The number of pixels of all patches together."""
    return int(patches.n_lat @ patches.n_lon)


def stacked_pixels(stack: PixelStack) -> Iterator[Pixels]:
    """Yield the patch number (n,), the centre (n, 2) and the area (n,) of the pixels of stacks that are not missing.

    If the areas are unknown, all pixels of a patch have the same weight.
    """
    length = max(1, PIXELS_AT_A_TIME // stack.latitude[0].size)
    # Read whole patches, because areas need the neighbours of a pixel. Then cut large patches into blocks.
    for start in range(0, len(stack.latitude), length):
        latitude, longitude = (axis[start : start + length] for axis in stack[:2])
        if stack.areas is None:
            area = cell_areas(latitude, longitude)
        else:
            area = np.nan_to_num(stack.areas[start : start + length])
        area[~area.any(axis=(1, 2))] = 1.0
        present = np.isfinite(latitude)
        patch = start + np.nonzero(present)[0]
        points, weight = np.column_stack([latitude[present], longitude[present]]), area[present]
        for at in range(0, patch.size, PIXELS_AT_A_TIME):
            part = slice(at, at + PIXELS_AT_A_TIME)
            yield patch[part], points[part], weight[part]


def distinct_stacked_pixels(stack: PixelStack) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Centres of the pixels of all stacks, each place once, and their areas in square metres, zero if unknown."""
    area = stack.areas if stack.areas is not None else cell_areas(stack.latitude, stack.longitude) * EARTH_RADIUS**2
    present = np.isfinite(stack.latitude)
    points = np.column_stack([stack.latitude[present], stack.longitude[present]])
    rounded = np.round(np.column_stack([points[:, 0], np.mod(points[:, 1], 360.0)]) / _SAME_PLACE)
    first = np.sort(np.unique(rounded, axis=0, return_index=True)[1])
    return points[first], area[present][first]


def _pixel_steps(patches: Boxes) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Height and width of the pixels of each patch in degrees."""
    return (patches.north - patches.south) / patches.n_lat, (patches.east - patches.west) / patches.n_lon


def table_pixels(patches: Boxes) -> Iterator[Pixels]:
    """Yield the patch number (n,), the centre (n, 2) and the weight (n,) of all pixels, a fixed number at a time."""
    height, width = _pixel_steps(patches)
    ends = np.cumsum(patches.n_lat * patches.n_lon)
    for start in range(0, int(ends[-1]), PIXELS_AT_A_TIME):
        pixel = np.arange(start, min(start + PIXELS_AT_A_TIME, int(ends[-1])))
        patch = np.searchsorted(ends, pixel, side="right")
        row, column = np.divmod(pixel - (ends - patches.n_lat * patches.n_lon)[patch], patches.n_lon[patch])
        latitude = patches.south[patch] + (row + 0.5) * height[patch]
        longitude = patches.west[patch] + (column + 0.5) * width[patch]
        # The pixels of a patch are equally high and wide: their areas differ by the cosine of latitude only.
        weight = sin_cos_latitude(latitude)[1]
        yield patch, np.column_stack([latitude, longitude]), weight


def distinct_pixels(patches: Boxes) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Centres of the pixels of all patches, each place once, and their areas without the cosine of latitude.

    SphericalHarmonicPCA multiplies the weights of points by that cosine.
    """
    height, width = _pixel_steps(patches)
    size = 2.0 * np.sin(np.radians(height) / 2.0) * np.radians(width)
    bins = _SAME_PIXEL * height.min(), _SAME_PIXEL * width.min()
    # Number of bins around the circle: row * turn + column numbers the bins.
    turn = int(360.0 // bins[1]) + 1
    parts = []
    for patch, points, _ in table_pixels(patches):
        # The middle of the first bin is the first pixel centre. Centres of a grid then lie in the middle of bins, and
        # rounding does not put equal centres into different bins.
        origin = [patches.south[0] + height[0] / 2.0, patches.west[0] + width[0] / 2.0]
        along_lat, along_lon = (points - origin + np.divide(bins, 2.0)).T
        row, column = np.floor([along_lat / bins[0], np.mod(along_lon, 360.0) / bins[1]]).astype(np.int64)
        place, first = np.unique(row * turn + column, return_index=True)
        parts.append((place, points[first], size[patch[first]]))
    place, points, weight = (np.concatenate(values) for values in zip(*parts, strict=True))
    first = np.sort(np.unique(place, return_index=True)[1])
    return points[first], weight[first]
