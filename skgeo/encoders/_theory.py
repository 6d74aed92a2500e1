"""Sine and cosine along three directions on many scales."""

import math
from typing import Any

from skgeo._typing import FloatArray
from skgeo.encoders._base import FormulaEncoder, ScaledEncoder

__all__ = ["TheoryEncoder"]


class TheoryEncoder(ScaledEncoder, FormulaEncoder):
    """Sine and cosine along three directions on many scales, the "theory" of Space2Vec [1]_.

    6 S columns: ``theory_0_sin_s0`` to ``theory_0_sin_s{S-1}`` from the smallest to the largest scale, then
    ``theory_0_cos_*``, ``theory_120_sin_*``, ``theory_120_cos_*``, ``theory_240_sin_*``, ``theory_240_cos_*``. The
    directions are (1, 0), (-1/2, sqrt(3)/2) and (-1/2, -sqrt(3)/2) in (longitude, latitude), 120 degrees apart on the
    map. The sum of such waves has its maxima on a hexagonal lattice, like the activity of grid cells in the brain.

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
    skgeo.encoders.GridEncoder : Has waves along meridians and parallels.

    Notes
    -----
    The columns are not continuous at the poles, where they depend on longitude. They are continuous over the
    antimeridian only if ``periodic`` is True, which rounds the waves of each direction separately. Longitudes of any
    convention are first brought to [-180, 180).

    References
    ----------
    .. [1] Mai, G., Janowicz, K., Yan, B., Zhu, R., Cai, L. & Lao, N. (2020). Multi-scale representation learning for
       spatial feature distributions using grid cells. International Conference on Learning Representations.
    .. [2] Russwurm, M., Klemmer, K., Rolf, E., Zbinden, R. & Tuia, D. (2024). Geographic location encoding with
       spherical harmonics and sinusoidal representation networks. International Conference on Learning Representations.

    Examples
    --------
    On the equator the second and the third direction see minus half of the longitude.

    >>> from skgeo.encoders import TheoryEncoder
    >>> TheoryEncoder(1, 1.0, 1.0, units="radians").fit_transform([[0.0, 60.0]]).round(3)
    array([[ 0.866,  0.5  , -0.5  ,  0.866, -0.5  ,  0.866]])
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

    def _constants(self) -> dict[str, FloatArray]:
        constants = super()._constants()
        # The second and third direction go half as fast along longitude. Their periodic waves are rounded separately.
        return constants | {"half_east": self._eastwards(constants["rate"] / 2.0)}

    def _terms(self) -> tuple[str, ...]:
        return tuple(f"theory_{angle}_{wave}_{{}}" for angle in (0, 120, 240) for wave in ("sin", "cos"))

    def _formula(self, latitude: Any, longitude: Any, constants: dict[str, Any], xp: Any) -> list[Any]:
        # The directions at 120 and 240 degrees are (-1/2, sqrt(3/4)) and (-1/2, -sqrt(3/4)).
        across, half = latitude * (math.sqrt(0.75) * constants["rate"]), longitude * constants["half_east"]
        # Each angle is the product of a direction with (longitude, latitude), divided by the scale.
        angles = longitude * constants["east"], across - half, -across - half
        return [wave(angle) for angle in angles for wave in (xp.sin, xp.cos)]
