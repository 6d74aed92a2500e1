"""Sine and cosine of latitude and longitude on many scales."""

from typing import Any

from skgeo.encoders._base import FormulaEncoder, ScaledEncoder

__all__ = ["GridEncoder"]


class GridEncoder(ScaledEncoder, FormulaEncoder):
    """Sine and cosine of latitude and of longitude on many scales, the "grid" of Space2Vec [1]_.

    4 S columns: ``grid_lat_sin_s0`` to ``grid_lat_sin_s{S-1}`` from the smallest to the largest scale, then
    ``grid_lat_cos_*``, ``grid_lon_sin_*`` and ``grid_lon_cos_*``.

    Parameters
    ----------
    n_scales : int, default=16
        Number of scales S.
    min_scale : float, default=10
        Smallest scale. With ``n_scales=1`` it is the only scale.
    max_scale : float, default=360
        Largest scale. The other scales lie between the two in geometric progression.
    units : "degrees" or "radians", default="degrees"
        Unit of the scaled coordinates. With "degrees", as in the code of [1]_ and the experiments of [2]_, the sine and
        the cosine take degrees / scale as if it were radians: the wave of scale s is 2 pi s degrees long, and scales
        are in degrees. With "radians", as Sphere2Vec does, they take radians / scale: the wave is 360 s degrees long,
        and usual scales go from 0.001 or 0.1 to 1.
    periodic : bool, default=False
        Round the number of waves around the Earth, along longitude, to a whole number of at least one. The encoder is
        then continuous over the antimeridian. Several large scales may become equal.
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
    skgeo.encoders.TheoryEncoder : Has waves along three directions instead of two.
    skgeo.encoders.SphereCEncoder : Multiplies the waves of longitude by the cosine of latitude.

    Notes
    -----
    The columns are not continuous at the poles, where they depend on longitude. They are continuous over the
    antimeridian only if ``periodic`` is True. Longitudes of any convention are first brought to [-180, 180).

    References
    ----------
    .. [1] Mai, G., Janowicz, K., Yan, B., Zhu, R., Cai, L. & Lao, N. (2020). Multi-scale representation learning for
       spatial feature distributions using grid cells. International Conference on Learning Representations.
    .. [2] Russwurm, M., Klemmer, K., Rolf, E., Zbinden, R. & Tuia, D. (2024). Geographic location encoding with
       spherical harmonics and sinusoidal representation networks. International Conference on Learning Representations.

    Examples
    --------
    The scale 0.5 doubles the angles of a place, and the scale 1 does not change them.

    >>> from skgeo.encoders import GridEncoder
    >>> grid = GridEncoder(2, 0.5, 1.0, units="radians").fit([[30.0, 180.0]])
    >>> grid.get_feature_names_out().tolist()[:4]
    ['grid_lat_sin_s0', 'grid_lat_sin_s1', 'grid_lat_cos_s0', 'grid_lat_cos_s1']
    >>> grid.transform([[30.0, 60.0]]).round(3)
    array([[ 0.866,  0.5  ,  0.5  ,  0.866,  0.866,  0.866, -0.5  ,  0.5  ]])
    """

    def __init__(
        self,
        n_scales: int = 16,
        min_scale: float = 10.0,
        max_scale: float = 360.0,
        *,
        units: str = "degrees",
        periodic: bool = False,
        coordinates: tuple[str, str] | None = None,
        missing: str = "error",
        add_indicator: bool = False,
        verbose: bool | None = None,
    ) -> None:
        self.n_scales = n_scales
        self.min_scale = min_scale
        self.max_scale = max_scale
        self.units = units
        self.periodic = periodic
        self.coordinates = coordinates
        self.missing = missing
        self.add_indicator = add_indicator
        self.verbose = verbose

    def _terms(self) -> tuple[str, ...]:
        # Each name stands for one column for each scale, from the smallest to the largest scale.
        return ("grid_lat_sin_{}", "grid_lat_cos_{}", "grid_lon_sin_{}", "grid_lon_cos_{}")

    def _formula(self, latitude: Any, longitude: Any, constants: dict[str, Any], xp: Any) -> list[Any]:
        # The constants have one value for each scale: the angles get one column for each scale.
        lat, lon = latitude * constants["rate"], longitude * constants["east"]
        return [xp.sin(lat), xp.cos(lat), xp.sin(lon), xp.cos(lon)]
