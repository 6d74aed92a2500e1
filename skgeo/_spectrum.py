"""Prior variances of the degrees of harmonics."""

from typing import Any

import numpy as np
import numpy.typing as npt

from skgeo._kernels.sphere import EARTH_RADIUS
from skgeo._validation import check_degree, check_parameter, is_real

__all__ = ["degree_wavelength_km", "matern_spectrum"]


def degree_wavelength_km(degree: "npt.ArrayLike") -> npt.NDArray[np.float64]:
    """Wavelength on the ground of harmonics of a degree: 2 pi R / degree, or 40,030 km / degree.

    The resolution of these harmonics is half a wavelength, 180 / degree degrees.

    Parameters
    ----------
    degree : int or array-like of int
        Degrees, not negative.

    Returns
    -------
    ndarray of the shape of ``degree``
        Wavelengths in km on the sphere of radius 6371.0088 km; infinity at degree 0, which is constant.

    Raises
    ------
    ValueError
        If a degree is negative or no number.

    Examples
    --------
    >>> from skgeo import degree_wavelength_km
    >>> degree_wavelength_km([0, 1, 10, 40]).round(1)
    array([    inf, 40030.2,  4003. ,  1000.8])
    """
    values = np.asarray(degree)
    valid = values.dtype.kind in "iuf" and bool(np.all(values >= 0))
    check_parameter("degree", degree, valid, "numbers that are not negative")
    with np.errstate(divide="ignore", over="ignore"):
        return np.asarray(2.0 * np.pi * EARTH_RADIUS / 1000.0 / values)


def matern_spectrum(max_degree: int, *, nu: float = 1.0, kappa: float = 5.0) -> npt.NDArray[np.float64]:
    """Compute the prior variance of each harmonic of a Matern random field on the sphere.

    The variance is proportional to (kappa^2 + l (l + 1))^-(nu + 1) [1]_. The harmonics of degree 0 to ``max_degree``
    have a mean prior variance of one.

    Parameters
    ----------
    max_degree : int
        Largest degree L.
    nu : float, default=1.0
        Smoothness: the field has mean-square derivatives of all orders below nu.
    kappa : float, default=5.0
        Inverse of the range, per radian. Correlations fall to about 0.1 over sqrt(8 nu) / kappa radians, which are 32
        degrees for the default values.

    Returns
    -------
    ndarray of shape (max_degree + 1,)
        Prior variances, one for each degree, for ``SphericalHarmonicPCA(spectrum=...)``.

    Raises
    ------
    ValueError
        If ``max_degree`` is no integer of at least 1, or ``nu`` or ``kappa`` is not positive.

    References
    ----------
    .. [1] Lindgren, F., Rue, H. & Lindstrom, J. (2011). An explicit link between Gaussian fields and Gaussian
       Markov random fields. Journal of the Royal Statistical Society B 73(4), 423-498.

    Examples
    --------
    >>> from skgeo import matern_spectrum
    >>> matern_spectrum(3).round(3)
    array([1.597, 1.369, 1.039, 0.729])
    """
    degree = np.arange(check_degree(max_degree) + 1.0)
    check_parameter("nu", nu, is_real(nu) and nu > 0, "a positive number")
    check_parameter("kappa", kappa, is_real(kappa) and kappa > 0, "a positive number")
    # The spectral density of Lindgren, Rue & Lindstrom (2011), scaled to a mean of one over all harmonics.
    density = (kappa**2 + degree * (degree + 1.0)) ** -(nu + 1.0)
    return density * degree.size**2 / np.sum((2.0 * degree + 1.0) * density)


def prior_variance(spectrum: Any, max_degree: int) -> npt.NDArray[np.float64]:
    """Prior variances (L + 1,) of the degrees, from the parameter ``spectrum`` of an estimator."""
    if spectrum is None:
        return np.ones(max_degree + 1)
    return matern_spectrum(max_degree) if isinstance(spectrum, str) else np.asarray(spectrum, dtype=np.float64)


def check_spectrum(spectrum: Any, max_degree: int) -> None:
    """Raise ValueError unless ``spectrum`` is None, "matern" or a usable variance for each degree."""
    if isinstance(spectrum, str) or spectrum is None:
        valid = spectrum in (None, "matern")
    else:
        try:
            prior = prior_variance(spectrum, max_degree)
        except (TypeError, ValueError):  # no numbers: the check below refuses the shape of an empty array
            prior = np.empty(0)
        # Degree 0 is constant, so that variance in degree 0 alone gives no component.
        usable = bool(np.all(np.isfinite(prior) & (prior >= 0)))
        valid = prior.shape == (max_degree + 1,) and usable and bool(prior[1:].any())
    accepted = f"None, 'matern' or max_degree + 1 = {max_degree + 1} weights, not negative, not all zero"
    check_parameter("spectrum", spectrum, valid, accepted)
