"""Draw the picture of the README: components of the basis of the sea, on the globe.

    python scripts/draw_basis.py [--out basis.png]

Needs matplotlib: pip install 'skgeo[plot]'
"""

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("agg")
import matplotlib.pyplot as plt
from matplotlib.patches import Ellipse
from PIL import Image
from scipy.ndimage import map_coordinates
from scipy.spatial import KDTree

from skgeo import LatLonGrid, SphericalHarmonicPCA
from skgeo.datasets import load_land_mask

PICTURE = Path(__file__).parents[1] / "docs" / "_static" / "basis.png"
COMPONENTS = [0, 1, 2, 5, 10, 20, 40, 80]
CENTRAL_LONGITUDE = -160.0  # the Pacific in one piece
PIXELS = 900  # across a map
CLIP = 3.0  # standard deviations
COLOURS = "RdBu_r"
LAND_COLOUR, LINE_COLOUR = 0.86, "0.35"
RIGHT, TOP = 2.0 * np.sqrt(2.0), np.sqrt(2.0)  # of Mollweide's ellipse, on the unit sphere


def main():
    parser = argparse.ArgumentParser(description="Draw the basis of the sea.")
    parser.add_argument("--out", type=Path, default=PICTURE, help="default: %(default)s")
    out = parser.parse_args().out

    land = load_land_mask()
    sea = LatLonGrid(land.latitude, land.longitude, mask=1 - land.fraction)
    basis = SphericalHarmonicPCA(max_degree=10, n_components=96, clip=CLIP).fit(sea)

    points, inside = mollweide(PIXELS, CENTRAL_LONGITUDE)
    maps = np.full((*inside.shape, basis.n_components_), np.nan)
    maps[inside] = basis.transform(points)
    cover = np.zeros(inside.shape)
    cover[inside] = land_share(land, points)

    save_with_palette(draw(maps, cover), out)
    print(f"{out}: {out.stat().st_size:,} bytes")


def mollweide(width, central_longitude):
    """Latitude and longitude (n, 2) of the pixels inside a Mollweide map, and which pixels these are, north first."""
    x = RIGHT * ((np.arange(width) + 0.5) / width * 2.0 - 1.0)
    y = TOP * (1.0 - (np.arange(width // 2) + 0.5) / (width // 2) * 2.0)
    angle = np.arcsin(y / TOP)[:, np.newaxis]
    inside = np.abs(x) < RIGHT * np.cos(angle)
    latitude = np.degrees(np.arcsin((2.0 * angle + np.sin(2.0 * angle)) / np.pi))
    longitude = central_longitude + 180.0 * x / (RIGHT * np.cos(angle))
    return np.column_stack([np.broadcast_to(latitude, inside.shape)[inside], longitude[inside]]), inside


def land_share(land, points):
    """Fraction of land at points, linear between cell centres."""
    fraction = np.pad(land.fraction, ((0, 0), (1, 1)), mode="wrap")
    row, column = (points[:, 0] + 90.0) * 2.0 - 0.5, (points[:, 1] + 180.0) % 360.0 * 2.0 + 0.5
    return map_coordinates(fraction, [row, column], order=1, mode="nearest")


def draw(maps, cover):
    """Maps of some components; land is grey."""
    colours = mpl.cm.ScalarMappable(mpl.colors.Normalize(-CLIP, CLIP), COLOURS)
    extent = (-RIGHT, RIGHT, -TOP, TOP)
    figure, axes = plt.subplots(2, 4, figsize=(12.8, 4.4), dpi=150)
    figure.subplots_adjust(left=0.005, right=0.995, top=0.94, bottom=0.16, wspace=0.03, hspace=0.16)
    for ax, component in zip(axes.flat, COMPONENTS, strict=True):
        sea = colours.to_rgba(maps[:, :, component])[:, :, :3]
        picture = ax.imshow(sea + cover[:, :, np.newaxis] * (LAND_COLOUR - sea), extent=extent)
        rim = ax.add_patch(Ellipse((0, 0), 2 * RIGHT, 2 * TOP, facecolor="none", edgecolor=LINE_COLOUR, linewidth=0.8))
        picture.set_clip_path(rim)
        ax.contour(cover, [0.5], extent=extent, origin="upper", colors=LINE_COLOUR, linewidths=0.4)
        ax.set(xlim=(-1.01 * RIGHT, 1.01 * RIGHT), ylim=(-1.02 * TOP, 1.02 * TOP))
        ax.set_title(f"component {component}", fontsize=11, pad=3)
        ax.axis("off")
    bar = figure.colorbar(colours, cax=figure.add_axes((0.35, 0.115, 0.3, 0.025)), orientation="horizontal")
    bar.set_label("standard deviations", fontsize=11)
    bar.ax.tick_params(labelsize=10, length=3, color=LINE_COLOUR)
    bar.outline.set_visible(False)
    return figure


def save_with_palette(figure, out):
    """Save with 200 colours of the map and 56 greys: a third of the bytes of full colour, and no visible difference."""
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[:, :, :3]
    greys = np.repeat(np.linspace(0.0, 1.0, 56)[:, np.newaxis], 3, axis=1)
    palette = np.round(255 * np.concatenate([mpl.colormaps[COLOURS](np.linspace(0.0, 1.0, 200))[:, :3], greys]))
    nearest = KDTree(palette).query(pixels)[1].astype(np.uint8)
    image = Image.frombytes("P", nearest.shape[::-1], nearest.tobytes())
    image.putpalette(palette.astype(np.uint8).tobytes())
    image.save(out, optimize=True, dpi=(figure.dpi, figure.dpi))


if __name__ == "__main__":
    main()
