"""Draws the logo of the documentation: the signs of a spherical harmonic on a globe, as SVG.

    python scripts/draw_logo.py [--out logo.svg]

A real harmonic changes its sign at parallels, where the Legendre function is zero, and at meridians. These lines divide
the globe into cells of alternating sign. The logo shows the cells in two colours, as from far above the northern
Atlantic.
"""

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.optimize import brentq
from scipy.special import assoc_legendre_p

LOGO = Path(__file__).parents[1] / "docs" / "_static" / "logo.svg"
DEGREE, ORDER = 6, 3
CENTER = 25.0, -30.0  # latitude and longitude in the middle
COLOURS = "#0072b2", "#e69f00"
RADIUS, SIZE = 46, 100


def nodal_parallels():
    """Latitudes in degrees where the harmonic is zero, with both poles."""

    def harmonic(latitude):
        return float(assoc_legendre_p(DEGREE, ORDER, np.sin(np.radians(latitude)))[0])

    steps = np.arange(-88.5, 89.0, 3.0)
    zeros = [brentq(harmonic, a, b) for a, b in pairwise(steps) if harmonic(a) * harmonic(b) < 0]
    return [-90.0, *zeros, 90.0]


def outline(south, north, west, east):
    """The rim of a cell on the paper: what lies behind the globe is moved to its edge. None if all of it does."""
    latitudes, longitudes = np.linspace(south, north, 13), np.linspace(west, east, 13)
    rim = [(south, each) for each in longitudes] + [(each, east) for each in latitudes]
    rim += [(north, each) for each in longitudes[::-1]] + [(each, west) for each in latitudes[::-1]]
    latitude, across = np.radians(np.array(rim) - (0.0, CENTER[1])).T
    tilt = np.radians(CENTER[0])
    x = np.cos(latitude) * np.sin(across)
    y = np.cos(tilt) * np.sin(latitude) - np.sin(tilt) * np.cos(latitude) * np.cos(across)
    z = np.sin(tilt) * np.sin(latitude) + np.cos(tilt) * np.cos(latitude) * np.cos(across)
    if (z <= 0).all():
        return None
    stretch = np.where(z < 0, 1.0 / np.hypot(x, y), 1.0)
    return SIZE / 2 + RADIUS * np.column_stack([x, -y]) * stretch[:, np.newaxis]


def logo():
    """The text of the file."""
    width = 180.0 / ORDER
    shapes = []
    for i, (south, north) in enumerate(pairwise(nodal_parallels())):
        for j in range(2 * ORDER):
            points = outline(south, north, -180.0 + (j - 0.5) * width, -180.0 + (j + 0.5) * width)
            if points is not None:
                path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
                shapes.append(f'<polygon points="{path}" fill="{COLOURS[(i + j) % 2]}"/>')
    shade = (
        '<radialGradient id="shade" cx="0.35" cy="0.3" r="0.75">'
        '<stop offset="0.3" stop-color="#fff" stop-opacity="0.25"/>'
        '<stop offset="1" stop-color="#000" stop-opacity="0.35"/></radialGradient>'
    )
    globe = f'<circle cx="{SIZE // 2}" cy="{SIZE // 2}" r="{RADIUS}"'
    style = 'stroke="#fff" stroke-width="1.2" stroke-linejoin="round"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE} {SIZE}">',
            f"<title>skgeo</title><defs>{shade}</defs>",
            f"<g {style}>",
            *shapes,
            "</g>",
            f'{globe} fill="url(#shade)"/>',
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=LOGO, help="file to write (default: %(default)s)")
    parser.parse_args().out.write_text(logo(), encoding="utf-8")
