"""The position on the unit sphere."""

from typing import Any

from skgeo.encoders._base import FormulaEncoder, sin_cos

__all__ = ["Cartesian3DEncoder"]


class Cartesian3DEncoder(FormulaEncoder):
    """The position on the unit sphere in space, as in [1]_.

    Three columns, at latitude ``lat`` and longitude ``lon``: ``cartesian_x`` is cos(lat) cos(lon), ``cartesian_y`` is
    cos(lat) sin(lon), ``cartesian_z`` is sin(lat).

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
    skgeo.encoders.SphericalHarmonics : Degree 1 gives these columns times sqrt(3 / 4 pi), and a constant.

    Notes
    -----
    The columns are smooth everywhere on the sphere, also at the antimeridian and the poles.

    References
    ----------
    .. [1] Russwurm, M., Klemmer, K., Rolf, E., Zbinden, R. & Tuia, D. (2024). Geographic location encoding with
       spherical harmonics and sinusoidal representation networks. International Conference on Learning Representations.

    Examples
    --------
    Two places on the equator, and the north pole.

    >>> from skgeo.encoders import Cartesian3DEncoder
    >>> Cartesian3DEncoder().fit_transform([[0.0, 0.0], [0.0, 90.0], [90.0, 77.0]]).round(4)
    array([[1., 0., 0.],
           [0., 1., 0.],
           [0., 0., 1.]])
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
        return ("cartesian_x", "cartesian_y", "cartesian_z")

    def _formula(self, latitude: Any, longitude: Any, constants: dict[str, Any], xp: Any) -> list[Any]:
        # The cosine of sin_cos is exactly zero at the poles: x and y are zero there at every longitude.
        lat_sin, lat_cos = sin_cos(latitude, constants["radians_per_degree"], xp)
        lon_sin, lon_cos = sin_cos(longitude, constants["radians_per_degree"], xp)
        # The order is x, y and z, as in _terms.
        return [lat_cos * lon_cos, lat_cos * lon_sin, lat_sin]
