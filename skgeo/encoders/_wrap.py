"""Sine and cosine of latitude and longitude."""

from typing import Any

from skgeo.encoders._base import FormulaEncoder, sin_cos

__all__ = ["WrapEncoder"]


class WrapEncoder(FormulaEncoder):
    """Sine and cosine of latitude and of longitude, so that longitude is periodic, after [1]_.

    Four columns: ``wrap_lat_sin``, ``wrap_lat_cos``, ``wrap_lon_sin``, ``wrap_lon_cos``.

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
    skgeo.encoders.GridEncoder : Has these columns on many scales.

    Notes
    -----
    The columns are continuous over the antimeridian, but not at the poles, where they depend on longitude. [2]_ uses
    the same columns. In [1]_ the latitude is doubled first, so that both poles have the same values.

    References
    ----------
    .. [1] Mac Aodha, O., Cole, E. & Perona, P. (2019). Presence-only geographical priors for fine-grained image
       classification. International Conference on Computer Vision.
    .. [2] Russwurm, M., Klemmer, K., Rolf, E., Zbinden, R. & Tuia, D. (2024). Geographic location encoding with
       spherical harmonics and sinusoidal representation networks. International Conference on Learning Representations.

    Examples
    --------
    The longitudes 90 and -270 are the same meridian.

    >>> from skgeo.encoders import WrapEncoder
    >>> WrapEncoder().fit_transform([[30.0, 90.0], [30.0, -270.0]]).round(4)
    array([[0.5  , 0.866, 1.   , 0.   ],
           [0.5  , 0.866, 1.   , 0.   ]])
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
        # The waves of longitude have a length of 360 degrees, so that both sides of the antimeridian agree.
        return ("wrap_lat_sin", "wrap_lat_cos", "wrap_lon_sin", "wrap_lon_cos")

    def _formula(self, latitude: Any, longitude: Any, constants: dict[str, Any], xp: Any) -> list[Any]:
        # The order is that of _terms: sine and cosine of latitude, then of longitude.
        return [
            *sin_cos(latitude, constants["radians_per_degree"], xp),
            *sin_cos(longitude, constants["radians_per_degree"], xp),
        ]
