"""Models of places in a region: coordinates, harmonics, a basis of the region, random waves; linear, trees, a network.

    python -m experiments.regional            # about twenty minutes on one core
    python -m experiments.regional --quick    # seconds; fails if a basis that resolves the field is worse than coordinates

Three fields in two regions: a smooth and a rough random field (Gaussian processes of Matern covariance), and the share
of land around a place, with noise of a tenth of their standard deviation. The rows lie at random in the region. Folds
hold out blocks; penalties and length scales are chosen in the training rows. Writes regional.rst and
regional_components.rst.
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
from scipy.ndimage import uniform_filter
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.tables import list_table
from skgeo import SphericalHarmonicPCA
from skgeo.datasets import load_land_mask
from skgeo.encoders import DirectEncoder, RandomFourierEncoder, SphericalHarmonics
from skgeo.exceptions import ResolutionWarning
from skgeo.model_selection import SphericalBlockKFold

# South, north, west and east in degrees; the side of the blocks in km.
REGIONS = {"10 x 10 degrees": ((40, 50, 5, 15), 100), "30 x 50 degrees": ((30, 60, -10, 40), 400)}
FIELDS = {"smooth": (600.0, 1.5), "rough": (100.0, 0.5), "land": None}
PENALTIES = np.logspace(-6, 3, 10)
KM_PER_DEGREE = 111.2


def basis(max_degree, n_components=None, **parameters):
    """A basis of the region, learned from the training rows; every row counts the same."""
    return SphericalHarmonicPCA(max_degree, n_components, area_weighted=False, **parameters)


def ridge(encoder):
    return make_pipeline(encoder, RidgeCV(PENALTIES))


def random_waves():
    """Random Fourier features whose length scale is chosen in the training rows."""
    model = ridge(RandomFourierEncoder(500, random_state=0))
    lengths = {"randomfourierencoder__length_scale_km": [60.0, 200.0, 600.0, 2000.0]}
    return GridSearchCV(model, lengths, cv=SphericalBlockKFold(4))


def network(max_degree):
    from skgeo.nn import LocationRegressor

    return LocationRegressor(basis(max_degree), "fcnet", max_epochs=150, random_state=0)


def boosting(encoder):
    return make_pipeline(encoder, HistGradientBoostingRegressor(random_state=0))


# The line of code, and the model that it makes.
MODELS = {
    "coordinates, linear": lambda: make_pipeline(DirectEncoder(), StandardScaler(), RidgeCV(PENALTIES)),
    "coordinates, boosting": lambda: boosting(DirectEncoder()),
    "SphericalHarmonics(40, spectrum='matern'), linear": lambda: ridge(SphericalHarmonics(40, spectrum="matern")),
    "SphericalHarmonicPCA(40), linear": lambda: ridge(basis(40)),
    "SphericalHarmonicPCA(100), linear": lambda: ridge(basis(100)),
    "SphericalHarmonicPCA(100, spectrum='matern'), linear": lambda: ridge(basis(100, spectrum="matern")),
    "RandomFourierEncoder(500), length scale searched, linear": random_waves,
    "SphericalHarmonicPCA(40), boosting": lambda: boosting(basis(40)),
    "SphericalHarmonicPCA(40), network": lambda: network(40),
}
COMPONENTS = {
    "SphericalHarmonicPCA(40)": lambda: ridge(basis(40)),
    "SphericalHarmonicPCA(40, 0.999)": lambda: ridge(basis(40, 0.999)),
    "SphericalHarmonicPCA(40, 0.99)": lambda: ridge(basis(40, 0.99)),
    "SphericalHarmonicPCA(40, 'shannon')": lambda: ridge(basis(40, "shannon")),
    "SphericalHarmonicPCA(100, 0.99)": lambda: ridge(basis(100, 0.99)),
    "SphericalHarmonicPCA(100, 'shannon')": lambda: ridge(basis(100, "shannon")),
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
            for name in ("coordinates, linear", "SphericalHarmonicPCA(40), linear")
        }
        print(scores)
        if scores["SphericalHarmonicPCA(40), linear"] < scores["coordinates, linear"]:
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
        yield f"``{name}``" if "(" in name and ", linear" not in name else name, *map(cell, scores)


def cell(scores):
    """R2 of the three fields; a score below zero is worse than the mean of all rows."""
    return ", ".join(f"{max(score, -1.0):.2f}" for score in scores)


def score(field, region, n_rows, make):
    """R2 of predictions in blocks that were held out, all folds together."""
    bounds, block_km = REGIONS[region]
    X, y = rows(field, bounds, n_rows, seed=0)
    # Blocks of this size: a fifth of them is a fold.
    folds = SphericalBlockKFold(5, block_size_km=block_km, shuffle=True, random_state=0)
    return float(r2_score(y, cross_val_predict(make(), X, y, cv=list(folds.split(X)))))


def rows(field, bounds, n_rows, seed):
    """Places, uniform in a region, and the values of a field with noise, standardised."""
    random = np.random.default_rng(seed)
    south, north, west, east = bounds
    latitude = np.degrees(np.arcsin(random.uniform(*np.sin(np.radians([south, north])), n_rows)))
    X = np.column_stack([latitude, random.uniform(west, east, n_rows)])
    values = land_share(X) if FIELDS[field] is None else random_field(X, *FIELDS[field], random)
    values = (values - values.mean()) / values.std()
    return X, values + 0.1 * random.standard_normal(n_rows)


def random_field(X, length_km, smoothness, random):
    """A sample of a Gaussian process with Matern covariance of the distance through the Earth."""
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
