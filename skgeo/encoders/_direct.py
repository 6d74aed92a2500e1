"""Latitude and longitude as they are."""

from typing import Any

from skgeo.encoders._base import FormulaEncoder

__all__ = ["DirectEncoder"]


class DirectEncoder(FormulaEncoder):
    """Latitude and longitude in radians, as they are.

    Two columns: ``direct_lat`` in [-pi / 2, pi / 2] and ``direct_lon`` in [-pi, pi), the baseline of [1]_.

    Parameters
    ----------
    coordinates : (str, str) or None, default=None
        Names of the latitude and the longitude column of a DataFrame. None finds lat, latitude, lon, lng, long,
        longitude, in any order and case, and a single pair such as start_lat, start_lon.
    missing : "error" or "nan", default="error"
        What to do with points that lack a coordinate: refuse them, or embed them as NaN.
    add_indicator : bool, default=False
        Add a column ``missing_location``, 1 where a coordinate is missing.
    verbose : bool or None, default=None
        Show a progress bar; needs tqdm. None shows it in interactive sessions, when work takes longer than two seconds.

    Attributes
    ----------
    n_features_in_ : int
        2: latitude and longitude.
    feature_names_in_ : ndarray of shape (2,)
        Columns of the DataFrame seen in ``fit``; only if it was one.

    Raises
    ------
    CoordinateError
        From any method that takes X, if it is not latitude and longitude in degrees.
    ValueError
        From ``fit``, if a parameter is invalid.
    NotFittedError
        From ``transform`` and ``to_torch`` before ``fit``.
    ImportError
        From ``to_torch`` without torch.

    See Also
    --------
    skgeo.encoders.Cartesian3DEncoder : Has no seam at the antimeridian and no jump at the poles.

    Notes
    -----
    The longitude jumps by 2 pi at the antimeridian, where 180 is read as -180. At a pole, ``direct_lon`` depends on the
    longitude of the input. The code of [1]_ subtracts the constant pi from both columns. A network with a bias can
    learn this constant.

    References
    ----------
    .. [1] Russwurm, M., Klemmer, K., Rolf, E., Zbinden, R. & Tuia, D. (2024). Geographic location encoding with
       spherical harmonics and sinusoidal representation networks. International Conference on Learning Representations.

    Examples
    --------
    A place on the equator, and the north pole. The longitude 180 is read as -180.

    >>> from skgeo.encoders import DirectEncoder
    >>> DirectEncoder().fit_transform([[0.0, -90.0], [90.0, 180.0]]).round(4)
    array([[ 0.    , -1.5708],
           [ 1.5708, -3.1416]])
    """

    def __init__(
        self,
        *,
        coordinates: tuple[str, str] | None = None,
        missing: str = "error",
        add_indicator: bool = False,
        verbose: bool | None = None,
    ) -> None:
        self.coordinates = coordinates
        self.missing = missing
        self.add_indicator = add_indicator
        self.verbose = verbose

    def _terms(self) -> tuple[str, ...]:
        # Latitude comes first, as in the columns of X.
        return ("direct_lat", "direct_lon")

    def _formula(self, latitude: Any, longitude: Any, constants: dict[str, Any], xp: Any) -> list[Any]:
        # A product with pi / 180 works for numpy and torch alike; torch has no radians function.
        return [latitude * constants["radians_per_degree"], longitude * constants["radians_per_degree"]]
