"""Patches turned about the axis of the Earth at random, for training."""

import torch
from torch import Tensor

from skgeo._input.patch_table import PATCH_COLUMNS
from skgeo.nn._cell_stacks import CELL_COLUMNS, is_cells
from skgeo.nn._transformer_modules import check_places

__all__ = ["turn_patches"]


def turn_patches(patches: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Turn the patches of each sample about the axis of the Earth, by one random angle for each sample.

    Train on features of turned patches, so that the model cannot memorise the values at each longitude. The model then
    also works at other longitudes. The patches of one sample keep their distances to each other, their latitudes and
    their sizes. Turn patches in training only: test and use the model with patches that are not turned.

    Parameters
    ----------
    patches : Tensor of shape (..., n, 6) or more columns, or (..., n, n_cells, 3)
        Patch tables: south, north, west, east (edges in degrees), n_lat, n_lon (pixels); further columns are kept. Or
        stacks of cells: latitude, longitude (degrees), area. All dimensions before n count samples.
    generator : torch.Generator or None, default=None
        The source of the angles. None is the global generator of torch.

    Returns
    -------
    Tensor of the shape of ``patches``
        The tables with other west and east edges, or the stacks with other longitudes. Western edges, and longitudes of
        cells, are from -180 to 180. The dtype is that of ``patches``, or float64 for integers.

    Raises
    ------
    ValueError
        If ``patches`` has another shape, or its numbers are not real, or have half precision.
    TypeError
        If ``patches`` is no tensor, or ``generator`` no generator.

    See Also
    --------
    skgeo.nn.PatchPosition : Position features of turned patches, at training speed.
    skgeo.nn.GreatCircleBias : Does not change when patches are turned.

    Notes
    -----
    Angles are uniform. If a model stays in the region of its training, turned patches hide the effect of longitude
    there; see the guide :doc:`/guide/patches`. Keep tables in float64: in single precision, turning rounds each edge by
    up to 1 m.

    Examples
    --------
    >>> import torch
    >>> from skgeo.nn import turn_patches
    >>> window = torch.tensor([[30.0, 40, 0, 10, 8, 8], [30, 40, 10, 20, 8, 8]]).double()
    >>> windows = window.expand(3, 2, 6)
    >>> turned = turn_patches(windows, torch.Generator().manual_seed(0))
    >>> turned[:, :, 2].round()
    tensor([[ -11.,   -1.],
            [-105.,  -95.],
            [ 165.,  175.]], dtype=torch.float64)
    """
    cells = is_cells(patches) and patches.ndim > 2
    wide = check_places(patches, CELL_COLUMNS if cells else PATCH_COLUMNS, more=not cells)
    if not (generator is None or isinstance(generator, torch.Generator)):
        raise TypeError(
            f"generator={generator!r}: expected a torch.Generator, such as torch.Generator().manual_seed(0), or None."
        )
    # A generator draws on its own device only. Angles are drawn in float64: they are the same for every dtype.
    device = wide.device if generator is None else generator.device
    samples = wide.shape[:-3] if cells else wide.shape[:-2]
    angle = torch.rand(*samples, 1, generator=generator, device=device, dtype=torch.float64)
    turn = 360.0 * angle.to(wide.device, wide.dtype)
    west = wide[..., 1].detach() if cells else wide[..., 2].detach()
    turn = turn[..., None] if cells else turn
    # Whole turns bring western edges, and cells, back to -180 to 180. They do not round longitudes.
    turn = turn - 360.0 * torch.floor((west + turn + 180.0) / 360.0)
    if cells:
        return torch.stack([wide[..., 0], wide[..., 1] + turn, wide[..., 2]], dim=-1)
    return torch.cat([wide[..., :2], wide[..., 2:4] + turn[..., None], wide[..., 4:]], dim=-1)
