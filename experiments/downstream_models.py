"""Fields sampled at places, and models whose inputs are latitude and longitude, for downstream.py."""

import warnings
from functools import cache
from pathlib import Path

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from sklearn.kernel_approximation import RBFSampler
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from benchmarks.sampling import uniform
from experiments.downstream_encoders import CellEncoder, DoubleFourierEncoder, NeRFEncoder
from skgeo import LatLonGrid, SphericalGaussianProcessRegressor, SphericalHarmonicPCA, matern_spectrum
from skgeo.datasets import make_land_ocean
from skgeo.encoders import (
    Cartesian3DEncoder,
    DirectEncoder,
    GridEncoder,
    RadialBasisEncoder,
    RandomFourierEncoder,
    SphereCEncoder,
    SphereMEncoder,
    SphericalHarmonics,
    TheoryEncoder,
    WrapEncoder,
)

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
PENALTIES = (1e-4, 1e-2, 1.0, 100.0)
EUROPE = 30, 60, -10, 40
EXACT = "Gaussian process, scikit-learn"

# ---- data: name -> function of (n, seed) that gives places and targets, and the two sizes of blocks in km


def synthetic(nu, kappa, box=(-90, 90, -180, 180)):
    """Samples of a Gaussian field with a Matern spectrum up to degree 90, with noise.

    The standard deviation of the noise is a tenth of the standard deviation of the field. Harmonics with a Matern
    spectrum and Gaussian processes assume such a field.
    """

    def sample(n, seed):
        rng = np.random.default_rng(seed)
        X = uniform(rng, n, *box)
        harmonics = SphericalHarmonics(90, spectrum=matern_spectrum(90, nu=nu, kappa=kappa))
        y = harmonics.fit_transform(X) @ np.random.default_rng(7).standard_normal(91**2)  # one field for all
        return X, y + 0.1 * y.std() * rng.standard_normal(n)

    return sample


def era_interim(variable, month, level, box=(-90, 90, -180, 179.2)):
    def sample(n, seed):
        import xarray as xr

        rng = np.random.default_rng(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the file has a fill value of NaN
            field = xr.open_dataset(SHARED / "eraint_uvz.nc")[variable].sel(month=month, level=level).load()
        X = uniform(rng, n, *box)
        places = {name: ("place", column) for name, column in zip(("latitude", "longitude"), X.T, strict=True)}
        return X, field.interp(
            {name: xr.DataArray(column, dims="place") for name, (_, column) in places.items()}
        ).values

    return sample


def land_ocean(n, seed):
    return make_land_ocean(n, random_state=seed)


def california(n, seed):
    from sklearn.datasets import fetch_california_housing

    houses = fetch_california_housing(download_if_missing=False)
    chosen = np.random.default_rng(seed).permutation(len(houses.target))[:n]
    return houses.data[chosen, 6:8], houses.target[chosen]


def data_sets():
    """The data sets whose files exist."""
    found = {
        "smooth field": (synthetic(2.5, 6.0), (1000, 4000)),
        "rough field": (synthetic(0.5, 12.0), (1000, 4000)),
        "rough field, Europe": (synthetic(0.5, 12.0, EUROPE), (250, 1000)),
        "land and ocean": (land_ocean, (1000, 4000)),
    }
    if (SHARED / "eraint_uvz.nc").exists():
        found["ERA-Interim z, July, 500 hPa"] = era_interim("z", 7, 500), (1000, 4000)
        found["ERA-Interim v, July, 850 hPa"] = era_interim("v", 7, 850), (1000, 4000)
        found["ERA-Interim u, Europe"] = era_interim("u", 7, 850, EUROPE), (250, 1000)
    try:
        california(1, 0)
        found["California housing"] = california, (50, 200)
    except OSError:
        print("California housing is not in scikit-learn's cache: left out")
    return found


# ---- models: name, the steps for numbers, the last step for classes, the choices of the search


def models(degree, bases=None, block_km=1000.0):
    """All models. `degree` is the largest degree of harmonics, `bases` are for a region, `block_km` scales cells."""
    scales = {"encoder__min_scale": [0.2, 1.0, 5.0, 20.0]}
    spacings = {"encoder__spacing_km": [0.5 * block_km, block_km, 2.0 * block_km]}
    degrees = {"encoder__max_degree": [degree // 4, degree // 2, degree]}
    encoders = {
        "raw": ([DirectEncoder(), StandardScaler()], {}),
        "Cartesian": ([Cartesian3DEncoder(), StandardScaler()], {}),
        "Wrap": ([WrapEncoder(), StandardScaler()], {}),
        "Grid": ([GridEncoder(16)], scales),
        "Theory": ([TheoryEncoder(16)], scales),
        "SphereC": ([SphereCEncoder(16)], scales),
        "SphereC+": ([SphereCEncoder(16, plus=True)], scales),
        "SphereM": ([SphereMEncoder(16)], scales),
        "SphereM+": ([SphereMEncoder(16, plus=True)], scales),
        "random Fourier": (
            [Cartesian3DEncoder(), RBFSampler(n_components=500, random_state=0)],
            {"then__gamma": [1.0, 10.0, 100.0, 1000.0]},
        ),
        "random Fourier, Matern": (
            [RandomFourierEncoder(500, smoothness=1.5, random_state=0)],
            {"encoder__length_scale_km": [150.0, 450.0, 1500.0, 4500.0]},
        ),
        "cells": ([CellEncoder()], spacings),
        "anchors": ([RadialBasisEncoder()], spacings),
        "NeRF": ([NeRFEncoder()], {"encoder__n_octaves": [2, 3, 4, 6, 8]}),
        "double Fourier": ([DoubleFourierEncoder()], scales),
        "harmonics": ([SphericalHarmonics(min_degree=1)], degrees),
        "harmonics, Matern": ([SphericalHarmonics(min_degree=1, spectrum="matern")], degrees),
    }
    for name, basis in (bases or {}).items():
        first = {"then__kw_args": [{"number": number} for number in (30, 100, 200)]}
        encoders[name] = [FrozenEstimator(basis), FunctionTransformer(leading, kw_args={"number": 30})], first
    for name, (steps, choices) in encoders.items():
        yield f"{name} + ridge", (*steps, Ridge()), RidgeClassifier(), choices | {"model__alpha": PENALTIES}
    # The time of trees grows with the number of columns: trees get few columns.
    few = {"raw": [DirectEncoder()], "Cartesian": [Cartesian3DEncoder()]}
    few["harmonics, Matern"] = [SphericalHarmonics(8, min_degree=1, spectrum="matern")]
    few |= {name: encoders[name][0] for name in encoders if name == "components, Matern"}
    for name, steps in few.items():
        last = [
            tree(max_iter=150, random_state=0)
            for tree in (HistGradientBoostingRegressor, HistGradientBoostingClassifier)
        ]
        yield f"{name} + boosting", (*steps, last[0]), last[1], {"model__max_leaf_nodes": [7, 31]}
    neighbours = [kind(weights="distance") for kind in (KNeighborsRegressor, KNeighborsClassifier)]
    number = {"model__n_neighbors": [1, 3, 10, 30]}
    yield "nearest neighbours", (Cartesian3DEncoder(), neighbours[0]), neighbours[1], number
    kernel = ConstantKernel() * Matern(0.35, nu=1.5) + WhiteKernel(0.1)
    exact = GaussianProcessRegressor(kernel, normalize_y=True)
    yield EXACT, (Cartesian3DEncoder(), exact), None, {}
    yield "Gaussian process", (SphericalGaussianProcessRegressor(),), None, {}
    harmonic = SphericalGaussianProcessRegressor(method="harmonics", max_degree=degree)
    yield "Gaussian process, harmonics", (harmonic,), None, {}


def leading(features, number):
    return features[:, :number]


@cache
def bases_of(south, north, west, east):
    """Components of harmonics in a box in degrees."""
    latitude, longitude = np.linspace(south, north, 201)[1::2], np.linspace(west, east, 201)[1::2]
    grid = LatLonGrid(latitude, longitude)
    return {
        name: SphericalHarmonicPCA(60, clip=None, spectrum=spectrum).fit(grid)
        for name, spectrum in {"components": None, "components, Matern": "matern"}.items()
    }
