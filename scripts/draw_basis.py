"""Draw the picture of the README: components of the basis of the sea, on the globe.

    python scripts/draw_basis.py [--out basis.png]

Needs matplotlib: pip install 'skgeo[plot]'
"""

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("agg")
from PIL import Image
from scipy.spatial import KDTree

from skgeo import LatLonGrid, SphericalHarmonicPCA
from skgeo.datasets import load_land_mask
from skgeo.inspection import BasisDisplay

PICTURE = Path(__file__).parents[1] / "docs" / "_static" / "basis.png"
COMPONENTS = [0, 1, 2, 5, 10, 20, 40, 80]
CENTER = (0.0, -160.0)  # the Pacific in one piece
PIXELS_PER_INCH = 250


def main():
    parser = argparse.ArgumentParser(description="Draw the basis of the sea.")
    parser.add_argument("--out", type=Path, default=PICTURE, help="file to write (default: %(default)s)")
    out = parser.parse_args().out

    land = load_land_mask()
    sea = LatLonGrid(land.latitude, land.longitude, mask=1 - land.fraction)
    basis = SphericalHarmonicPCA(max_degree=10, n_components=96).fit(sea)
    display = BasisDisplay.from_estimator(basis, COMPONENTS, grid=sea, center=CENTER)
    display.figure_.set_dpi(PIXELS_PER_INCH)

    save_with_palette(display, out)
    print(f"{out}: {out.stat().st_size:,} bytes")


def save_with_palette(display, out):
    """Save with 200 colours of the map and 56 greys: a third of the bytes of full colour, and no visible difference."""
    figure, colours = display.figure_, display.mappables_[0].cmap
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[:, :, :3]
    greys = np.repeat(np.linspace(0.0, 1.0, 56)[:, np.newaxis], 3, axis=1)
    palette = np.round(255 * np.concatenate([colours(np.linspace(0.0, 1.0, 200))[:, :3], greys]))
    nearest = KDTree(palette).query(pixels)[1].astype(np.uint8)
    image = Image.frombytes("P", nearest.shape[::-1], nearest.tobytes())
    image.putpalette(palette.astype(np.uint8).tobytes())
    image.save(out, optimize=True, dpi=(figure.dpi, figure.dpi))


if __name__ == "__main__":
    main()
