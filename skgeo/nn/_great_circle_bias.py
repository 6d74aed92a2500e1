"""An attention bias from the distances and directions between patches along great circles."""

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from skgeo._input.patch_table import PATCH_COLUMNS
from skgeo._kernels.sphere import EARTH_RADIUS
from skgeo.nn._modules import check_last, check_tensor, cos_degrees, middles
from skgeo.nn._networks import check_widths

__all__ = ["GreatCircleBias"]

_RADIUS_KM = EARTH_RADIUS / 1e3
_UNIT_KM = 1e3
# Features of a displacement in one unit: see _features.
_N_FEATURES = 5
# More pairs than this are computed in blocks of rows, and computed again in the backward pass, to bound the memory.
_PAIRS_AT_A_TIME = 2**18
# Added to squared half chords, so that the square root has a finite slope at zero. The square root of it is 6 micrometres.
_SMALLEST = 1e-24
# Within 6 km of the antipode the displacement goes to zero linearly: the direction is undefined there.
_ANTIPODE = 2.5e-7
# The smallest size of patches in km. Rows of zeros, which pad tables, have the size 0.
_SMALLEST_SIZE = 1e-3


class GreatCircleBias(nn.Module):
    """TODO."""

    def __init__(self, n_heads: int, hidden_dim: int = 32) -> None:
        super().__init__()
        n_heads, hidden_dim = check_widths(n_heads=n_heads, hidden_dim=hidden_dim)
        self.layers = nn.Sequential(
            nn.Linear(2 * _N_FEATURES, hidden_dim),
            nn.GELU(),
            nn.Linear(hidden_dim, hidden_dim),
            nn.GELU(),
            nn.Linear(hidden_dim, n_heads),
        )
        nn.init.zeros_(self.layers[-1].weight)
        nn.init.zeros_(self.layers[-1].bias)

    def forward(self, patches: Tensor, size: Tensor | None = None) -> Tensor:
        """Bias of each patch towards each other."""
        if size is None:
            check_last(patches, "patches", PATCH_COLUMNS)
            points, size = _places(patches)
        else:
            check_last(patches, "patches", ("latitude", "longitude"))
            check_tensor(size, "size")
            points = patches
        n = points.shape[-2]
        n_rows = max(1, _PAIRS_AT_A_TIME // max(1, size.numel()))
        if n_rows >= n or torch.compiler.is_compiling():
            return self._rows(points, size, points, size)
        rows = zip(points.split(n_rows, dim=-2), size.split(n_rows, dim=-1), strict=True)
        return torch.cat([checkpoint(self._rows, *row, points, size, use_reentrant=False) for row in rows], dim=-2)

    def _rows(self, from_points: Tensor, from_size: Tensor, points: Tensor, size: Tensor) -> Tensor:
        weight = self.layers[0].weight
        dtype = torch.promote_types(weight.dtype, torch.float32)
        east, north, angle = displacements(from_points[..., :, None, :], points[..., None, :, :], dtype)
        own = ((from_size[..., :, None] + size[..., None, :]) / 2.0).clamp(min=_SMALLEST_SIZE).to(dtype)
        features = []
        for unit in (_UNIT_KM, own):
            scale = _RADIUS_KM / unit
            features += _features(east * scale, north * scale, angle * scale)
        return self.layers(torch.stack(features, dim=-1).to(weight.dtype)).movedim(-1, -3)


def _places(patches: Tensor) -> tuple[Tensor, Tensor]:
    """Middles (..., 2) of patches in degrees, and the roots of their areas in km."""
    latitude, longitude, height, width = middles(patches)
    area = torch.deg2rad(width) * 2.0 * torch.sin(torch.deg2rad(height / 2.0)) * cos_degrees(latitude)
    return torch.stack([latitude, longitude], dim=-1), _RADIUS_KM * torch.sqrt(area + _SMALLEST)


def displacements(start: Tensor, end: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """East and north part of the great circle from ``start`` to ``end`` (..., 2) as seen from the start, and its length.

    All in radians, in ``dtype``; the parts are those of the azimuthal equidistant projection.
    """
    # Differences are taken in the dtype of the places, before they are rounded.
    a, b, turn = start[..., 0], end[..., 0], end[..., 1] - start[..., 1]
    turn = turn - 360.0 * torch.round(turn / 360.0).detach()
    height, middle, turn = (torch.deg2rad(each / 2.0).to(dtype) for each in (b - a, a + b, turn))
    sin_a, cos_a, cos_b = (each.to(dtype) for each in (torch.sin(torch.deg2rad(a)), cos_degrees(a), cos_degrees(b)))
    # Squares of sine and cosine of half the angle, as sums of terms that are not negative: no digits cancel, neither
    # between neighbours nor between antipodes.
    sin_turn = torch.sin(turn)
    square = torch.sin(height) ** 2 + cos_a * cos_b * sin_turn**2
    rest = torch.sin(middle) ** 2 + cos_a * cos_b * torch.cos(turn) ** 2
    half_sine = torch.sqrt(square + _SMALLEST)
    angle = 2.0 * torch.atan2(half_sine, torch.sqrt(rest + _SMALLEST))
    factor = angle / (2.0 * half_sine * torch.sqrt(rest.clamp(min=_ANTIPODE)))
    east = factor * cos_b * torch.sin(2.0 * turn)
    north = factor * (torch.sin(2.0 * height) + 2.0 * sin_a * cos_b * sin_turn**2)
    return east, north, angle


def _features(east: Tensor, north: Tensor, distance: Tensor) -> list[Tensor]:
    """Numbers that grow with the logarithm of a displacement, or are bounded; smooth where it is zero."""
    square = distance**2
    near = torch.exp(1.0 - torch.sqrt(1.0 + square)), torch.exp(-square / 2.0)
    return [torch.asinh(east), torch.asinh(north), torch.log1p(square) / 2.0, *near]
