"""An attention bias from the distances and directions between patches along great circles."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from skgeo._input.patch_table import PATCH_COLUMNS
from skgeo._kernels.sphere import EARTH_RADIUS
from skgeo._validation import check_parameter, is_real
from skgeo.nn._cell_stacks import CELL_COLUMNS, cell_middles, is_cells
from skgeo.nn._networks import check_widths
from skgeo.nn._transformer_modules import check_places, check_tensor, cos_degrees, middles

__all__ = ["GreatCircleBias"]

_RADIUS_KM = EARTH_RADIUS / 1e3
_UNIT_KM = 1e3
# The numbers that _features makes of a displacement in one unit.
_N_FEATURES = 5
# The output of the network is multiplied by this number. Attention to few neighbours needs logits of about 10, which an
# optimiser that moves weights by its learning rate reaches too late otherwise: see docs/experiments.rst.
_GAIN = 10.0
# More pairs than this are computed in blocks of rows. The backward pass computes the blocks again, to save memory.
_PAIRS_AT_A_TIME = 2**18
# Added to the argument of square roots, so that their slope is finite at zero. Its root is 6 micrometres on the Earth.
_SMALLEST = 1e-24
# Divisors are at least this squared cosine of half the angle, which is that of 6 km before the antipode.
_ANTIPODE = 2.5e-7
# The smallest size of a patch in km. Rows of zeros, which pad tables, have the size 0.
_SMALLEST_SIZE = 1e-3


class GreatCircleBias(nn.Module):
    """Give attention the distances between patches: an additive bias for each pair of patches and each head.

    The displacement from one patch to another follows the great circle between their middles. It has an eastward part
    and a northward part, as seen from the first patch, and a length. A small network turns the displacement, in units
    of 1000 km and in units of the patches' own size, into one number for each head. The number is added to the logits
    of the attention before the softmax. The bias depends on displacements and sizes only. It stays the same if all
    patches are turned about the axis of the Earth. No row or column numbers are needed, so the bias works for any set
    of patches.

    Parameters
    ----------
    n_heads : int
        Number of heads. To compute a bias for each of ``n_layers`` layers in one call, give ``n_layers * heads``, and
        split the result with ``chunk(n_layers, dim=-3)``.
    hidden_dim : int, default=32
        Width of the network, which has two hidden layers with GELU. With 8 heads it has 1,672 parameters.

    Attributes
    ----------
    layers : Sequential
        The network. The weights of its last layer are zero at first, so that training starts without a bias.

    Raises
    ------
    ValueError
        If a width is no positive integer; from a call, if a shape is wrong, the numbers are not real, or the numbers
        have half precision, because half precision rounds places by up to half a degree.
    TypeError
        From a call with anything but tensors.

    See Also
    --------
    skgeo.nn.PatchProjectionHead : Tells tokens where patches are and how large.
    skgeo.nn.turn_patches : Turns patches about the axis of the Earth, so that longitude is not learned by heart.

    Notes
    -----
    With d the length in one unit, e the eastward and n the northward part, the network sees asinh(e), asinh(n),
    log(1 + d^2) / 2, exp(1 - sqrt(1 + d^2)) and exp(-d^2 / 2), in both units. The patches' own size is the mean of the
    sizes of the two patches, and the size of a patch is the square root of its area. The middle of a patch is halfway
    between its edges. The middle of a stack of cells is the centroid of the cells, weighted by areas, as from
    :meth:`skgeo.CellGrid.patch_middles`.

    Parts of the displacement are those of the azimuthal equidistant projection about the first patch [1]_. The angle
    comes from squared sines of half angles, as sums without cancellation. In single precision, displacements of a
    kilometre and distances of almost half the circumference therefore have a relative error of about 1e-6, if the
    places themselves are exact. Differences of places are taken in the dtype of the patches: keep tables in float64,
    because single precision rounds longitudes to 1 m to 2 m. Gradients are finite everywhere. At the antipode, where no
    direction is defined, the parts are zero. They rise over the first 6 km around the antipode.

    The geometry is computed in the dtype of the parameters, in float32 at least, under ``torch.autocast`` too. In
    the network, autocast decides the dtype. Values are not checked: NaN in a row makes its pairs NaN. Rows of zeros are
    fine as padding, with -inf added to the bias of their columns. A bias takes ``n_heads * n * n`` numbers: 0.8 GB for
    4,096 patches and 12 heads. A bias of more than 262,144 pairs is computed in blocks, and the backward pass computes
    the blocks again, so that the memory holds little more than the bias itself. Under ``torch.compile`` all pairs are
    computed at once.

    In ``eval()`` without gradients, ``nn.TransformerEncoderLayer`` of PyTorch returns NaN with any mask of floats
    (issue 118628 of PyTorch). ``torch.backends.mha.set_fastpath_enabled(False)`` avoids the fault.

    References
    ----------
    .. [1] Snyder, J. P. (1987). Map projections: a working manual. U.S. Geological Survey Professional Paper 1395,
       191-202.

    Examples
    --------
    The attention of 8 heads between 162 patches of the globe. An untrained bias is zero.

    >>> import numpy as np, torch
    >>> from torch.nn.functional import scaled_dot_product_attention
    >>> from skgeo import LatLonGrid
    >>> from skgeo.nn import GreatCircleBias
    >>> grid = LatLonGrid(np.arange(-88, 90, 4.0), np.arange(2, 360, 4.0))
    >>> patches = grid.patches((5, 5))
    >>> bias = GreatCircleBias(n_heads=8)
    >>> pairs = bias(torch.from_numpy(patches))
    >>> pairs.shape, bool(pairs.any())
    (torch.Size([8, 162, 162]), False)
    >>> query = key = value = torch.randn(2, 8, 162, 16)
    >>> scaled_dot_product_attention(query, key, value, attn_mask=pairs).shape
    torch.Size([2, 8, 162, 16])

    ``nn.MultiheadAttention`` and ``nn.TransformerEncoderLayer`` take the biases of a batch and its heads in one
    dimension. Each sample has patches of its own here.

    >>> layer = torch.nn.TransformerEncoderLayer(64, nhead=8, batch_first=True)
    >>> windows = torch.from_numpy(np.stack([patches[:36], patches[36:72]]))
    >>> layer(torch.randn(2, 36, 64), src_mask=bias(windows).flatten(0, 1)).shape
    torch.Size([2, 36, 64])
    """

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
        for parameter in self.layers[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, patches: Tensor, size: Tensor | float | None = None) -> Tensor:
        """Compute the bias of all pairs.

        Parameters
        ----------
        patches : Tensor of shape (..., n, 6), (..., n, n_cells, 3) or (..., n, 2)
            Patch tables: south, north, west, east (edges in degrees), n_lat, n_lon (pixels). If east is below west, the
            patch crosses the antimeridian. Or stacks of cells, from :meth:`skgeo.CellGrid.patches`: latitude, longitude
            (degrees) and area (square metres), NaN where a patch has fewer cells. With ``size``, the middles of
            patches: latitude, longitude in degrees.
        size : Tensor of shape (..., n), float or None, default=None
            The sizes of patches in km, the square roots of their areas. None takes the sizes from the table or the
            cells.

        Returns
        -------
        Tensor of shape (..., n_heads, n, n)
            In the dtype of the parameters, or that of ``torch.autocast``. Entry (i, j) is added to the logit of the
            attention of patch i, the query, to patch j, the key.
        """
        if size is not None:
            points, size = _given_places(patches, size)
        else:
            cells = is_cells(patches) and patches.ndim > 2
            points, size = _cell_places(patches) if cells else _places(patches)
        if torch.compiler.is_compiling() or size.numel() * size.shape[-1] <= _PAIRS_AT_A_TIME:
            return self._pairs(points, size, points, size)
        n_rows = max(1, _PAIRS_AT_A_TIME // size.numel())
        rows = zip(torch.split(points, n_rows, dim=-2), torch.split(size, n_rows, dim=-1), strict=True)
        return torch.cat([checkpoint(self._pairs, *row, points, size, use_reentrant=False) for row in rows], dim=-2)

    def _pairs(self, start: Tensor, start_size: Tensor, end: Tensor, end_size: Tensor) -> Tensor:
        """The bias (..., n_heads, n_starts, n_ends) of patches towards others."""
        weight: Any = self.layers[0].weight
        dtype = torch.promote_types(weight.dtype, torch.float32)
        parts = displacements(start[..., :, None, :], end[..., None, :, :], dtype)
        own = ((start_size[..., :, None] + end_size[..., None, :]) / 2.0).clamp(min=_SMALLEST_SIZE).to(dtype)
        features = [each for unit in (_UNIT_KM, own) for each in _features(*(_RADIUS_KM / unit * p for p in parts))]
        return _GAIN * self.layers(torch.stack(features, dim=-1).to(weight.dtype)).movedim(-1, -3)


def displacements(start: Tensor, end: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Eastward and northward part of the great circle from ``start`` to ``end`` (..., 2), and its length.

    All in radians, in ``dtype``. The parts are coordinates of the azimuthal equidistant projection about the start.
    """
    # Differences are taken in the dtype of the places, before anything is rounded.
    a, b, turn = start[..., 0], end[..., 0], end[..., 1] - start[..., 1]
    turn = turn - 360.0 * torch.round(turn / 360.0).detach()
    height, middle, turn = (torch.deg2rad(each / 2.0).to(dtype) for each in (b - a, a + b, turn))
    sin_a, cos_a, cos_b = (each.to(dtype) for each in (torch.sin(torch.deg2rad(a)), cos_degrees(a), cos_degrees(b)))
    # Squared sine (haversine) and cosine of half the angle. Both are sums of terms that are not negative: no digits
    # cancel, neither between neighbours nor between antipodes.
    sin_turn = torch.sin(turn)
    sine = torch.sqrt(torch.sin(height) ** 2 + cos_a * cos_b * sin_turn**2 + _SMALLEST)
    cosine = torch.sin(middle) ** 2 + cos_a * cos_b * torch.cos(turn) ** 2
    angle = 2.0 * torch.atan2(sine, torch.sqrt(cosine + _SMALLEST))
    # The parts of the unit vector to the end, times angle / sin(angle). The northward part is
    # sin(b - a) + sin(a) cos(b) (1 - cos(turn)), in which no small difference of large numbers occurs.
    factor = angle / (2.0 * sine * torch.sqrt(cosine.clamp(min=_ANTIPODE)))
    east = factor * cos_b * torch.sin(2.0 * turn)
    north = factor * (torch.sin(2.0 * height) + 2.0 * sin_a * cos_b * sin_turn**2)
    return east, north, angle


def _features(east: Tensor, north: Tensor, length: Tensor) -> list[Tensor]:
    """Bounded or slowly growing numbers of a displacement; smooth where it is zero."""
    square = length**2
    near = torch.exp(1.0 - torch.sqrt(1.0 + square)), torch.exp(-square / 2.0)
    return [torch.asinh(east), torch.asinh(north), torch.log1p(square) / 2.0, *near]


def _places(patches: Tensor) -> tuple[Tensor, Tensor]:
    """Middles (..., n, 2) of the patches of tables in degrees, and the roots of their areas in km."""
    wide = check_places(patches, PATCH_COLUMNS)
    latitude, longitude, height, width = middles(wide)
    area = torch.deg2rad(width) * 2.0 * torch.sin(torch.deg2rad(height / 2.0)) * cos_degrees(latitude)
    return torch.stack([latitude, longitude], dim=-1), _RADIUS_KM * torch.sqrt(area + _SMALLEST)


def _cell_places(stacks: Tensor) -> tuple[Tensor, Tensor]:
    """Middles (..., n, 2) of stacks of cells in degrees, weighted by areas, and the roots of their areas in km."""
    latitude, longitude, area = cell_middles(check_places(stacks, CELL_COLUMNS))
    points = torch.rad2deg(torch.stack([latitude, longitude], dim=-1))
    return points, _RADIUS_KM * torch.sqrt(area + _SMALLEST)


def _given_places(points: Tensor, size: Tensor | float) -> tuple[Tensor, Tensor]:
    """Middles and sizes as the caller gives them, checked."""
    wide = check_places(points, ("latitude", "longitude"))
    if is_real(size):
        check_parameter("size", size, bool(size > 0), "a positive number of km")
    else:
        check_tensor(size, "size")
    size = torch.as_tensor(size, dtype=wide.dtype, device=wide.device)
    if size.shape not in (wide.shape[:-1], ()):
        raise ValueError(f"size has shape {tuple(size.shape)}: expected {tuple(wide.shape[:-1])}, one for each patch.")
    return wide, size.expand(wide.shape[:-1])
