"""The location encoders of the literature: fixed functions of latitude and longitude, one transformer each."""

from skgeo.encoders._cartesian_3d import Cartesian3DEncoder
from skgeo.encoders._direct import DirectEncoder
from skgeo.encoders._grid_encoder import GridEncoder
from skgeo.encoders._radial_basis import RadialBasisEncoder
from skgeo.encoders._random_fourier import RandomFourierEncoder
from skgeo.encoders._sphere_c import SphereCEncoder
from skgeo.encoders._sphere_m import SphereMEncoder
from skgeo.encoders._spherical_harmonics import SphericalHarmonics
from skgeo.encoders._theory import TheoryEncoder
from skgeo.encoders._wrap import WrapEncoder

__all__ = [
    "Cartesian3DEncoder",
    "DirectEncoder",
    "GridEncoder",
    "RadialBasisEncoder",
    "RandomFourierEncoder",
    "SphereCEncoder",
    "SphereMEncoder",
    "SphericalHarmonics",
    "TheoryEncoder",
    "WrapEncoder",
]
