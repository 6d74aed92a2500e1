"""Random domains, each described in several ways that mean the same, for reproducibility.py."""

import numpy as np

from skgeo import LatLonGrid, SphericalHarmonicPCA

KINDS = ("box", "land", "fraction", "band", "points", "two boxes", "cap", "speckled")
DEGREES = (5, 6, 7, 8, 9, 10, 10, 12, 14, 16, 18, 20, 20), (24, 28, 32, 36, 40)
N_INSIDE, N_ANYWHERE = 1000, 2000


class Domain:
    """One domain: its degree and prior, descriptions by name, and places in it, corners and edges among them."""

    def __init__(self, seed):
        rng = np.random.default_rng([seed, 20])
        self.kind = KINDS[seed % len(KINDS)]
        self.max_degree = int(rng.choice(DEGREES[rng.random() < 0.1]))
        self.spectrum = "matern" if rng.random() < 0.2 else None
        if self.kind == "points":
            self.inside, self.descriptions = points(rng)
            self.descriptions["in chunks"] = chunked(self.inside, rng)
            return
        make = field if self.kind in ("land", "fraction", "speckled") else box
        latitude, longitude, mask = make(rng, self.kind)
        self.descriptions = dict(descriptions(latitude, longitude, mask, rng))
        self.inside = inside(self.descriptions["as it is"], mask, rng)

    def fit(self, name):
        """The components over their scale (k, D), zero if the domain supports none; and the Shannon number."""
        pca = SphericalHarmonicPCA(self.max_degree, spectrum=self.spectrum)
        try:
            pca.fit(self.descriptions[name])
        except ValueError as error:
            if "no extent" not in str(error):
                raise
            return np.zeros((0, (self.max_degree + 1) ** 2)), 0.0
        return pca._affine(), pca.shannon_number_


def box(rng, kind):
    """Rows, columns and mask of a box, a band or a cap of any size."""
    height, width = np.exp(rng.uniform(np.log(4), np.log([150, 300])))
    width = 360.0 if kind in ("band", "cap") else width
    south = rng.choice([-90.0, 90.0 - height]) if kind == "cap" else rng.uniform(-90, 90 - height)
    west = rng.uniform(-180, 180)
    if rng.random() < 0.5:
        south, west = round(south, 1), round(west, 1)
    n_lat, n_lon = rng.integers(2, 40), rng.integers(4, 60)
    mask = np.ones((n_lat, n_lon))
    if kind == "two boxes":
        mask[: n_lat // 2, n_lon // 2 :] = 0.0
    return south + (np.arange(n_lat) + 0.5) * height / n_lat, west + (np.arange(n_lon) + 0.5) * width / n_lon, mask


def field(rng, kind):
    """Rows, columns and mask of land with coasts, of fractions of it, or of cells taken one by one."""
    from skgeo.encoders import SphericalHarmonics

    step = rng.choice([2.0, 2.5, 3.0, 4.0])
    latitude, longitude = (np.arange(-half + step / 2, half, step) for half in (90, 180))
    longitude += rng.choice([0, 0.1])
    harmonics = SphericalHarmonics(int(rng.integers(2, 9))).fit_transform(LatLonGrid(latitude, longitude))
    height = harmonics @ rng.standard_normal(harmonics.shape[1])
    height = height / height.std() - rng.uniform(-1, 1)
    if kind == "land":
        mask = height > 0
    elif kind == "fraction":
        mask = np.clip(0.5 + height, 0, 1)
    else:
        mask = rng.random(height.size) < 1 / (1 + np.exp(-3 * height))
    return latitude, longitude, mask.reshape(latitude.size, longitude.size).astype(float)


def descriptions(latitude, longitude, mask, rng):
    yield "as it is", LatLonGrid(latitude, longitude, mask)
    yield "longitudes + 360", LatLonGrid(latitude, longitude + 360, mask)
    yield "rows reversed", LatLonGrid(latitude[::-1], longitude, mask[::-1])
    yield "columns reversed", LatLonGrid(latitude, longitude[::-1], mask[:, ::-1])
    yield "in chunks", LatLonGrid(latitude, longitude, chunked(mask, rng))
    if np.ptp(longitude) > 350:
        by = int(rng.integers(1, longitude.size))
        yield "rolled", LatLonGrid(latitude, np.roll(longitude, by), np.roll(mask, by, axis=1))


def chunked(array, rng):
    """A dask array with chunks of a few rows each."""
    import dask.array

    return dask.array.from_array(array, chunks=(int(rng.integers(1, len(array))), array.shape[1]))


def inside(grid, mask, rng):
    """Places (n, 2) in cells of a grid, some on edges and corners."""
    row, column = np.divmod(rng.choice(np.flatnonzero(mask), N_INSIDE), mask.shape[1])
    share = rng.random((2, N_INSIDE))
    share[0, :200], share[1, 100:300] = rng.integers(0, 2, (2, 200))
    south, north, west, east = *grid.latitude_edges[row].T, *grid.longitude_edges[column].T
    return np.column_stack([south + share[0] * (north - south), west + share[1] * (east - west)])


def points(rng):
    """Scattered points, and their descriptions."""
    n = int(rng.choice([30, 300, 3000]))
    height, width = np.exp(rng.uniform(np.log(4), np.log([179, 360])))
    low = np.array([rng.uniform(-90, 90 - height), rng.uniform(-180, 180)])
    places = rng.uniform(low, np.add(low, [height, width]), (n, 2))
    turned = np.column_stack([places[:, 0], places[:, 1] % 360])
    return places, {
        "as it is": places,
        "longitudes + 360": np.add(places, [0, 360]),
        "longitudes from 0 to 360": turned,
        "another order": rng.permutation(places),
    }


def anywhere():
    """Places (n, 2) all over the Earth."""
    rng = np.random.default_rng(0)
    return np.column_stack([np.degrees(np.arcsin(rng.uniform(-1, 1, N_ANYWHERE))), rng.uniform(0, 360, N_ANYWHERE)])
