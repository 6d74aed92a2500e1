"""Cut the data of the tutorials from monthly means of the OSTIA analysis: a field, observations, and cells to predict.

    python scripts/make_tutorial_data.py ../shared/data/ostia_monthly.nc

The files in docs/tutorials/data come from this script. docs/tutorials/data/README.md says what they hold.
"""

import sys
from pathlib import Path

import numpy as np
import xarray as xr

from skgeo.datasets import load_land_mask
from skgeo.encoders import Cartesian3DEncoder

FOLDER = Path(__file__).parents[1] / "docs" / "tutorials" / "data"
MONTH = "2010-01"  # an El Nino: the middle of the Pacific was warmer than usual
PACIFIC = slice(135, 275)
N_TRACKS, N_PER_TRACK = 12, 20


def main(source):
    FOLDER.mkdir(parents=True, exist_ok=True)
    field = coarse_field(xr.open_dataset(source))
    # 0.02 degrees steps, as integers: a tenth of the size of the same numbers in double precision.
    packing = {"dtype": "int16", "scale_factor": 0.02, "add_offset": 20.0, "_FillValue": -32768}
    packing |= {"zlib": True, "complevel": 9, "shuffle": True}
    field.to_netcdf(FOLDER / "tropical_sst.nc", engine="netcdf4", encoding={"sst": packing})

    cells = pacific_cells(xr.open_dataset(FOLDER / "tropical_sst.nc"))
    ships = cells.iloc[ship_tracks(cells)]
    ships.to_csv(FOLDER / "ships.csv", index=False)
    cells.to_csv(FOLDER / "cells.csv", index=False)


def coarse_field(data):
    """Means of 2 x 2 cells, in degrees Celsius. A mean needs two cells of the sea at least."""
    sst = data.surface_temperature.drop_vars(["forecast_reference_time", "forecast_period"]) - 273.15
    blocks = sst.coarsen(latitude=2, longitude=2)
    sea = np.isfinite(sst).coarsen(latitude=2, longitude=2).mean() >= 0.5
    sst = blocks.mean().where(sea)
    sst.attrs = {"standard_name": "sea_surface_temperature", "units": "degC", "long_name": "sea-surface temperature"}
    for axis, degrees in (("latitude", "degrees_north"), ("longitude", "degrees_east")):
        sst[axis].attrs = {"standard_name": axis, "units": degrees}
    attributes = {
        "Conventions": "CF-1.8",
        "title": "Monthly sea-surface temperature of the tropics, means of 2 x 2 cells",
        "source": "Met Office OSTIA analysis",
        "license": "UK Open Government Licence. Contains public sector information of the Met Office.",
    }
    return sst.to_dataset(name="sst").assign_attrs(attributes)


def pacific_cells(data):
    """The cells of the sea in the Pacific: temperature in one month, its usual value, and the distance to the coast."""
    sst = data.sst.sel(longitude=PACIFIC)
    earlier = sst.sel(time=(sst.time.dt.month == 1) & (sst.time < np.datetime64(MONTH)))
    columns = {"sst": sst.sel(time=MONTH).squeeze("time", drop=True), "usual_sst": earlier.mean("time")}
    cells = xr.Dataset(columns).to_dataframe().dropna().reset_index()
    cells["coast_km"] = coast_km(cells[["latitude", "longitude"]])
    columns = ["latitude", "longitude", "usual_sst", "coast_km", "sst"]
    cells = cells[columns].round({"latitude": 3, "longitude": 3, "usual_sst": 2, "coast_km": 0, "sst": 2})
    return cells.astype({"coast_km": int})


def coast_km(places):
    """Distance from each place to the nearest cell of land, in km."""
    land = load_land_mask()
    rows, columns = np.nonzero(land.mask)
    xyz = Cartesian3DEncoder()
    shore = xyz.fit_transform(np.column_stack([land.latitude[rows], land.longitude[columns]]))
    cosine = xyz.transform(places.to_numpy()) @ shore.T
    return 6371 * np.arccos(cosine.max(axis=1).clip(-1, 1))


def ship_tracks(cells):
    """Numbers of cells along straight tracks of ships between random places of the sea, each cell once."""
    rng = np.random.default_rng(0)
    places = cells[["latitude", "longitude"]].to_numpy()
    found = []
    for _ in range(N_TRACKS):
        # A track is 25 degrees of longitude long at most, so that large parts of the sea have no ship.
        start = places[rng.integers(len(places))]
        stop = np.array([rng.uniform(-5, 5), start[1] + rng.uniform(-25, 25)])
        track = start + np.linspace(0, 1, N_PER_TRACK)[:, np.newaxis] * (stop - start)
        nearest = ((track[:, np.newaxis] - places) ** 2).sum(axis=-1)
        found.append(nearest.argmin(axis=1)[nearest.min(axis=1) < 2])
    return np.unique(np.concatenate(found))


if __name__ == "__main__":
    main(sys.argv[1])
