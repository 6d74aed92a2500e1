"""Prior variances of the degrees of harmonics."""

import numpy as np
import numpy.typing as npt

from skgeo._parameters import check_degree, check_parameter, is_real

__all__ = ["matern_spectrum"]


def matern_spectrum(max_degree: int, *, nu: float = 1.0, kappa: float = 5.0) -> npt.NDArray[np.float64]:
    """Prior variance per harmonic of a Matern random field on the sphere.

    Proportional to (kappa^2 + l (l + 1))^-(nu + 1) [1]_, normalised so that the harmonics of degree 0 to
    ``max_degree`` have a mean prior variance of one.

    Parameters
    ----------
    max_degree : int
        Largest degree L.
    nu : float, default=1.0
        Smoothness: the field has the derivatives of order less than nu, in the mean square.
    kappa : float, default=5.0
        Inverse range, per radian: correlations fall off over about sqrt(8 nu) / kappa radians (32 degrees).

    Returns
    -------
    ndarray of shape (max_degree + 1,)
        One weight per degree, for ``SphericalHarmonicPCA(spectrum=...)``.

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
    density = (kappa**2 + degree * (degree + 1.0)) ** -(nu + 1.0)
    return density * degree.size**2 / np.sum((2.0 * degree + 1.0) * density)
