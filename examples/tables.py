"""Predict house prices from places, with one pipeline for pandas, polars and GeoPandas. Some coordinates are missing.

    python examples/tables.py

Needs: pip install 'skgeo[geo]' polars
"""

import geopandas as gpd
import numpy as np
import pandas as pd
import polars as pl
from sklearn.compose import make_column_transformer
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from skgeo import SphericalHarmonicPCA


def main():
    houses, price = make_houses()
    rooms = cross_val_score(Ridge(), houses[["rooms"]], price)
    print(f"R² of rooms alone: {rooms.mean():.2f}")
    for name, table, columns in (
        ("pandas", houses, ["lat", "lon"]),
        ("polars", pl.from_pandas(houses), ["lat", "lon"]),
        ("GeoPandas", as_geometries(houses), ["geometry"]),
    ):
        scores = cross_val_score(make_model(columns), table, price)
        print(f"R² with places, {name}: {scores.mean():.6f}")


def make_model(columns):
    """A missing place gets the mean of the embedding, and an indicator column marks it."""
    place = SphericalHarmonicPCA(
        max_degree=30, n_components=40, spectrum="matern", area_weighted=False, missing="mean", add_indicator=True
    )
    return make_pipeline(make_column_transformer((place, columns), ("passthrough", ["rooms"])), Ridge(0.01))


def make_houses(n=2000):
    """Prices that rise toward five towns. One house in fifty has no coordinates."""
    rng = np.random.default_rng(0)
    lat, lon = rng.uniform(38, 60, n), rng.uniform(-10, 25, n)
    towns = [(48.9, 2.3, 400), (51.5, -0.1, 500), (41.9, 12.5, 200), (52.5, 13.4, 200), (40.4, -3.7, 250)]
    near = sum(rise * np.exp(-((lat - y) ** 2 + (lon - x) ** 2 / 2) / 8) for y, x, rise in towns)
    rooms = rng.integers(1, 7, n)
    price = 100 + 40 * rooms + near + rng.normal(0, 20, n)
    lat[::50] = np.nan
    return pd.DataFrame({"rooms": rooms, "lon": lon, "lat": lat}), price


def as_geometries(houses):
    points = gpd.points_from_xy(houses["lon"], houses["lat"]).to_numpy()
    points[houses["lat"].isna()] = None
    return gpd.GeoDataFrame(houses[["rooms"]], geometry=points, crs="EPSG:4326")


if __name__ == "__main__":
    main()
