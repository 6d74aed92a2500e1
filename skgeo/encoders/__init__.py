"""The location encoders of the literature: fixed functions of latitude and longitude, one transformer each."""

from skgeo.encoders.cartesian_3d import Cartesian3DEncoder
from skgeo.encoders.direct import DirectEncoder
from skgeo.encoders.grid import GridEncoder
from skgeo.encoders.sphere_c import SphereCEncoder
from skgeo.encoders.sphere_m import SphereMEncoder
from skgeo.encoders.spherical_harmonics import SphericalHarmonics
from skgeo.encoders.theory import TheoryEncoder
from skgeo.encoders.wrap import WrapEncoder

__all__ = [
    "Cartesian3DEncoder",
    "DirectEncoder",
    "GridEncoder",
    "SphereCEncoder",
    "SphereMEncoder",
    "SphericalHarmonics",
    "TheoryEncoder",
    "WrapEncoder",
]
