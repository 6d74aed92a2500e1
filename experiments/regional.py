"""Models of places in a region: coordinates, harmonics, a basis of the region, random waves; linear, trees, a network.

    python -m experiments.regional            # about twenty minutes on one core
    python -m experiments.regional --quick    # seconds; fails if a basis of a smooth field is worse than coordinates

There are three fields in two regions: a smooth and a rough random field (Gaussian processes with Matern covariance),
and the share of land around a place. The noise of a field has a tenth of the standard deviation of the field. The rows
are random places in the region. Folds hold out blocks. The training rows choose penalties and length scales. The script
writes regional.rst and regional_components.rst.
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
from scipy.ndimage import uniform_filter
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import r2_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline

from benchmarks.tables import list_table
from skgeo import LatLonGrid, SphericalHarmonicPCA
from skgeo.datasets import load_land_mask
from skgeo.encoders import Cartesian3DEncoder, DirectEncoder, RandomFourierEncoder, SphericalHarmonics
from skgeo.exceptions import ResolutionWarning
from skgeo.model_selection import SphericalBlockKFold

# South, north, west and east in degrees; the side of the blocks in km.
REGIONS = {"10 x 10 degrees": ((40, 50, 5, 15), 100), "30 x 50 degrees": ((30, 60, -10, 40), 300)}
# The length scale in sides of a block, and the smoothness of the Matern covariance.
FIELDS = {"smooth": (6.0, 1.5), "rough": (2.0, 0.5), "land": None}
FITTED = {}
PENALTIES = np.logspace(-12, 1, 27)


def on_rows(max_degree, n_components=None, **parameters):
    """A basis of the training rows. All rows have the same weight."""
    return lambda region: SphericalHarmonicPCA(max_degree, n_components, area_weighted=False, **parameters)


def on_grid(max_degree, n_components=None, **parameters):
    """A basis of the region. It is fitted once, on a grid, and stays the same in all folds."""

    def make(region):
        south, north, west, east = REGIONS[region][0]
        step = 0.25
        grid = LatLonGrid(np.arange(south + step / 2, north, step), np.arange(west + step / 2, east, step))
        pca = SphericalHarmonicPCA(max_degree, n_components, **parameters)
        return FrozenEstimator(fitted_encoder(pca, grid, region))

    return make


def always(encoder):
    return lambda region: encoder


class Linear(RegressorMixin, BaseEstimator):
    """Ridge regression on features. Blocked folds of the training rows choose the encoder and the penalty."""

    def __init__(self, encoders, block_size_km):
        self.encoders = encoders
        self.block_size_km = block_size_km

    def fit(self, X, y):
        folds = list(SphericalBlockKFold(4, block_size_km=self.block_size_km).split(X))
        fitted = [fitted_encoder(encoder, X, X.tobytes()) for encoder in self.encoders]
        errors = []
        for encoder in fitted:
            Z = encoder.transform(X)
            parts = [(path(Z[train], y[train], Z[test]) - y[test]) ** 2 for train, test in folds]
            errors.append(np.concatenate(parts, axis=1).mean(axis=1))
        number, penalty = np.unravel_index(np.argmin(errors), np.shape(errors))
        self.encoder_, self.penalty_ = fitted[number], penalty
        self.training_ = self.encoder_.transform(X), y
        return self

    def predict(self, X):
        return path(*self.training_, self.encoder_.transform(X))[self.penalty_]


def fitted_encoder(encoder, X, name):
    """The encoder fitted on X. All fields have the same rows, so the last fits are kept for the next field."""
    if isinstance(encoder, FrozenEstimator):
        return encoder
    key = repr(encoder), name
    if key not in FITTED:
        while len(FITTED) >= 20:
            FITTED.pop(next(iter(FITTED)))
        FITTED[key] = clone(encoder).fit(X)
    return FITTED[key]


def path(Z, y, others):
    """Predictions of ridge regression for each penalty (n_penalties, n), from the inner products of rows."""
    mean, offset = Z.mean(axis=0), y.mean()
    scale = max(float(np.sqrt(np.square(Z - mean).sum(axis=1).mean())), 1e-12)
    Z, others = (Z - mean) / scale, (others - mean) / scale
    values, vectors = np.linalg.eigh(Z @ Z.T)
    # Penalties are shares of the largest eigenvalue, so that one list serves all encoders.
    shrunk = (vectors.T @ (y - offset)) / (values + values[-1] * PENALTIES[:, np.newaxis])
    return offset + shrunk @ (vectors.T @ (Z @ others.T))


def linear(*encoders):
    """Ridge regression on the best of several encoders."""
    return lambda region: Linear([make(region) for make in encoders], REGIONS[region][1])


def random_waves():
    """Random Fourier features. Folds of the training rows choose the length scale."""
    lengths = 100.0, 300.0, 1000.0, 3000.0
    return [always(RandomFourierEncoder(500, length_scale_km=each, random_state=0)) for each in lengths]


def boosting(encoder):
    return lambda region: make_pipeline(encoder(region), HistGradientBoostingRegressor(random_state=0))


def network(encoder):
    from skgeo.nn import LocationRegressor

    return lambda region: LocationRegressor(encoder(region), "fcnet", max_epochs=100, random_state=0)


# A name, and a function from the region to the model.
MODELS = {
    "coordinates, linear": linear(always(DirectEncoder())),
    "``SphericalHarmonicPCA(40)`` of the rows, linear": linear(on_rows(40)),
    "``SphericalHarmonicPCA(100)`` of the rows, linear": linear(on_rows(100)),
    "``SphericalHarmonicPCA(40)`` of a grid, linear": linear(on_grid(40)),
    "``SphericalHarmonicPCA(100)`` of a grid, linear": linear(on_grid(100)),
    "``SphericalHarmonicPCA(40, spectrum='matern')`` of a grid, linear": linear(on_grid(40, spectrum="matern")),
    "``SphericalHarmonicPCA(100, spectrum='matern')`` of a grid, linear": linear(on_grid(100, spectrum="matern")),
    "``SphericalHarmonics(40, spectrum='matern')``, linear": linear(always(SphericalHarmonics(40, spectrum="matern"))),
    "``RandomFourierEncoder(500)``, linear": linear(*random_waves()),
    "coordinates, boosting": boosting(always(DirectEncoder())),
    "``Cartesian3DEncoder()``, boosting": boosting(always(Cartesian3DEncoder())),
    "``SphericalHarmonicPCA(40)`` of a grid, boosting": boosting(on_grid(40)),
    "coordinates, network": network(always(DirectEncoder())),
    "``SphericalHarmonicPCA(40)`` of a grid, network": network(on_grid(40)),
}
COMPONENTS = {
    "coordinates": linear(always(DirectEncoder())),
    "``SphericalHarmonicPCA(40)``": linear(on_grid(40)),
    "``SphericalHarmonicPCA(40, 0.999)``": linear(on_grid(40, 0.999)),
    "``SphericalHarmonicPCA(40, 0.99)``": linear(on_grid(40, 0.99)),
    "``SphericalHarmonicPCA(40, 'shannon')``": linear(on_grid(40, "shannon")),
    "``SphericalHarmonicPCA(100)``": linear(on_grid(100)),
    "``SphericalHarmonicPCA(100, 0.99)``": linear(on_grid(100, 0.99)),
    "``SphericalHarmonicPCA(100, 'shannon')``": linear(on_grid(100, "shannon")),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one field of few rows, two models")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="folder for the results")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ResolutionWarning)
    if options.quick:
        scores = {
            name: score("smooth", "30 x 50 degrees", 300, MODELS[name])
            for name in ("coordinates, linear", "``SphericalHarmonicPCA(40)`` of a grid, linear")
        }
        print(scores)
        if scores["``SphericalHarmonicPCA(40)`` of a grid, linear"] < scores["coordinates, linear"]:
            raise SystemExit("a basis that resolves the field is worse than coordinates")
        return
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "regional.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    for name, make in (MODELS | COMPONENTS).items():
        for region in REGIONS:
            for n_rows in (300, 1400):
                for field in FIELDS:
                    key = f"{name}; {region}; {n_rows}; {field}"
                    if key not in results:
                        start = time.process_time()
                        results[key] = score(field, region, n_rows, make)
                        print(f"{key}: {results[key]:.3f}, {time.process_time() - start:.1f} s", flush=True)
                        path.write_text(json.dumps(results, indent=1) + "\n")
    (options.out / "regional.rst").write_text(list_table(table(results, MODELS)))
    (options.out / "regional_components.rst").write_text(list_table(table(results, COMPONENTS)))


def table(results, models):
    """A row for each model, a column for each region and number of rows: R2 of the smooth, rough and land fields."""
    cases = [(region, n_rows) for region in REGIONS for n_rows in (300, 1400)]
    yield "model", *(f"{region}, {n_rows:,} rows" for region, n_rows in cases)
    for name in models:
        scores = ([results[f"{name}; {region}; {n_rows}; {field}"] for field in FIELDS] for region, n_rows in cases)
        yield name, *map(cell, scores)


def cell(scores):
    """R2 of the three fields. A model with a score below zero is worse than the mean of all rows."""
    if np.isnan(scores).any():
        return "not measured"
    return ", ".join(f"{max(score, -1.0):.2f}" for score in scores)


def score(field, region, n_rows, make):
    """R2 of the predictions in held-out blocks, all folds together."""
    bounds, block_km = REGIONS[region]
    X, y = rows(field, bounds, block_km, n_rows, seed=0)
    # Blocks of this size: a fifth of them is a fold.
    folds = SphericalBlockKFold(5, block_size_km=block_km, shuffle=True, random_state=0)
    return float(r2_score(y, cross_val_predict(make(region), X, y, cv=list(folds.split(X)))))


def rows(field, bounds, block_km, n_rows, seed):
    """Places, uniform in a region, and the values of a field with noise, standardised."""
    random = np.random.default_rng(seed)
    south, north, west, east = bounds
    latitude = np.degrees(np.arcsin(random.uniform(*np.sin(np.radians([south, north])), n_rows)))
    X = np.column_stack([latitude, random.uniform(west, east, n_rows)])
    if FIELDS[field] is None:
        values = land_share(X)
    else:
        length, smoothness = FIELDS[field]
        values = random_field(X, length * block_km, smoothness, random)
    values = (values - values.mean()) / values.std()
    return X, values + 0.1 * random.standard_normal(n_rows)


def random_field(X, length_km, smoothness, random):
    """A sample of a Gaussian process. Its Matern covariance depends on the straight distance through the Earth."""
    from sklearn.gaussian_process.kernels import Matern

    radians = np.radians(X)
    cosine = np.cos(radians[:, 0])
    vectors = 6371.0 * np.column_stack(
        [cosine * np.cos(radians[:, 1]), cosine * np.sin(radians[:, 1]), np.sin(radians[:, 0])]
    )
    covariance = Matern(length_km, nu=smoothness)(vectors)
    covariance[np.diag_indices_from(covariance)] += 1e-8
    return np.linalg.cholesky(covariance) @ random.standard_normal(len(X))


def land_share(X):
    """The share of land in a square of about 100 km around places."""
    land = load_land_mask()
    step = abs(float(land.latitude[1] - land.latitude[0]))
    share = uniform_filter(np.asarray(land.fraction, dtype=float), max(1, round(1.0 / step)), mode="wrap")
    row = np.abs(land.latitude[:, np.newaxis] - X[:, 0]).argmin(axis=0)
    column = np.abs((land.longitude[:, np.newaxis] - X[:, 1] + 180) % 360 - 180).argmin(axis=0)
    return share[row, column]


if __name__ == "__main__":
    main()
