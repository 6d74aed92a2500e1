"""Draws the pictures of benchmarks and experiments anew from their kept results. Nothing is run again.

    python scripts/draw_results.py [--out FOLDER]

Without --out, each picture replaces the one beside its results.
"""

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from benchmarks import report  # noqa: E402
from experiments import checkerboard, downstream_report, land_ocean, patch_report, resolution  # noqa: E402


def downstream(rows, path):
    models = list(dict.fromkeys(row["model"] for row in rows))
    downstream_report.draw(downstream_report.summarise(rows), models, path)


PICTURES = {
    "benchmarks/results/benchmark": report.draw,
    "experiments/results/checkerboard": checkerboard.draw,
    "experiments/results/downstream": downstream,
    "experiments/results/land_ocean": lambda result, path: land_ocean.draw(result["cells"], path),
    "experiments/results/patch_transfer": patch_report.draw,
    "experiments/results/resolution": resolution.draw,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, help="folder for the pictures")
    options = parser.parse_args()
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
    for name, draw in PICTURES.items():
        results = ROOT / f"{name}.json"
        path = options.out / f"{results.stem}.png" if options.out else results.with_suffix(".png")
        draw(json.loads(results.read_text(encoding="utf-8")), path)
        print(path)


if __name__ == "__main__":
    main()
