"""Cells of curvilinear and unstructured grids with their truth: centres, corners and areas in plain float64.

Areas are by a formula of their own: boxes, (sin north - sin south) (east - west); polygons with great-circle sides, the
sum of spherical excesses by L'Huilier's formula; HEALPix, the sphere in equal parts. Nothing here asks skgeo.
"""

import itertools
from dataclasses import dataclass, replace

import numpy as np


@dataclass
class Mesh:
    """True cells: centres (shape) and corners (shape, k) in degrees, areas (shape) on the unit sphere."""

    latitude: np.ndarray
    longitude: np.ndarray
    corners: tuple | None  # latitudes, longitudes; counterclockwise
    areas: np.ndarray
    globe: bool
    smooth: bool = True  # areas follow from the centres of the neighbours, to two per cent

    def take(self, index):
        corners = None if self.corners is None else tuple(values[index] for values in self.corners)
        return replace(
            self,
            latitude=self.latitude[index],
            longitude=self.longitude[index],
            corners=corners,
            areas=self.areas[index],
        )


# --- geometry of its own


def vectors(latitude, longitude):
    latitude, longitude = np.radians(latitude), np.radians(longitude)
    cosine = np.cos(latitude)
    return np.stack([cosine * np.cos(longitude), cosine * np.sin(longitude), np.sin(latitude)], axis=-1)


def places(points):
    """Latitude and longitude in degrees of vectors of any length."""
    x, y, z = np.moveaxis(points, -1, 0)
    return np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x))


def _distance(one, other):
    return 2 * np.arcsin(np.minimum(1, np.linalg.norm(one - other, axis=-1) / 2))


def excess(latitude, longitude):
    """Areas of convex polygons (..., k) with great-circle sides: L'Huilier's formula for a fan of triangles."""
    corner = vectors(latitude, longitude)
    area = 0.0
    for i in range(1, corner.shape[-2] - 1):
        first, second, third = corner[..., 0, :], corner[..., i, :], corner[..., i + 1, :]
        a, b, c = _distance(first, second), _distance(second, third), _distance(third, first)
        s = (a + b + c) / 2
        product = np.tan(s / 2) * np.tan((s - a) / 2) * np.tan((s - b) / 2) * np.tan((s - c) / 2)
        area = area + 4 * np.arctan(np.sqrt(np.maximum(product, 0)))
    return area


def _turned(mesh, pole_latitude, pole_longitude):
    """The same cells about another pole, as those of a rotated pole."""
    to_pole = np.radians(90 - pole_latitude)
    tilt = np.array([[np.cos(to_pole), 0, np.sin(to_pole)], [0, 1, 0], [-np.sin(to_pole), 0, np.cos(to_pole)]])
    about = np.radians(pole_longitude)
    spin = np.array([[np.cos(about), -np.sin(about), 0], [np.sin(about), np.cos(about), 0], [0, 0, 1]])
    turn = lambda latitude, longitude: places(vectors(latitude, longitude) @ (spin @ tilt).T)  # noqa: E731
    latitude, longitude = turn(mesh.latitude, mesh.longitude)
    return replace(mesh, latitude=latitude, longitude=longitude, corners=turn(*mesh.corners))


# --- true meshes


def _boxes(south, west, height, width, shape):
    """Boxes of a regular grid, as a mesh."""
    rows, columns = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij")
    low, left = south + height * rows, west + width * columns
    latitude = np.stack([low, low, low + height, low + height], axis=-1)
    longitude = np.stack([left, left + width, left + width, left], axis=-1)
    band = np.sin(np.radians(low + height)) - np.sin(np.radians(low))
    return Mesh(low + height / 2, left + width / 2, (latitude, longitude), band * np.radians(width), False)


def _region(source):
    step = source.pick((1.0, 0.5, 0.11, 1 / 12, 0.01))
    shape = source.integer(4, 12), source.integer(4, 12)
    return _boxes(source.pick((-45.0, -3.0, 30.0, 51.0)), source.pick((-4.0, 11.2, 177.0, 262.5)), step, step, shape)


def _rotated(source):
    """A regional model about a rotated pole, such as CORDEX's."""
    step = source.pick((0.44, 0.11, 1.0))
    shape = source.integer(5, 12), source.integer(5, 12)
    start = -step * shape[0] / 2, -step * shape[1] / 2
    mesh = _boxes(*start, step, step, shape)
    return _turned(mesh, source.pick((39.25, 79.95, -70.0)), source.pick((-162.0, 18.0, -90.0)))


def _globe(source):
    """A whole globe of boxes in two dimensions, as CMIP's ocean models give even regular ones."""
    number = source.pick((12, 18, 36))
    mesh = _boxes(-90.0, source.pick((0.0, -180.0, 73.0)), 180 / number, 180 / number, (number, 2 * number))
    return replace(mesh, globe=True)


def _stereographic(source):
    """A square on the plane of the polar stereographic projection, about a pole or turned away: WRF, sea ice."""
    number, step = source.integer(5, 12), source.pick((0.002, 0.01, 0.04))
    corner = (np.arange(number + 1) - source.pick((0.5, 0.25, 0.4)) * number) * step
    centre = (corner[1:] + corner[:-1]) / 2

    def back(y, x):
        radius = np.hypot(x, y)
        return 90 - 2 * np.degrees(np.arctan(radius / 2)), np.degrees(np.arctan2(x, -y)) + 263.0

    latitude, longitude = back(*np.meshgrid(corner, corner, indexing="ij"))
    around = lambda v: np.stack([v[:-1, :-1], v[:-1, 1:], v[1:, 1:], v[1:, :-1]], axis=-1)  # noqa: E731
    corners = around(latitude), around(longitude)
    mesh = Mesh(*back(*np.meshgrid(centre, centre, indexing="ij")), corners, excess(*corners), False)
    return mesh if source.chance(50) else _turned(mesh, 38.0, -97.0)


def _triangles(source):
    """The octahedron in small triangles, as ICON and FESOM have the icosahedron."""
    parts = source.pick((2, 4, 6))
    found = []
    for signs in np.ndindex(2, 2, 2):
        axes = np.diag(1.0 - 2.0 * np.array(signs))
        at = lambda i, j, axes=axes: np.array([i, j, parts - i - j]) @ axes / parts  # noqa: E731
        for i in range(parts):
            for j in range(parts - i):
                found.append([at(i, j), at(i + 1, j), at(i, j + 1)])
                if i + j < parts - 1:
                    found.append([at(i + 1, j), at(i + 1, j + 1), at(i, j + 1)])
    corner = np.array(found)
    corner /= np.linalg.norm(corner, axis=-1, keepdims=True)
    inward = np.sum(corner[:, 0] * np.cross(corner[:, 1], corner[:, 2]), axis=-1) < 0
    corner[inward] = corner[inward, ::-1]
    corners = _at_poles(*places(corner))
    latitude, longitude = places(corner.sum(axis=1))
    return Mesh(latitude, longitude, corners, excess(*corners), True)


def _at_poles(latitude, longitude):
    """Longitudes of corners at a pole: those of the corner before, as files have them."""
    pole = np.abs(latitude) > 90 - 1e-9
    return latitude, np.where(pole, np.roll(longitude, 1, axis=-1), longitude)


def _cube(source, face=None):
    """Faces of the equiangular cubed sphere, (face, row, column), as of GEOS."""
    number = source.pick((4, 6, 12))
    corner = np.tan(np.linspace(-np.pi / 4, np.pi / 4, number + 1))
    middle = np.tan(np.pi / 4 * (np.arange(number) + 0.5 - number / 2) / (number / 2))

    def faces(along):
        b, a = np.meshgrid(along, along, indexing="ij")
        one = np.ones_like(a)
        sides = ((one, a, b), (-a, one, b), (-b, a, one), (-one, -a, b), (a, -one, b), (b, a, -one))
        return places(np.stack([np.stack(side, axis=-1) for side in sides]))

    around = lambda v: np.stack([v[:, :-1, :-1], v[:, :-1, 1:], v[:, 1:, 1:], v[:, 1:, :-1]], axis=-1)  # noqa: E731
    latitude, longitude = faces(corner)
    corners = around(latitude), around(longitude)
    mesh = Mesh(*faces(middle), corners, excess(*corners), True, smooth=False)
    return mesh if face is None else replace(mesh.take(face), globe=False)


def _healpix(source):
    """Centres of HEALPix, ring order (Gorski et al. 2005, equations 4 to 9): equal areas, no corners."""
    n = source.pick((1, 2, 4, 8))
    z, phi = [], []
    for ring in range(1, 4 * n):
        if n <= ring <= 3 * n:
            count, height = 4 * n, 4 / 3 - 2 * ring / (3 * n)
            shift = ((ring - n) % 2) / 2
        else:
            near = min(ring, 4 * n - ring)
            count, shift, height = 4 * near, 0.0, (1 - near**2 / (3 * n**2)) * (1 if ring < 2 * n else -1)
        z += [height] * count
        phi += list(360 / count * (np.arange(count) + 0.5 - shift))
    return Mesh(np.degrees(np.arcsin(z)), np.array(phi), None, np.full(len(z), np.pi / (3 * n * n)), True)


def _reduced(source):
    """A reduced Gaussian grid: fewer boxes in rows near the poles, in one dimension."""
    rows = source.pick((6, 10, 16))
    edges = np.linspace(-90, 90, rows + 1)
    parts = []
    for south, north in itertools.pairwise(edges):
        count = max(4, int(2 * rows * np.cos(np.radians((south + north) / 2))))
        parts.append(_boxes(south, 0.0, north - south, 360 / count, (1, count)).take(0))
    join = lambda values: np.concatenate(list(values))  # noqa: E731
    corners = tuple(join(part.corners[i] for part in parts) for i in (0, 1))
    centres = (join(getattr(part, name) for part in parts) for name in ("latitude", "longitude"))
    return Mesh(*centres, corners, join(part.areas for part in parts), True)


def _flat(mesh):
    """The same cells in one dimension."""
    number = mesh.latitude.size
    corners = None if mesh.corners is None else tuple(values.reshape(number, -1) for values in mesh.corners)
    return replace(
        mesh,
        latitude=mesh.latitude.ravel(),
        longitude=mesh.longitude.ravel(),
        corners=corners,
        areas=mesh.areas.ravel(),
    )


def any_mesh(source):
    """Some mesh: its name and its truth."""
    makers = {
        "region": _region,
        "rotated pole": _rotated,
        "globe": _globe,
        "stereographic": _stereographic,
        "triangles": _triangles,
        "cube": lambda s: _flat(_cube(s)),
        "faces of a cube": _cube,
        "face of a cube": lambda s: _cube(s, s.integer(0, 5)),
        "HEALPix": _healpix,
        "reduced": _reduced,
        "region, flat": lambda s: _flat(_region(s)),
    }
    name = source.pick(tuple(makers))
    mesh = makers[name](source)
    source.tell("mesh:", name, mesh.latitude.shape)
    return mesh
