"""Learn an embedding of places from "images" of the atmosphere, and use the embedding in a Pipeline.

    python examples/contrastive.py                          # a synthetic field
    python examples/contrastive.py --file eraint_uvz.nc     # geopotential and wind of ERA-Interim

Each image is a pair of patches, cut from two fields around a place. The model reads the pixels of an image as the
features of the image. For photographs, compute the features with a frozen image model (skgeo.nn.compute_features).
Needs: pip install 'skgeo[torch]', and netCDF4 for a file.
"""

import argparse
from pathlib import Path

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

import skgeo
from skgeo.encoders import SphericalHarmonics
from skgeo.nn import ContrastiveLocationEncoder

SHARED = Path(__file__).parents[2] / "shared" / "data" / "eraint_uvz.nc"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--file", type=Path, default=SHARED, help="NetCDF file with z, u, v (default: %(default)s)")
    parser.add_argument("--out", default="places.npz", help="model to save (default: %(default)s)")
    options = parser.parse_args()
    fields, source = (read(options.file), "ERA-Interim") if options.file.exists() else (make(), "a synthetic field")
    n_rows, n_columns = fields["z"].shape
    rng = np.random.default_rng(0)
    latitude = np.degrees(np.arcsin(rng.uniform(-0.98, 0.98, 3000)))
    row, column = np.rint((90 - latitude) * (n_rows - 1) / 180).astype(int), rng.integers(n_columns, size=3000)
    places = np.column_stack([90 - row * 180 / (n_rows - 1), column * 360 / n_columns - 180])
    images = np.column_stack([patches(fields[name], row, column) for name in "zu"])
    print(f"{len(places)} places with images of {images.shape[1]} pixels, from {source}")

    model = ContrastiveLocationEncoder(
        SphericalHarmonics(15), embed_dim=64, hidden_dim=128, max_epochs=30, patience=5, random_state=0
    )
    model.fit(places, images)
    share, chance = model.retrieval_["image_to_place"][0], model.retrieval_["chance"][0]
    places_of_test = f"held-out images that find their place among {round(1 / chance)} places"
    print(f"{places_of_test}: {share:.0%}, {share / chance:.0f} x chance")

    (best, *_), _ = model.locate(images[:1], places, k=3)
    print(f"image 0 was taken at {places[0]}; the most similar place is {places[best[0]]}")

    skgeo.save(model, options.out)
    frozen = FrozenEstimator(skgeo.load(options.out))
    target = fields["v"][row, column]
    regression = make_pipeline(frozen, Ridge(10.0)).fit(places[:2000], target[:2000])
    print(f"R² of a field that was not in the images: {regression.score(places[2000:], target[2000:]):.2f}")


def read(path):
    """Fields of January at 500 hPa. Rows go from north to south, columns from 180 W to the east."""
    import netCDF4

    with netCDF4.Dataset(path) as data:
        data.set_auto_mask(False)
        return {name: np.asarray(data[name][0, 1], dtype=float) for name in "zuv"}


def make():
    """A random field of harmonics. The slopes of the field stand for the wind."""
    grid = skgeo.LatLonGrid(np.linspace(90, -90, 121), np.arange(-180, 180, 1.5))
    weights = np.random.default_rng(0).normal(size=441) / (1 + np.sqrt(np.arange(441)))
    field = (SphericalHarmonics(20).fit_transform(grid) @ weights).reshape(grid.shape)
    return {"z": field, "u": -np.gradient(field, axis=0), "v": np.gradient(field, axis=1)}


def patches(field, row, column, reach=4, step=2):
    """The pixels around cells, (n, 25). Patches continue across the antimeridian, and repeat the last row at a pole."""
    offset = np.arange(-reach, reach + 1, step)
    rows = np.clip(row[:, np.newaxis] + offset, 0, len(field) - 1)
    columns = (column[:, np.newaxis] + offset) % field.shape[1]
    return field[rows[:, :, np.newaxis], columns[:, np.newaxis, :]].reshape(len(row), -1)


if __name__ == "__main__":
    main()
