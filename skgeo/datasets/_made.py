"""Lattices, and synthetic data for classifiers."""

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree
from sklearn.utils import check_random_state

from skgeo._kernels import sphere
from skgeo._validation import check_parameter, is_integer
from skgeo.datasets._land_mask import load_land_mask

__all__ = ["fibonacci_lattice", "make_checkerboard", "make_land_ocean"]

Points = npt.NDArray[np.float64]
RandomState = int | np.random.RandomState | None


def fibonacci_lattice(n: int) -> Points:
    """Make points that are spread evenly over the sphere, on a spiral [1]_.

    Point i of n has the latitude asin(z), with z from -1 + 1 / n to 1 - 1 / n in equal steps, so that each point stands
    for the same area. Its longitude is i times 360 degrees divided by the golden ratio.

    Parameters
    ----------
    n : int
        Number of points.

    Returns
    -------
    ndarray of shape (n, 2)
        Latitude, rising, and longitude in [-180, 180), in degrees.

    Raises
    ------
    ValueError
        If ``n`` is no integer of at least 1.

    References
    ----------
    .. [1] Gonzalez, A. (2010). Measurement of areas on a sphere using Fibonacci and latitude-longitude lattices.
       Mathematical Geosciences 42, 49-64.

    Examples
    --------
    A mean over the lattice approximates the mean over the sphere. The mean of sin(latitude)^2 over the sphere is 1/3.

    >>> import numpy as np
    >>> from skgeo.datasets import fibonacci_lattice
    >>> latitude, longitude = fibonacci_lattice(1000).T
    >>> round(float(np.mean(np.sin(np.radians(latitude)) ** 2)), 4)
    0.3333
    """
    check_parameter("n", n, is_integer(n) and n >= 1, "an integer, at least 1")
    return sphere.fibonacci_lattice(int(n))


def make_land_ocean(n_samples: int = 5000, random_state: RandomState = None) -> tuple[Points, npt.NDArray[np.bool_]]:
    """Make random places, uniform on the sphere, and tell whether they are on land.

    This is the first experiment of [1]_, with the land mask of skgeo instead of polygons of countries. A place is on
    land if at least half of its cell of half a degree is land.

    Parameters
    ----------
    n_samples : int, default=5000
        Number of places.
    random_state : int, RandomState instance or None, default=None
        Give an int for the same places every time.

    Returns
    -------
    X : ndarray of shape (n_samples, 2)
        Latitude and longitude in degrees.
    y : ndarray of shape (n_samples,)
        True on land.

    Raises
    ------
    ValueError
        If ``n_samples`` is no integer of at least 1.

    See Also
    --------
    skgeo.datasets.load_land_mask : Loads the mask, and says what counts as land.

    References
    ----------
    .. [1] Russwurm, M., Klemmer, K., Rolf, E., Zbinden, R. & Tuia, D. (2024). Geographic location encoding with
       spherical harmonics and sinusoidal representation networks. International Conference on Learning Representations.

    Examples
    --------
    Land covers 29 percent of the Earth.

    >>> from skgeo.datasets import make_land_ocean
    >>> X, y = make_land_ocean(20000, random_state=0)
    >>> X.shape, round(float(y.mean()), 2)
    ((20000, 2), 0.29)
    """
    X = _uniform(n_samples, random_state)
    mask = load_land_mask().mask
    index = np.floor(np.add(X, [90.0, 180.0]) / [180.0, 360.0] * mask.shape).astype(np.intp)
    # The north pole and the meridian of 180 degrees belong to the last row and column.
    row, column = np.minimum(index, np.subtract(mask.shape, 1)).T
    return X, mask[row, column]


def make_checkerboard(
    n_samples: int = 10_000,
    n_support: int = 200,
    n_classes: int = 16,
    random_state: RandomState = None,
) -> tuple[Points, npt.NDArray[np.int_]]:
    """Make random places, uniform on the sphere, with classes that change between cells of about the same size.

    This is the second experiment of [1]_. A place has the class of the nearest point of a Fibonacci lattice. The class
    of point i is i modulo ``n_classes``. The cells are the same for every seed.

    Parameters
    ----------
    n_samples : int, default=10000
        Number of places.
    n_support : int, default=200
        Number of cells. They are about sqrt(41253 / n_support) degrees wide.
    n_classes : int, default=16
        Number of classes.
    random_state : int, RandomState instance or None, default=None
        Give an int for the same places every time.

    Returns
    -------
    X : ndarray of shape (n_samples, 2)
        Latitude and longitude in degrees.
    y : ndarray of shape (n_samples,)
        Class, 0 to ``n_classes - 1``.

    Raises
    ------
    ValueError
        If a number is no integer of at least 1.

    See Also
    --------
    skgeo.datasets.fibonacci_lattice : The points in the middle of the cells.

    References
    ----------
    .. [1] Russwurm, M., Klemmer, K., Rolf, E., Zbinden, R. & Tuia, D. (2024). Geographic location encoding with
       spherical harmonics and sinusoidal representation networks. International Conference on Learning Representations.

    Examples
    --------
    A thousand places in 200 cells. All 16 classes occur.

    >>> from skgeo.datasets import make_checkerboard
    >>> X, y = make_checkerboard(1000, random_state=0)
    >>> X.shape, len(set(y.tolist()))
    ((1000, 2), 16)
    """
    for name, value in (("n_support", n_support), ("n_classes", n_classes)):
        check_parameter(name, value, is_integer(value) and value >= 1, "an integer, at least 1")
    X = _uniform(n_samples, random_state)
    # The nearest point by the chord is the nearest by the great circle.
    nearest = cKDTree(sphere.unit_vectors(*fibonacci_lattice(n_support).T)).query(sphere.unit_vectors(*X.T))[1]
    return X, np.asarray(nearest, dtype=np.int_) % int(n_classes)


def _uniform(n_samples: int, random_state: RandomState) -> Points:
    """Draw random places, uniform on the sphere. Shape (n_samples, 2), in degrees."""
    check_parameter("n_samples", n_samples, is_integer(n_samples) and n_samples >= 1, "an integer, at least 1")
    # The sine of latitude of uniform places is uniform (Archimedes).
    along_axis, around = check_random_state(random_state).uniform(-1.0, 1.0, (2, int(n_samples)))
    return np.column_stack([np.degrees(np.arcsin(along_axis)), 180.0 * around])
