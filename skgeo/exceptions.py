"""The errors and warnings that skgeo raises, besides plain ``ValueError``."""

__all__ = [
    "CoordinateError",
    "CoordinateWarning",
    "ModelFileError",
    "ModelFileWarning",
    "ResolutionWarning",
    "VersionWarning",
]


class CoordinateError(ValueError):
    """Coordinates that cannot be read as latitude and longitude in degrees.

    Examples
    --------
    >>> from skgeo import SphericalHarmonicPCA
    >>> SphericalHarmonicPCA().fit([[151.2, -33.9], [144.9, -37.8]])
    Traceback (most recent call last):
    ...
    skgeo.exceptions.CoordinateError: X has latitudes outside [-90, 90] degrees in
    2 rows, first row 0: 151.2. Are they swapped? Exchanging them would make every row
    valid; columns are (latitude, longitude).
    """


class CoordinateWarning(UserWarning):
    """Coordinates that are valid but probably wrong, such as radians.

    Examples
    --------
    >>> import warnings
    >>> import numpy as np
    >>> from skgeo import SphericalHarmonicPCA
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     _ = SphericalHarmonicPCA(1).fit(np.radians([[-80, 0], [80, 170], [0, 90]]))
    >>> print(caught[0].message)
    X lies within the range of radians, +-pi / 2 and +-pi or 0..2 pi, and spread over
    it: is it in radians? Degrees are expected, np.degrees(X).
    """


class ModelFileError(ValueError):
    """A file that is no model of skgeo, or that was damaged or changed.

    Examples
    --------
    >>> import os, tempfile
    >>> import skgeo
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "basis.npz")
    ...     skgeo.save(skgeo.SphericalHarmonicPCA(), path)
    ...     os.truncate(path, 100)
    ...     skgeo.load(path)
    Traceback (most recent call last):
    ...
    skgeo.exceptions.ModelFileError: ...basis.npz is cut short or damaged: File
    is not a zip file. Copy it again from where it came, or save the model again.
    """


class ModelFileWarning(UserWarning):
    """A file of another program whose damage cannot be found, because its format has no checksums.

    Examples
    --------
    >>> from skgeo.exceptions import ModelFileWarning
    >>> issubclass(ModelFileWarning, UserWarning)
    True
    """


class ResolutionWarning(UserWarning):
    """The degree or the domain cannot resolve a request.

    Such requests are a number of components that the domain does not support, or that splits equal eigenvalues; a
    length scale too short for the degree; and an embedding that more than one place may have.

    Examples
    --------
    On the globe, all components of one degree have the same variance.

    >>> import warnings
    >>> import numpy as np
    >>> from skgeo import LatLonGrid, SphericalHarmonicPCA
    >>> globe = LatLonGrid(np.arange(-85, 90, 10), np.arange(0, 360, 10))
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     _ = SphericalHarmonicPCA(2, n_components=5).fit(globe)
    >>> print(caught[0].message)
    n_components=5 cuts through components of equal variance, which are only defined
    together: 3 or 8 keeps them whole.
    """


class VersionWarning(UserWarning):
    """A model file written by another version of skgeo.

    Examples
    --------
    >>> import warnings
    >>> from skgeo import PatchScaleFeaturizer
    >>> old = PatchScaleFeaturizer().__getstate__() | {"_skgeo_version": "0.0.1"}
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     PatchScaleFeaturizer().__setstate__(old)
    >>> caught[0].category.__name__
    'VersionWarning'
    """
