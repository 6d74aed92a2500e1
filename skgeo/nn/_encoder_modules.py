"""Torch modules of the location encoders, which compute the same formulas with torch."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from skgeo._kernels.harmonics import columns_of_order, convention_factors, legendre_series
from skgeo._kernels.sphere import wrap_longitude
from skgeo._spectrum import check_spectrum, prior_variance
from skgeo._validation import check_convention, check_degree, check_parameter, is_integer
from skgeo.nn._transformer_modules import check_last, like, multiples

__all__ = ["EncoderModule", "Harmonics"]

# EncoderModule recognises an encoder by these methods, which skgeo.encoders._base.FormulaEncoder documents. An import
# of FormulaEncoder would close a circle, because the to_torch of FormulaEncoder imports this module.
_FORMULA_METHODS = ("_check_parameters", "_constants", "_embedding_names", "_formula", "_own_parameters")


class EncoderModule(nn.Module):
    """An encoder of ``skgeo.encoders`` as a differentiable torch module. ``to_torch`` of the encoder makes the module.

    Parameters
    ----------
    encoder : Cartesian3DEncoder, DirectEncoder, GridEncoder, RadialBasisEncoder, RandomFourierEncoder, \
SphereCEncoder, SphereMEncoder, TheoryEncoder or WrapEncoder
        The encoder. RadialBasisEncoder and RandomFourierEncoder must be fitted; others need not be.

    Raises
    ------
    TypeError
        If ``encoder`` is something else; from a call with anything but a tensor.
    ValueError
        If a parameter of the encoder is invalid; from a call, if the last dimension is not 2.

    See Also
    --------
    skgeo.nn.Harmonics : The module of SphericalHarmonics.
    skgeo.encoders.GridEncoder.to_torch : The module of a fitted encoder.

    Notes
    -----
    The buffers are the constants of the formula, such as the angular rate of each scale. A call computes in the wider
    of the dtypes of points and buffers. New buffers are float64. The output has the dtype of the points. Gradients are
    finite everywhere. If an encoder jumps at the antimeridian, its gradients do not include the jump. Values are not
    checked: the module computes with values that ``transform`` refuses, such as NaN.

    Examples
    --------
    At the equator the sine of half the latitude grows half as fast as the sine of the latitude.

    >>> import torch
    >>> from skgeo.encoders import GridEncoder
    >>> from skgeo.nn import EncoderModule
    >>> module = EncoderModule(GridEncoder(1, 2.0, 2.0))
    >>> place = torch.tensor([0.0, 0.0], requires_grad=True)
    >>> module(place)[0].backward()
    >>> place.grad
    tensor([0.5000, 0.0000])
    """

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        known = all(callable(getattr(encoder, name, None)) for name in _FORMULA_METHODS)
        if not known or isinstance(encoder, type):
            raise TypeError(
                f"encoder={encoder!r}: expected an encoder of skgeo.encoders; Harmonics is for SphericalHarmonics."
            )
        encoder._check_parameters()
        self.encoder = type(encoder)(**encoder._own_parameters())
        self.n_outputs = len(encoder._embedding_names())
        # The constants of the given encoder: a random encoder draws them in its fit, and one with anchors finds them.
        self._names = tuple(encoder._constants())
        for name, values in encoder._constants().items():
            # Two constants may be one array. A safetensors file refuses tensors that share memory: copy each constant.
            self.register_buffer(name, torch.from_numpy(values.copy()))

    def forward(self, points: Tensor) -> Tensor:
        """Embed points.

        Parameters
        ----------
        points : Tensor of shape (..., 2)
            (latitude, longitude) in degrees, in this order, also if ``fit`` saw the columns in the other order.

        Returns
        -------
        Tensor of shape (..., n_outputs)
            The embedding, in the dtype of ``points``; for integers, in the dtype of the buffers.
        """
        check_last(points, "points", ("latitude", "longitude"))
        constants = {name: getattr(self, name) for name in self._names}
        wide = points.to(torch.promote_types(points.dtype, getattr(self, self._names[0]).dtype))
        latitude, longitude = wide[..., :1], wrap_longitude(wide[..., 1:], torch)
        return like(points, torch.cat(self.encoder._formula(latitude, longitude, constants, torch), dim=-1))

    def extra_repr(self) -> str:
        """The settings that ``print`` shows."""
        return repr(self.encoder)


class Harmonics(nn.Module):
    """``SphericalHarmonics`` as a differentiable torch module, made by its ``to_torch``.

    The module holds each harmonic as a Fourier series in colatitude. A call computes sines, cosines and two matrix
    products, without a recurrence or a division, so gradients of any order are finite, also at the poles. A latitude
    beyond 90 goes over the pole and down the other side.

    Parameters
    ----------
    max_degree : int, default=10
        Largest degree L, at least 1.
    min_degree : int, default=0
        Smallest degree.
    spectrum : None, "matern" or array-like of shape (L + 1,), default=None
        Prior variance of each degree; columns are multiplied by its square root.
    convention : "orthonormal", "satclip" or "satclip_closed_form", default="orthonormal"
        Signs and scale of the columns, as in :class:`~skgeo.encoders.SphericalHarmonics`.

    Attributes
    ----------
    series : Tensor of shape (L + 1, L + 1, L + 1)
        The buffer. Entry (n, m, l) belongs to the harmonics of degree l and of the orders m and -m. It is their factor
        of ``cos(n * colatitude)`` if m is even, and of ``sin(n * colatitude)`` if m is odd.

    Raises
    ------
    ValueError
        If a parameter is invalid; from a call, if the last dimension is not 2.

    See Also
    --------
    skgeo.encoders.SphericalHarmonics : The transformer, with the formulas.

    Notes
    -----
    A call computes in the wider of the dtypes of points and buffer. A new buffer is float64. The output has the dtype
    of the points. A call needs memory for about 4 (L + 1)^2 numbers a point: divide millions of points into batches.

    Examples
    --------
    The harmonic of degree 1 and order 0 is sqrt(3 / 4 pi) sin(latitude). Its slope at the equator is sqrt(3 / 4 pi) per
    radian.

    >>> import torch
    >>> from skgeo.nn import Harmonics
    >>> module = Harmonics(1)
    >>> place = torch.tensor([0.0, 90.0], requires_grad=True)
    >>> module(place)[2].backward()
    >>> print(f"{torch.rad2deg(place.grad)[0]:.4f}")
    0.4886
    """

    series: Tensor
    columns: Tensor

    def __init__(
        self, max_degree: int = 10, *, min_degree: int = 0, spectrum: Any = None, convention: str = "orthonormal"
    ) -> None:
        super().__init__()
        degree = check_degree(max_degree)
        valid = is_integer(min_degree) and 0 <= min_degree <= degree
        check_parameter("min_degree", min_degree, valid, f"an integer from 0 to max_degree={degree}")
        check_spectrum(spectrum, degree)
        check_convention(convention)
        self.max_degree, self.min_degree, self.convention = degree, int(min_degree), convention
        self.n_outputs = (degree + 1) ** 2 - self.min_degree**2
        series = legendre_series(degree).transpose(2, 0, 1) * np.sqrt(prior_variance(spectrum, degree))
        # Real harmonics of orders other than 0 carry a factor sqrt(2).
        series[:, 1:] *= np.sqrt(2.0)
        index = np.arange(degree + 1)
        series *= convention_factors(index, index[:, np.newaxis], convention)
        self.register_buffer("series", torch.from_numpy(np.ascontiguousarray(series)))
        self.register_buffer("columns", torch.from_numpy(_places_of_columns(degree)[self.min_degree**2 :]), False)

    def forward(self, points: Tensor) -> Tensor:
        """Embed points.

        Parameters
        ----------
        points : Tensor of shape (..., 2)
            (latitude, longitude) in degrees, in this order, also if ``fit`` saw the columns in the other order. Whole
            turns of longitude are removed without rounding.

        Returns
        -------
        Tensor of shape (..., n_outputs)
            The embedding, in the dtype of ``points``; for integers, in the dtype of the buffer.
        """
        check_last(points, "points", ("latitude", "longitude"))
        wide = points.to(torch.promote_types(points.dtype, self.series.dtype))
        order = torch.arange(self.max_degree + 1, dtype=wide.dtype, device=wide.device)
        south, east = multiples(order, -wide[..., :1], start=90.0), multiples(order, wide[..., 1:])
        series = self.series.to(wide.dtype)
        # autocast would compute the products in half precision, with two or three digits.
        with torch.autocast(points.device.type, enabled=False):
            even = torch.cos(south) @ series[:, 0::2].flatten(1)
            odd = torch.sin(south) @ series[:, 1::2].flatten(1)
        legendre = torch.cat([even, odd], dim=-1)
        legendre = legendre.reshape(*wide.shape[:-1], order.numel(), order.numel())
        # legendre has the even orders first: bring the waves of longitude into the same order.
        east = torch.cat([east[..., 0::2], east[..., 1::2]], dim=-1)
        waves = torch.stack([torch.cos(east), torch.sin(east)], dim=-2)
        values = waves.unsqueeze(-1) * legendre.unsqueeze(-3)
        return like(points, torch.index_select(values.flatten(-3), -1, self.columns))

    def extra_repr(self) -> str:
        """The settings that ``print`` shows."""
        convention = "" if self.convention == "orthonormal" else f", convention={self.convention!r}"
        return f"max_degree={self.max_degree}, min_degree={self.min_degree}{convention}"


def _places_of_columns(max_degree: int) -> npt.NDArray[np.int64]:
    """Positions of the harmonics (l, m), column ``l * l + l + m``, in the flat values of ``Harmonics.forward``.

    The values have the axes (cos or sin, order, degree), with the even orders before the odd orders.
    """
    width = max_degree + 1
    places = np.empty(width**2, dtype=np.int64)
    for place, order in enumerate([*range(0, width, 2), *range(1, width, 2)]):
        degree = np.arange(order, width)
        places[columns_of_order(-order, max_degree)] = (width + place) * width + degree
        places[columns_of_order(order, max_degree)] = place * width + degree
    return places
