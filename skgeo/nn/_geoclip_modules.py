"""Torch modules of GeoCLIP: random Fourier features of a map projection, and a sum of networks."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from skgeo._kernels.sphere import wrap_longitude
from skgeo.nn._transformer_modules import check_last, like

__all__ = ["EqualEarthFourier", "SumOfNetworks"]

# The coefficients A1 to A4 of the Equal Earth projection [1]_.
_EQUAL_EARTH = (1.340264, -0.081106, 0.000893, 0.003796)
# The scale of the projected coordinates in the published code of GeoCLIP.
_SCALE = 66.50336 / 180.0


class EqualEarthFourier(nn.Module):
    """Fourier features of the Equal Earth projection [1]_ of places, as in GeoCLIP [2]_.

    For each matrix B the features are the cosines and then the sines of 2 pi B v, where v are the two projected
    coordinates. The map has an edge at the antimeridian, and the poles are lines on it: the features jump there.

    Parameters
    ----------
    frequencies : array-like or Tensor of shape (n_matrices, n_frequencies, 2)
        The matrices B.

    Attributes
    ----------
    frequencies : Tensor of shape (n_matrices, n_frequencies, 2)
        The buffer, in float64.

    Notes
    -----
    A call computes in the wider of the dtypes of points and buffer. A new buffer is float64. The output has the dtype
    of the points. Longitudes are first brought to [-180, 180).

    References
    ----------
    .. [1] Savric, B., Patterson, T. & Jenny, B. (2019). The Equal Earth map projection. International Journal of
       Geographical Information Science 33(3), 454-465.
    .. [2] Vivanco Cepeda, V., Nayak, G. K. & Shah, M. (2023). GeoCLIP: Clip-inspired alignment between locations and
       images for effective worldwide geo-localization. Advances in Neural Information Processing Systems 36.
    """

    frequencies: Tensor

    def __init__(self, frequencies: Any) -> None:
        super().__init__()
        # A tensor on the meta device stays there, because files give the numbers afterwards.
        self.register_buffer("frequencies", torch.as_tensor(frequencies).to(torch.float64))
        self.n_outputs = 2 * self.frequencies.shape[0] * self.frequencies.shape[1]

    def forward(self, points: Tensor) -> Tensor:
        """Embed points.

        Parameters
        ----------
        points : Tensor of shape (..., 2)
            (latitude, longitude) in degrees.

        Returns
        -------
        Tensor of shape (..., 2 * n_matrices * n_frequencies)
            The features of the first matrix, then those of the second, and so on.
        """
        check_last(points, "points", ("latitude", "longitude"))
        wide = points.to(torch.promote_types(points.dtype, self.frequencies.dtype))
        x, y = equal_earth(wide[..., 0], wrap_longitude(wide[..., 1], torch))
        # autocast would compute products in half precision, which keeps two digits only: the sum is written out.
        across, up = self.frequencies.to(wide.dtype).unbind(-1)
        angles = 2.0 * math.pi * (x[..., None, None] * across + y[..., None, None] * up)
        return like(points, torch.cat([torch.cos(angles), torch.sin(angles)], dim=-1).flatten(-2))

    def extra_repr(self) -> str:
        """The settings that ``print`` shows."""
        n_matrices, n_frequencies, _ = self.frequencies.shape
        return f"n_matrices={n_matrices}, n_frequencies={n_frequencies}"


def equal_earth(latitude: Tensor, longitude: Tensor) -> tuple[Tensor, Tensor]:
    """The Equal Earth coordinates of degrees, in the scale of the published code of GeoCLIP."""
    a1, a2, a3, a4 = _EQUAL_EARTH
    theta = torch.asin(math.sqrt(3.0) / 2.0 * torch.sin(torch.deg2rad(latitude)))
    square = theta.square()
    # slope is the derivative of y with respect to theta.
    y = theta * (a1 + a2 * square + square**3 * (a3 + a4 * square))
    slope = a1 + 3.0 * a2 * square + square**3 * (7.0 * a3 + 9.0 * a4 * square)
    x = 2.0 / math.sqrt(3.0) * torch.deg2rad(longitude) * torch.cos(theta) / slope
    return _SCALE * x, _SCALE * y


class SumOfNetworks(nn.Module):
    """The sum of the outputs of networks. Each network gets its own part of the columns; the parts are equally wide.

    Parameters
    ----------
    networks : sequence of Module
        Networks with the same number of inputs and of outputs.
    """

    def __init__(self, networks: Any) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, embedding: Tensor) -> Tensor:
        """Compute the outputs.

        Parameters
        ----------
        embedding : Tensor of shape (..., n_networks * n_inputs)
            The columns of the first network, then those of the second, and so on.

        Returns
        -------
        Tensor of shape (..., n_outputs)
        """
        parts = embedding.chunk(len(self.networks), dim=-1)
        outputs = [network(part) for network, part in zip(self.networks, parts, strict=True)]
        return torch.stack(outputs).sum(dim=0)
