"""The errors and warnings that skgeo raises, besides plain `ValueError`."""

__all__ = ["CoordinateError", "CoordinateWarning", "ResolutionWarning", "VersionWarning"]


class CoordinateError(ValueError):
    """Coordinates that cannot be read as latitude and longitude in degrees."""


class CoordinateWarning(UserWarning):
    """Coordinates that are valid but probably not what was meant, such as radians."""


class ResolutionWarning(UserWarning):
    """A number of components that the domain does not support, or that splits equal eigenvalues."""


class VersionWarning(UserWarning):
    """A model file written by another version of skgeo."""
