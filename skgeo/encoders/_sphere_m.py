"""Positions on the sphere with one coordinate at a time scaled."""

from typing import Any

from skgeo._typing import FloatArray
from skgeo._validation import check_flag
from skgeo.encoders._base import FormulaEncoder, ScaledEncoder

__all__ = ["SphereMEncoder"]


class SphereMEncoder(ScaledEncoder, FormulaEncoder):
    """The position on the unit sphere, with one coordinate at a time divided by scales: SphereM of Sphere2Vec [1]_.

    5 S columns: ``spherem_lat_sin_s0`` to ``spherem_lat_sin_s{S-1}`` from the smallest to the largest scale, then
    ``spherem_lat_cos_*_lon_cos``, ``spherem_lat_cos_lon_cos_*``, ``spherem_lat_cos_*_lon_sin`` and
    ``spherem_lat_cos_lon_sin_*``. In a name, the scale stands behind the coordinate that it divides. With ``plus``
    there are 8 S columns: also ``spherem_lat_cos_*``, ``spherem_lon_sin_*``, ``spherem_lon_cos_*``.

    Parameters
    ----------
    n_scales : int, default=16
        Number of scales S.
    min_scale : float, default=10
        Smallest scale. With ``n_scales=1`` it is the only scale.
    max_scale : float, default=360
        Largest scale. The other scales lie between the two in geometric progression.
    plus : bool, default=False
        Add the columns of GridEncoder, except the sine of latitude: SphereM+.
    units : "degrees" or "radians", default="degrees"
        Unit of the scaled coordinates. With "degrees", as in the experiments of [2]_, the sine and the cosine take
        degrees / scale as if it were radians: the wave of scale s is 2 pi s degrees long, and scales are
        in degrees. With "radians", as in [1]_, they take radians / scale: the wave is 360 s degrees long, and usual
        scales go from 0.001 or 0.1 to 1.
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
    skgeo.encoders.SphereCEncoder : Scales both coordinates together.

    Notes
    -----
    The columns are not continuous at the poles. They are continuous over the antimeridian only if ``periodic`` is True.
    ``periodic`` also rounds the waves of the longitude that has no scale. With ``units="degrees"``, as in [2]_,
    coordinates without scale give waves of 2 pi degrees. Longitudes of any convention are first brought to [-180, 180).
    The code of [2]_ repeats every column. Here each column appears once, so the columns span the same functions.

    References
    ----------
    .. [1] Mai, G., Xuan, Y., Zuo, W., He, Y., Song, J., Ermon, S., Janowicz, K. & Lao, N. (2023). Sphere2Vec: A
       general-purpose location representation learning over a spherical surface for large-scale geospatial
       predictions. ISPRS Journal of Photogrammetry and Remote Sensing 202, 439-462.
    .. [2] Russwurm, M., Klemmer, K., Rolf, E., Zbinden, R. & Tuia, D. (2024). Geographic location encoding with
       spherical harmonics and sinusoidal representation networks. International Conference on Learning Representations.

    Examples
    --------
    With the scale 2 the waves see half of a coordinate: 30 degrees in place of 60.

    >>> from skgeo.encoders import SphereMEncoder
    >>> half = SphereMEncoder(1, 2.0, 2.0, units="radians")
    >>> half.fit_transform([[0.0, 60.0], [60.0, 0.0]]).round(3)
    array([[0.   , 0.5  , 0.866, 0.866, 0.5  ],
           [0.5  , 0.866, 0.5  , 0.   , 0.   ]])
    """

    def __init__(
        self,
        n_scales: int = 16,
        min_scale: float = 10.0,
        max_scale: float = 360.0,
        *,
        plus: bool = False,
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
        self.plus = plus
        self.units = units
        self.periodic = periodic
        self.coordinates = coordinates
        self.missing = missing
        self.add_indicator = add_indicator
        self.verbose = verbose

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_flag("plus", self.plus)

    def _constants(self) -> dict[str, FloatArray]:
        # The coordinate that is not divided by a scale has the scale 1.
        one = self._unscaled()
        return super()._constants() | {"one": one, "one_east": self._eastwards(one)}

    def _terms(self) -> tuple[str, ...]:
        # In each mixed term one coordinate has a scale. The braces stand behind this coordinate.
        mixed = tuple(
            term for wave in ("cos", "sin") for term in (f"lat_cos_{{}}_lon_{wave}", f"lat_cos_lon_{wave}_{{}}")
        )
        added = ("lat_cos_{}", "lon_sin_{}", "lon_cos_{}")[: 3 * self.plus]
        return tuple(f"spherem_{term}" for term in ("lat_sin_{}", *mixed, *added))

    def _formula(self, latitude: Any, longitude: Any, constants: dict[str, Any], xp: Any) -> list[Any]:
        lat, lon = latitude * constants["rate"], longitude * constants["east"]
        lat_sin, lat_cos, lon_sin, lon_cos = xp.sin(lat), xp.cos(lat), xp.sin(lon), xp.cos(lon)
        # The angles of the coordinates with the scale 1 have a single column, which broadcasts to all scales.
        one_lat_cos, one_lon = xp.cos(latitude * constants["one"]), longitude * constants["one_east"]
        cosines = [lat_cos * xp.cos(one_lon), one_lat_cos * lon_cos]
        sines = [lat_cos * xp.sin(one_lon), one_lat_cos * lon_sin]
        # The order is that of _terms.
        mixed = [lat_sin, *cosines, *sines]
        return [*mixed, lat_cos, lon_sin, lon_cos] if self.plus else mixed
