"""Torch modules of the transformers: the same numbers from tensors, with the fitted constants as buffers."""

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from skgeo._input.patch_table import PATCH_COLUMNS
from skgeo._kernels.harmonics import columns_of_order, degree_of, legendre_series
from skgeo._kernels.sphere import EARTH_RADIUS, descriptors
from skgeo._typing import FloatArray
from skgeo._validation import check_clip, check_parameter, check_radius
from skgeo.nn._cell_stacks import CELL_COLUMNS, cell_extents, is_cells, known_cells

__all__ = ["HarmonicPCA", "PatchPosition", "PatchScale"]


class HarmonicPCA(nn.Module):
    """``SphericalHarmonicPCA.transform`` as a differentiable torch module, made by its ``to_torch``.

    The module is a linear map of real spherical harmonics with a smooth limit, ``clip * tanh(z / clip)``. It holds the
    map as a Fourier series in longitude and colatitude [1]_. A call computes sines, cosines and one matrix product,
    without a recurrence, a kink or a division, so gradients of any order are finite, also at the poles. A latitude
    beyond 90 goes over the pole and down the other side: an optimiser may move places freely.

    Parameters
    ----------
    affine : array-like of shape (k, (L + 1)^2)
        The map of the harmonics, (l, m) at column ``l * l + l + m``; a constant is added to the first.
    clip : float or None, default=None
        Bound of the output; None does not clip.

    Attributes
    ----------
    coefficients : Tensor of shape (2, L + 1, L + 1, k)
        The buffer. Entry (0, m, n) is the factor of ``cos(m * longitude)``, and entry (1, m, n) that of
        ``sin(m * longitude)``, times ``cos(n * colatitude)`` if m is even and ``sin(n * colatitude)`` if m is odd.

    Raises
    ------
    ValueError
        If ``affine`` has another shape or ``clip`` is not positive; from a call, if the last dimension is not 2 or the
        numbers are not real.
    TypeError
        From a call with anything but a tensor.

    See Also
    --------
    skgeo.SphericalHarmonicPCA.to_torch : The module of a fitted transformer.

    Notes
    -----
    A call computes in the wider of the dtypes of points and buffer. The output has the dtype of the points. A new
    buffer is float64, so that float32 points agree with ``transform`` to float32 rounding, under ``torch.autocast``
    too. ``module.float()`` is for devices without float64. Its error is about 1e-7 times the largest coefficient: 3e-6
    for a basis of the globe, but 1e-3 for a small region, because its coefficients are in the thousands. A call needs
    memory for about 4 (L + 1)^2 numbers a point: divide millions of points into batches. Values are not checked: the
    module computes with values that ``transform`` refuses, such as NaN.

    References
    ----------
    .. [1] Townsend, A., Wilber, H. & Wright, G. B. (2016). Computing with functions in spherical and polar
       geometries I. The sphere. SIAM Journal on Scientific Computing 38(4), C403-C425.

    Examples
    --------
    The third component of this basis is sqrt(3) cos(latitude) cos(longitude). On the equator at 90 degrees east it
    falls by sqrt(3) per radian of longitude.

    >>> import numpy as np, torch
    >>> from skgeo import LatLonGrid, SphericalHarmonicPCA
    >>> globe = LatLonGrid(np.arange(-89.5, 90), np.arange(0.5, 360))
    >>> module = SphericalHarmonicPCA(max_degree=1, clip=None).fit(globe).to_torch()
    >>> place = torch.tensor([0.0, 90.0], requires_grad=True)
    >>> module(place)[2].backward()
    >>> print(f"{torch.rad2deg(place.grad)[1]:.4f}")
    -1.7321
    """

    coefficients: Tensor

    def __init__(self, affine: "npt.ArrayLike", clip: float | None = None) -> None:
        super().__init__()
        matrix = np.asarray(affine, dtype=np.float64)
        if matrix.ndim != 2 or matrix.size == 0 or math.isqrt(matrix.shape[1]) ** 2 != matrix.shape[1]:
            raise ValueError(f"affine has shape {matrix.shape}: expected (k, (L + 1)^2).")
        check_clip(clip)
        self.clip = clip
        # The array is float64, so the buffer does not depend on torch's default dtype.
        self.register_buffer("coefficients", torch.from_numpy(_double_fourier(matrix)))

    def forward(self, points: Tensor) -> Tensor:
        """Embed points.

        Parameters
        ----------
        points : Tensor of shape (..., 2)
            (latitude, longitude) in degrees, in this order, also if ``fit`` saw the columns in the other order. Whole
            turns of longitude are removed without rounding.

        Returns
        -------
        Tensor of shape (..., k)
            The embedding, in the dtype of ``points``; for integers, in the dtype of the buffer.
        """
        check_last(points, "points", ("latitude", "longitude"))
        wide = points.to(torch.promote_types(points.dtype, self.coefficients.dtype))
        order = torch.arange(self.coefficients.shape[1], dtype=wide.dtype, device=wide.device)
        # Multiples of the colatitude, 90 - latitude, and of the longitude.
        south = multiples(order, -wide[..., :1], start=90.0)
        east = multiples(order, wide[..., 1:])
        # Harmonics of odd order are sine series in colatitude, harmonics of even order are cosine series.
        odd = (order % 2 == 1).unsqueeze(-1)
        of_colatitude = torch.where(odd, torch.sin(south).unsqueeze(-2), torch.cos(south).unsqueeze(-2))
        of_longitude = torch.stack([torch.cos(east), torch.sin(east)], dim=-2)
        return like(points, self._map(of_longitude, of_colatitude))

    def _map(self, of_longitude: Tensor, of_colatitude: Tensor) -> Tensor:
        """The clipped map of waves of longitude (..., 2, L + 1) and of colatitude (..., L + 1, L + 1)."""
        waves = of_longitude.unsqueeze(-1) * of_colatitude.unsqueeze(-3)
        # autocast would compute the product in half precision, which keeps two digits only.
        with torch.autocast(waves.device.type, enabled=False):
            values = waves.flatten(-3) @ self.coefficients.to(waves.dtype).flatten(0, 2)
        return values if self.clip is None else self.clip * torch.tanh(values / self.clip)

    def extra_repr(self) -> str:
        """The settings that ``print`` shows."""
        _, width, _, n_components = self.coefficients.shape
        return f"max_degree={width - 1}, n_components={n_components}, clip={self.clip}"


class PatchScale(nn.Module):
    """``PatchScaleFeaturizer.transform`` as a differentiable torch module, made by its ``to_torch``.

    Parameters
    ----------
    earth_radius : float, default=6371008.8
        Radius of the sphere in metres.
    log : bool, default=True
        Return natural logarithms.

    Attributes
    ----------
    earth_radius : Tensor of shape ()
        The buffer.

    Raises
    ------
    ValueError
        If ``earth_radius`` is not positive; from a call, if the last dimension is not 6 or the numbers are not real.
    TypeError
        From a call with anything but a tensor.

    See Also
    --------
    skgeo.PatchScaleFeaturizer : The descriptors and their formulas.

    Notes
    -----
    A call computes in the wider of the dtypes of patches and buffer. A new buffer is float64. The output has the dtype
    of the patches. Values are not checked: a patch that ``transform`` refuses gives NaN, infinity or a number without
    meaning.

    Examples
    --------
    The slope of the logarithm of the area of a quadrant for its southern, northern, western and eastern edge, per
    degree. The slope of the northern edge is zero, because this edge is the pole.

    >>> import torch
    >>> from skgeo import PatchScaleFeaturizer
    >>> quadrant = torch.tensor([0.0, 90.0, 0.0, 90.0, 45.0, 45.0])
    >>> module = PatchScaleFeaturizer().fit(quadrant[None].numpy()).to_torch()
    >>> log_area = torch.func.jacrev(module)(quadrant)[2]
    >>> print([round(slope, 4) for slope in log_area[:4].tolist()])
    [-0.0175, 0.0, -0.0111, 0.0111]
    """

    earth_radius: Tensor

    def __init__(self, earth_radius: float = EARTH_RADIUS, log: bool = True) -> None:
        super().__init__()
        check_radius("earth_radius", earth_radius)
        self.log = log
        self.register_buffer("earth_radius", torch.tensor(float(earth_radius), dtype=torch.float64))

    def forward(self, patches: Tensor) -> Tensor:
        """Describe patches.

        Parameters
        ----------
        patches : Tensor of shape (..., 6) or (..., n_cells, 3)
            Patch tables: south, north, west, east (edges in degrees), n_lat, n_lon (pixels). If east is below
            west, the patch crosses the antimeridian. Or stacks of cells: latitude, longitude (degrees), area (square
            metres).

        Returns
        -------
        Tensor of shape (..., 10)
            The descriptors, in the dtype of ``patches``; integers give that of the buffer.
        """
        if is_cells(patches):
            radius = self.earth_radius
            lon, lat, area, count = cell_extents(patches.to(torch.promote_types(patches.dtype, radius.dtype)))
            # The cells count as squares.
            n_lat = torch.sqrt(count * lat / lon)
            parts = descriptors(lon * radius, lat * radius, area * radius**2, count / n_lat, n_lat, radius)
            table = torch.stack(parts, dim=-1)
            return like(patches, torch.log(table) if self.log else table)
        check_last(patches, "patches", PATCH_COLUMNS)
        wide = patches.to(torch.promote_types(patches.dtype, self.earth_radius.dtype))
        latitude, _, height, width = middles(wide)
        width, height, parallel = torch.deg2rad(width), torch.deg2rad(height), cos_degrees(latitude)
        lon, lat = self.earth_radius * width * parallel, self.earth_radius * height
        # This product equals sin(north) - sin(south), without the cancellation of that difference.
        area = self.earth_radius**2 * width * 2.0 * torch.sin(height / 2.0) * parallel
        table = torch.stack(descriptors(lon, lat, area, wide[..., 5], wide[..., 4], self.earth_radius), dim=-1)
        return like(patches, torch.log(table) if self.log else table)

    def extra_repr(self) -> str:
        """The settings that ``print`` shows."""
        return f"earth_radius={float(self.earth_radius)}, log={self.log}"


class PatchPosition(HarmonicPCA):
    """``PatchPositionEncoder.transform`` as a differentiable torch module, made by its ``to_torch``.

    The module is the exact mean of a linear map of real spherical harmonics over the area of each patch, with a smooth
    limit. It computes features of patches that move, such as those of :func:`~skgeo.nn.turn_patches`, within a training
    step.

    Parameters
    ----------
    affine : array-like of shape (k, (L + 1)^2)
        The map of the harmonics, (l, m) at column ``l * l + l + m``; a constant is added to the first.
    clip : float or None, default=None
        Bound of the output; None does not clip.
    average : "exact" or "pixels", default="exact"
        "exact" takes patch tables: the clipped mean over the area of a patch. "pixels" takes stacks of cells: the mean
        of the clipped values at the centres of the cells, weighted by their areas.

    Attributes
    ----------
    coefficients : Tensor of shape (2, L + 1, L + 1, k)
        The buffer, as in :class:`~skgeo.nn.HarmonicPCA`.

    Raises
    ------
    ValueError
        If ``affine`` has another shape, or ``clip`` or ``average`` is invalid; from a call, if the last
        dimension is not 6, or 3 for stacks of cells, or the numbers are not real.
    TypeError
        From a call with anything but a tensor.

    See Also
    --------
    skgeo.PatchPositionEncoder.to_torch : The module of a fitted encoder.

    Notes
    -----
    The map is a Fourier series in longitude and colatitude. The means of its waves over a patch have a closed form, so
    a call computes sines, cosines and one matrix product, for any number of pixels. For the precision see
    :class:`~skgeo.nn.HarmonicPCA`. Values are not checked: a patch without height or width has the position of a line
    or a point, unless the point is a pole, which gives NaN.

    Examples
    --------
    The mean of the sine of latitude over the northern hemisphere is 1/2.

    >>> import torch
    >>> from skgeo.nn import PatchPosition
    >>> sine = torch.pi**0.5 * 2 / 3**0.5
    >>> module = PatchPosition([[0.0, 0.0, sine, 0.0]])
    >>> module(torch.tensor([[0.0, 90.0, -180.0, 180.0, 90, 360]])).round(decimals=6)
    tensor([[0.5000]])
    """

    def __init__(self, affine: npt.ArrayLike, clip: float | None = None, average: str = "exact") -> None:
        super().__init__(affine, clip)
        check_parameter("average", average, average in ("exact", "pixels"), "'exact' or 'pixels'")
        self.average = average

    def forward(self, patches: Tensor) -> Tensor:
        """Embed patches.

        Parameters
        ----------
        patches : Tensor of shape (..., 6) or (..., n_cells, 3)
            Patch tables: south, north, west, east (edges in degrees), n_lat, n_lon (pixels). If east is below
            west, the patch crosses the antimeridian. With ``average="pixels"``, stacks of cells: latitude, longitude
            (degrees), area (square metres), NaN where a patch has fewer cells.

        Returns
        -------
        Tensor of shape (..., k)
            The embedding, in the dtype of ``patches``; for integers, in the dtype of the buffer.
        """
        if self.average == "pixels":
            if isinstance(patches, Tensor) and not is_cells(patches):
                raise ValueError(
                    f"patches has shape {tuple(patches.shape)}: average='pixels' takes stacks of cells, "
                    "(..., n_cells, 3): latitude, longitude, area. Patch tables need average='exact'."
                )
            check_last(patches, "patches", CELL_COLUMNS)
            wide = patches.to(torch.promote_types(patches.dtype, self.coefficients.dtype))
            *places, area, _ = known_cells(wide)
            values = super().forward(torch.rad2deg(torch.stack(places, dim=-1)))
            weight = area / area.sum(dim=-1, keepdim=True)
            return like(patches, (values * weight[..., None]).sum(dim=-2))
        check_last(patches, "patches", PATCH_COLUMNS)
        wide = patches.to(torch.promote_types(patches.dtype, self.coefficients.dtype))
        latitude, longitude, height, width = (each.unsqueeze(-1) for each in middles(wide))
        order = torch.arange(self.coefficients.shape[1], dtype=wide.dtype, device=wide.device)
        south = multiples(order, -latitude, start=90.0)
        east = multiples(order, longitude)
        waves = _mean_waves(south, height, latitude)
        odd = (order % 2 == 1).unsqueeze(-1)
        of_colatitude = torch.where(odd, waves[1].unsqueeze(-2), waves[0].unsqueeze(-2))
        # The mean of a wave of longitude is the wave at the middle, times sin(x) / x with x of half the width.
        of_longitude = torch.stack([torch.cos(east), torch.sin(east)], dim=-2)
        of_longitude = of_longitude * torch.sinc(order * width / 360.0).unsqueeze(-2)
        return like(patches, self._map(of_longitude, of_colatitude))


def _mean_waves(south: Tensor, height: Tensor, latitude: Tensor) -> tuple[Tensor, Tensor]:
    """Means of cos(n x) and sin(n x) over bands of the colatitude x, weighted by area; ``south`` is n x at the middle.

    The weight is sin(x), and its products with the waves are sums of waves n - 1 and n + 1. The mean of a wave
    of degree d is its value at the middle times sin(h) / h, where h is d times half of the height of the band.
    """
    degrees = torch.arange(-1, south.shape[-1] + 1, dtype=south.dtype, device=south.device)
    damping = torch.sinc(degrees * height / 360.0)
    # The half sum and the half difference of the two factors. The difference is small where the sine of the colatitude
    # is small, so its division by this sine loses no digits.
    level = (damping[..., 2:] + damping[..., :-2]) / 2.0
    slope = (damping[..., 2:] - damping[..., :-2]) / 2.0
    slope = slope * torch.sin(torch.deg2rad(latitude)) / cos_degrees(latitude)
    cosine, sine, area = torch.cos(south), torch.sin(south), damping[..., 2:3]
    return (level * cosine + slope * sine) / area, (level * sine - slope * cosine) / area


def _double_fourier(affine: FloatArray) -> FloatArray:
    """The Fourier series in longitude and colatitude of a map of harmonics; shape (2, L + 1, L + 1, k)."""
    max_degree = degree_of(affine.shape[1])
    series = np.zeros((2, max_degree + 1, max_degree + 1, affine.shape[0]))
    for order, of_degree in enumerate(legendre_series(max_degree)):
        # Part 0 is the cosines of longitude (order m), part 1 the sines (order -m), which order 0 does not have.
        for part, sign in enumerate((1, -1)[: 1 + (order > 0)]):
            series[part, order] = (affine[:, columns_of_order(sign * order, max_degree)] @ of_degree[order:]).T
    series[:, 1:] *= np.sqrt(2.0)
    return series


def multiples(order: Tensor, degrees: Tensor, start: float = 0.0) -> Tensor:
    """``order * (start + degrees)`` in radians. The error grows neither with the order nor with the number of turns."""
    # Multiples of whole degrees are exact, and so is their remainder. Only the part below half a degree is rounded.
    whole = torch.round(degrees).detach()
    turned = torch.remainder(order * torch.remainder(whole + start, 360.0), 360.0)
    return torch.deg2rad(turned + order * (degrees - whole))


def middles(patches: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Latitude and longitude of the middles of patches (..., 6), their heights and their widths, all in degrees."""
    south, north, west, east = patches[..., :4].unbind(-1)
    # An eastern edge below the western edge lies beyond the antimeridian: add whole turns to it.
    width = east - west + 360.0 * torch.ceil((west - east) / 360.0).clamp(min=0.0).detach()
    return (south + north) / 2.0, west + width / 2.0, north - south, width


def cos_degrees(latitude: Tensor) -> Tensor:
    """Cosine of degrees. It is accurate near the poles, where it is small, and smooth everywhere."""
    # cos(x) = 2 sin(45 - x / 2) sin(45 + x / 2), in degrees: at a pole one factor is exactly zero.
    half = latitude / 2.0
    return 2.0 * torch.sin(torch.deg2rad(45.0 - half)) * torch.sin(torch.deg2rad(45.0 + half))


def check_tensor(values: object, name: str) -> None:
    """Refuse any value that is not a tensor of real numbers."""
    if not isinstance(values, Tensor):
        raise TypeError(
            f"{name} is a {type(values).__name__}: expected a tensor, for instance "
            f"torch.as_tensor(numpy.asarray({name}))."
        )
    if values.is_complex() or values.dtype == torch.bool:
        raise ValueError(f"{name} has dtype {values.dtype}: expected real numbers.")


def check_last(values: Tensor, name: str, columns: tuple[str, ...]) -> None:
    """Refuse any value that is not a tensor of real numbers with these columns as its last dimension."""
    check_tensor(values, name)
    if values.ndim == 0 or values.shape[-1] != len(columns):
        expected = f"(..., {len(columns)}): {', '.join(columns)}"
        raise ValueError(f"{name} has shape {tuple(values.shape)}: expected {expected}.")


def check_places(values: object, columns: tuple[str, ...], *, more: bool = False) -> Tensor:
    """Tables (..., n, columns) of patches, checked; integers become float64. ``more`` allows further columns."""
    check_tensor(values, "patches")
    assert isinstance(values, Tensor)
    wrong = values.shape[-1] < len(columns) if more and values.ndim else values.shape[-1:] != (len(columns),)
    if values.ndim < 2 or wrong:
        expected = f"(..., n, {len(columns)}{' or more' if more else ''}): {', '.join(columns)}"
        raise ValueError(f"patches has shape {tuple(values.shape)}: expected {expected}.")
    if values.is_floating_point() and values.dtype.itemsize < 4:
        raise ValueError(
            f"patches has dtype {values.dtype}, which rounds places by up to half a degree: expected float64."
        )
    return values if values.is_floating_point() else values.to(torch.float64)


def like(given: Tensor, values: Tensor) -> Tensor:
    """``values`` in the dtype of ``given``, unless this is a dtype of integers."""
    return values.to(given.dtype) if given.is_floating_point() else values
