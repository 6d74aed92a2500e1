"""Run the code of the tutorials, and keep the pictures that it draws beside the pages.

    python scripts/draw_tutorials.py [tables climate ecology]

The pictures in docs/tutorials come from this script. Needs: pip install 'skgeo[torch,xarray,plot]'
"""

import argparse
import doctest
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

PAGES = Path(__file__).parents[1] / "docs" / "tutorials"
SPECIES = PAGES.parents[2] / "shared" / "data" / "species_can.npz"
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def main():
    parser = argparse.ArgumentParser(description="Draw the pictures of the tutorials.")
    parser.add_argument("pages", nargs="*", default=["tables", "climate", "ecology"], help="default: all")
    os.environ.setdefault("MPLBACKEND", "agg")
    start = Path.cwd()
    for page in parser.parse_args().pages:
        with tempfile.TemporaryDirectory() as folder:
            missing = fill_folder(Path(folder), page)
            if missing:
                print(f"{page}: {missing}")
                continue
            os.chdir(folder)
            print(page, doctest.testfile(str(PAGES / f"{page}.rst"), module_relative=False, optionflags=FLAGS))
            os.chdir(start)
            for picture in Path(folder).glob("*.png"):
                shutil.copy(picture, PAGES)


def fill_folder(folder, page):
    """Put the data of a page into a folder. The result is the reason if this is not possible, else an empty string."""
    for file in (PAGES / "data").iterdir():
        shutil.copy(file, folder)
    if page != "ecology":
        return ""
    if not SPECIES.exists():
        return "the records of Elith et al. (2020) are not in this repository"
    write_species(folder)
    return ""


def write_species(folder):
    """The files that the R package disdat writes for Ontario, without its environmental columns."""
    with np.load(SPECIES) as data:
        records = {"spid": data["names"][data["species"]], "x": data["longitude"], "y": data["latitude"]}
        background = {"x": data["background_longitude"], "y": data["background_latitude"]}
        sites = {"x": data["test_longitude"], "y": data["test_latitude"]}
        sites |= dict(zip(data["names"].tolist(), data["test_occurrence"].T, strict=True))
    for name, columns in (("po", records), ("bg", background), ("pa", sites)):
        pd.DataFrame(columns).to_csv(folder / f"can_{name}.csv", index=False)


if __name__ == "__main__":
    main()
