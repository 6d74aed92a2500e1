"""The peers of skgeo, each as its users would write it, and the physical limit."""

import numpy as np
from scipy import linalg
from scipy.special import sph_harm_y, sph_legendre_p_all

from skgeo import LatLonGrid

CLIP = 3.0
RADIUS = 6_371_008.8


def scipy_harmonics(latitude, longitude, max_degree, dtype=np.float32):
    """Harmonics one after the other: (n, D)."""
    colatitude, azimuth = np.radians(90.0 - latitude), np.radians(longitude)
    table = np.empty((latitude.size, (max_degree + 1) ** 2), dtype=dtype)
    for degree in range(max_degree + 1):
        for order in range(degree + 1):
            value = (-1) ** order * sph_harm_y(degree, order, colatitude, azimuth)
            centre = degree * degree + degree
            table[:, centre + order] = value.real * (np.sqrt(2) if order else 1)
            if order:
                table[:, centre - order] = value.imag * np.sqrt(2)
    return table


class Straightforward:
    """Harmonics of every pixel, SVD of the weighted matrix, projection, standardisation, tanh, a loop over patches."""

    def __init__(self, max_degree, n_components):
        self.max_degree, self.n_components = max_degree, n_components

    def fit(self, grid):
        """Learn the basis, the mean and the scale over a grid; returns the variances."""
        points, weight = grid.points(), (grid.cell_areas() * grid.mask).ravel()
        weight = (weight / weight.sum()).astype(np.float32)
        table = scipy_harmonics(points[:, 0], points[:, 1], self.max_degree)
        self.mean = weight @ table
        table -= self.mean
        _, _, components = np.linalg.svd(table * np.sqrt(weight)[:, np.newaxis], full_matrices=False)
        self.components = components[: self.n_components]
        scores = table @ self.components.T
        self.scale = np.sqrt(weight @ np.square(scores))
        return np.square(self.scale)

    def transform(self, points):
        """Embed points."""
        table = scipy_harmonics(points[:, 0], points[:, 1], self.max_degree) - self.mean
        return CLIP * np.tanh((table @ self.components.T) / self.scale / CLIP)

    def patches(self, grid, size):
        """Position and scale features of the patches of a grid."""
        embedding = self.transform(grid.points()).reshape(*grid.shape, -1)
        areas = grid.cell_areas()
        rows = []
        for row in range(0, grid.shape[0] - size + 1, size):
            for column in range(0, grid.shape[1] - size + 1, size):
                window = np.s_[row : row + size, column : column + size]
                weight = (areas[window] / areas[window].sum())[..., np.newaxis]
                position = (embedding[window] * weight).sum(axis=(0, 1))
                rows.append(np.concatenate([position, self.scale_of(grid, window)]))
        return np.array(rows)

    @staticmethod
    def scale_of(grid, window):
        """The ten descriptors of one patch."""
        south, north = grid.latitude_edges[window[0]].min(), grid.latitude_edges[window[0]].max()
        west, east = grid.longitude_edges[window[1]].min(), grid.longitude_edges[window[1]].max()
        n_lat, n_lon = grid.latitude[window[0]].size, grid.longitude[window[1]].size
        lon = RADIUS * np.radians(east - west) * np.cos(np.radians((south + north) / 2))
        lat = RADIUS * np.radians(north - south)
        area = RADIUS**2 * np.radians(east - west) * (np.sin(np.radians(north)) - np.sin(np.radians(south)))
        x, y = lon / n_lon, lat / n_lat
        half = np.pi * RADIUS
        return np.log([lon, lat, area, lon / lat, x, y, np.sqrt(x * y), x / y, half / lon, half / lat])

    @classmethod
    def of(cls, pca):
        """A model with skgeo's basis, so that transforms can be compared number by number."""
        model = cls(pca.max_degree, pca.n_components_)
        model.mean, model.components = pca.mean_.astype(np.float32), pca.components_.astype(np.float32)
        model.scale = pca.scale_.astype(np.float32)
        return model


def sklearn_fit(grid, max_degree, n_components):
    """Harmonics by SciPy at the pixels in the mask, then scikit-learn's PCA, which knows no areas."""
    from sklearn.decomposition import PCA

    points = grid.points()[grid.mask.ravel()]
    return PCA(n_components).fit(scipy_harmonics(points[:, 0], points[:, 1], max_degree)).explained_variance_


def sphericart_transform(points, pca):
    """The kernels of sphericart, then product and tanh, in chunks that stay in cache."""
    import sphericart

    harmonics, chunk = sphericart.SphericalHarmonics(pca.max_degree), 2048
    matrix = np.ascontiguousarray(affine(pca).T, dtype=np.float32) / np.float32(CLIP)
    out = np.empty((len(points), matrix.shape[1]), dtype=np.float32)
    for start in range(0, len(points), chunk):
        latitude, longitude = np.radians(points[start : start + chunk]).T
        cosine = np.cos(latitude)
        xyz = np.stack([cosine * np.cos(longitude), cosine * np.sin(longitude), np.sin(latitude)], axis=1)
        target = out[start : start + chunk]
        np.matmul(harmonics.compute(xyz), matrix, out=target)
        np.tanh(target, out=target)
        target *= np.float32(CLIP)
    return out


def affine(pca):
    """The linear map of a fitted basis; the mean rides on the constant harmonic."""
    matrix = pca.components_ / pca.scale_[:, np.newaxis]
    matrix[:, 0] -= matrix @ pca.mean_ * np.sqrt(4.0 * np.pi)
    return matrix


def product_alone(rows, depth, columns, n_blocks, *, clipped):
    """The matrix product on operands in cache, as often as there are blocks; perhaps with tanh, in place."""
    rng = np.random.default_rng(0)
    left, right = (rng.normal(size=shape).astype(np.float32) for shape in ((rows, depth), (depth, columns)))
    out = np.empty((rows, columns), dtype=np.float32)

    def multiply():
        for _ in range(n_blocks):
            np.matmul(left, right, out=out)
            if clipped:
                np.tanh(out, out=out)

    return multiply


def eigenproblem_alone(size):
    """The symmetric eigenproblem."""
    matrix = np.random.default_rng(0).normal(size=(size, size))
    matrix = matrix @ matrix.T
    return lambda: linalg.eigh(matrix)


# --- references for the column of errors, in double precision ---------------------------------------------------------


def exact_transform(points, pca):
    """Harmonics by SciPy in double precision, projected and clipped."""
    points = points.astype(np.float64)
    values = scipy_harmonics(points[:, 0], points[:, 1], pca.max_degree, np.float64) @ affine(pca).T
    return CLIP * np.tanh(values / CLIP)


def exact_patches(grid, pca, size, rows):
    """Position features of the first patches of a grid: pixel means in double precision."""
    points = grid.points().reshape(*grid.shape, 2)
    means = []
    for patch in range(rows):
        window = np.s_[:size, patch * size : (patch + 1) * size]
        weight = grid.cell_areas()[window].ravel()
        means.append(weight @ exact_transform(points[window].reshape(-1, 2), pca) / weight.sum())
    return np.array(means)


def exact_variances(grid, max_degree, n_components, nodes=3):
    """Leading variances by Gauss-Legendre quadrature of every cell, Legendre functions by SciPy."""
    x, w = np.polynomial.legendre.leggauss(nodes)
    south, north = np.radians(grid.latitude_edges).T
    west, east = np.radians(grid.longitude_edges).T
    latitude = (south + north)[:, np.newaxis] / 2 + np.outer((north - south) / 2, x)
    longitude = ((west + east)[:, np.newaxis] / 2 + np.outer((east - west) / 2, x)).ravel()
    in_latitude = np.outer((north - south) / 2, w) * np.cos(latitude)
    in_longitude = np.outer((east - west) / 2, w).ravel()
    order = np.arange(-max_degree, max_degree + 1)[:, np.newaxis]
    factors = np.where(order < 0, np.sin(-order * longitude), np.cos(order * longitude)) * np.where(order, 2**0.5, 1)
    degree, m = np.array([(n, k) for n in range(max_degree + 1) for k in range(-n, n + 1)]).T
    total, mean, square = 0.0, 0.0, np.zeros((m.size, m.size))
    for row in range(grid.shape[0]):
        weight = np.repeat(grid.mask[row], nodes) * in_longitude
        pairs = (factors * weight) @ factors.T
        table = sph_legendre_p_all(max_degree, max_degree, np.pi / 2 - latitude[row])[0]
        legendre = (-1.0) ** m[:, np.newaxis] * table[degree, np.abs(m)]
        square += ((legendre * in_latitude[row]) @ legendre.T) * pairs[np.ix_(m + max_degree, m + max_degree)]
        mean = mean + (legendre @ in_latitude[row]) * (factors @ weight)[m + max_degree]
        total = total + in_latitude[row].sum() * weight.sum()
    covariance = square / total - np.outer(mean, mean) / total**2
    return np.linalg.eigvalsh(covariance)[::-1][:n_components]


def exact_point_variances(points, max_degree, n_components):
    """Leading variances over points weighted by the cosine of latitude."""
    points = points.astype(np.float64)
    table = scipy_harmonics(points[:, 0], points[:, 1], max_degree, np.float64)
    covariance = np.cov(table.T, aweights=np.cos(np.radians(points[:, 0])), ddof=0)
    return np.linalg.eigvalsh(covariance)[::-1][:n_components]


def sea(n_lat, n_lon, *, poles=False, masked=True, dtype=np.float64):
    """A global grid whose mask is the sea, by the nearest pixel of the bundled land mask."""
    from skgeo.datasets import load_land_mask

    step = 180.0 / (n_lat - 1 if poles else n_lat)
    latitude = -90.0 + step * (np.arange(n_lat) + (0 if poles else 0.5))
    longitude = -180.0 + 360.0 / n_lon * (np.arange(n_lon) + 0.5)
    land = load_land_mask()
    rows = np.abs(np.subtract.outer(latitude, land.latitude)).argmin(axis=1)
    columns = np.abs(np.subtract.outer(longitude, land.longitude)).argmin(axis=1)
    mask = ~land.mask[np.ix_(rows, columns)] if masked else np.ones((n_lat, n_lon), dtype=bool)
    return LatLonGrid(latitude.astype(dtype), longitude.astype(dtype), mask)


def scattered(n, dtype=np.float32):
    """Points spread evenly over the sphere."""
    height, turn = np.random.default_rng(0).uniform(size=(n, 2)).T  # the first of many are the same as few
    return np.column_stack([np.degrees(np.arcsin(2 * height - 1)), 360 * turn - 180]).astype(dtype)


def region(box, cells=24):
    """A grid of a box (south, north, west, east) in degrees."""
    south, north, west, east = box
    share = (np.arange(cells) + 0.5) / cells
    return LatLonGrid(
        south + share * (north - south), west + share * (east - west), np.ones((cells, cells), dtype=bool)
    )


def scattered_in(box, n, dtype=np.float32):
    """Points spread evenly over a box (south, north, west, east) in degrees."""
    height, turn = np.random.default_rng(0).uniform(size=(n, 2)).T
    south, north = np.sin(np.radians(box[:2]))
    latitude = np.degrees(np.arcsin(south + height * (north - south)))
    return np.column_stack([latitude, box[2] + turn * (box[3] - box[2])]).astype(dtype)


def archive(n):
    """Patches of 16 x 16 pixels of 0.01 degrees anywhere, like those of a satellite archive."""
    south, west = scattered(n, np.float64).T
    south = np.clip(south, -90, 90 - 0.16)
    return np.column_stack([south, south + 0.16, west, west + 0.16, np.full((n, 2), 16)]).astype(np.float32)
