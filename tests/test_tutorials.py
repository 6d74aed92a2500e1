"""The data of the tutorials are what the script makes, and their pictures exist. Their code runs as doctests."""

import re

import numpy as np
import pytest

from paths import ROOT, SHARED_DATA, needs_shared_data

PAGES = ROOT / "docs" / "tutorials"


@needs_shared_data
@pytest.mark.pandas
@pytest.mark.xarray
def test_data_are_what_the_script_makes(tmp_path, monkeypatch):
    import pandas as pd
    import xarray as xr

    from scripts import make_tutorial_data

    monkeypatch.setattr(make_tutorial_data, "FOLDER", tmp_path)
    make_tutorial_data.main(SHARED_DATA / "ostia_monthly.nc")
    for table in ("cells.csv", "ships.csv"):
        pd.testing.assert_frame_equal(pd.read_csv(tmp_path / table), pd.read_csv(PAGES / "data" / table))
    made, kept = (xr.load_dataset(folder / "tropical_sst.nc") for folder in (tmp_path, PAGES / "data"))
    xr.testing.assert_identical(made, kept)


def test_ships_measure_the_cells_below_them():
    cells = np.genfromtxt(PAGES / "data" / "cells.csv", delimiter=",", skip_header=1)
    ships = np.genfromtxt(PAGES / "data" / "ships.csv", delimiter=",", skip_header=1)
    rows = {tuple(row) for row in cells.tolist()}
    assert len(ships) == 102
    assert all(tuple(row) in rows for row in ships.tolist())


def test_data_are_small():
    assert sum(file.stat().st_size for file in (PAGES / "data").iterdir()) < 200_000


@pytest.mark.parametrize("page", ["tables", "climate", "ecology"])
def test_pictures_and_downloads_exist(page):
    text = (PAGES / f"{page}.rst").read_text(encoding="utf-8")
    named = re.findall(r"image:: (\S+)", text) + re.findall(r":download:`[^<]+<([^>]+)>`", text)
    assert f"{page}.png" in named
    assert [file for file in named if not (PAGES / file).exists()] == []
    # The picture is the one that the code of the page draws.
    assert f'savefig("{page}.png"' in text
