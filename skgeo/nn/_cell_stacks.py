"""Stacks of cells in any order as tensors: middles, sizes and extents of patches from places and areas of cells."""

import torch
from torch import Tensor

from skgeo._kernels.sphere import EARTH_RADIUS

#: The numbers of a cell in a stack (..., n_cells, 3), in documented order: degrees, degrees, square metres.
CELL_COLUMNS = ("latitude", "longitude", "area")
# Added to the argument of square roots, so that their slope is finite at zero. Its root is 6 micrometres on the Earth.
_SMALLEST = 1e-24


def is_cells(patches: object) -> bool:
    """Whether patches are a stack (..., n_cells, 3) of cells with their areas, and no table."""
    return isinstance(patches, Tensor) and patches.ndim > 1 and patches.shape[-1] == len(CELL_COLUMNS)


def known_cells(stack: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Latitude and longitude in radians, area on the unit sphere and presence (..., n_cells); zeros where missing."""
    known = torch.isfinite(stack).all(dim=-1)
    latitude, longitude, area = torch.where(known[..., None], stack, torch.zeros_like(stack)).unbind(-1)
    return torch.deg2rad(latitude), torch.deg2rad(longitude), area / EARTH_RADIUS**2, known


def cell_middles(stack: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Latitude and longitude (...) in radians of the centroids of patches, and their areas on the unit sphere."""
    latitude, longitude, area, _ = known_cells(stack)
    level = area * torch.cos(latitude)
    parts = level * torch.cos(longitude), level * torch.sin(longitude), area * torch.sin(latitude)
    x, y, z = (part.sum(dim=-1) for part in parts)
    # The added number keeps the slope of the root finite at the poles, and for a patch without cells.
    return torch.atan2(z, torch.sqrt(x * x + y * y + _SMALLEST)), torch.atan2(y, x), area.sum(dim=-1)


def cell_extents(stack: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Eastward and northward extent, area and number of cells (...) of patches, on the unit sphere.

    The formula is that of :func:`skgeo._kernels.cell_groups.group_extents`.
    """
    latitude, longitude, area, known = known_cells(stack)
    middle, meridian, total = cell_middles(stack)
    middle, turn = middle[..., None], longitude - meridian[..., None]
    # Azimuthal equidistant coordinates of the centres about the middle of the patch.
    level = torch.cos(latitude) * torch.cos(turn)
    east = torch.cos(latitude) * torch.sin(turn)
    north = torch.cos(middle) * torch.sin(latitude) - torch.sin(middle) * level
    height = torch.sin(middle) * torch.sin(latitude) + torch.cos(middle) * level
    flat = torch.sqrt(east * east + north * north + _SMALLEST)
    scale = torch.atan2(flat, height) / flat
    share = area / torch.where(total > 0.0, total, torch.ones_like(total))[..., None]
    within = (share * area).sum(dim=-1) / 12.0
    extents = []
    for along in (east * scale, north * scale):
        mean = (share * along).sum(dim=-1, keepdim=True)
        variance = (share * (along - mean) ** 2).sum(dim=-1)
        extents.append(torch.sqrt(12.0 * (variance + within)))
    return extents[0], extents[1], total, known.sum(dim=-1)
