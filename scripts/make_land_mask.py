"""Make the land mask that skgeo bundles from GLOBE's, as the package global-land-mask holds it.

    pip install global-land-mask==1.0.0
    python scripts/make_land_mask.py

Takes 1 GB of memory. The same input gives the same bytes (with the same zlib): an archive that numpy writes has no
time stamps.
"""

import argparse
import importlib.util
from pathlib import Path

import numpy as np
import numpy.typing as npt

PIXELS_PER_CELL = 60  # 30 arc seconds in half a degree
BUNDLED = Path(__file__).parents[1] / "skgeo" / "datasets" / "data" / "land_mask.npz"


def read_globe_land() -> npt.NDArray[np.bool_]:
    """Land (21600, 43200) in pixels of 30 arc seconds, south first, from 180 degrees west."""
    package = importlib.util.find_spec("global_land_mask")
    if package is None or package.origin is None:
        raise SystemExit("pip install global-land-mask==1.0.0")
    with np.load(Path(package.origin).with_name("globe_combined_mask_compressed.npz")) as globe:
        # GLOBE's tiles start at their north-west corner, so lat and lon are the edges of pixels and not their centres.
        assert np.allclose(globe["lat"], 90.0 - np.arange(21600) / 120.0)
        assert np.allclose(globe["lon"], -180.0 + np.arange(43200) / 120.0)
        return ~globe["mask"][::-1]


def quantised_fraction(land: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """Share of land of each cell in units of 1/255; 0 and 255 only where the cell is all sea or all land."""
    rows, columns = np.array(land.shape) // PIXELS_PER_CELL
    share = land.reshape(rows, PIXELS_PER_CELL, columns, PIXELS_PER_CELL).sum(axis=(1, 3)) / PIXELS_PER_CELL**2
    level = np.clip(np.round(share * 255.0), 1, 254)
    return np.select([share == 0.0, share == 1.0], [0, 255], level).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the land mask that skgeo bundles.")
    parser.add_argument("--out", type=Path, default=BUNDLED, help="file to write (default: %(default)s)")
    out = parser.parse_args().out
    np.savez_compressed(out, fraction=quantised_fraction(read_globe_land()))
    print(f"{out}: {out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
