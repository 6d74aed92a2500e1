"""A long stream: 1e8 points through partial_fit, and through transform, with the memory of the process on the way.

    python benchmarks/soak.py            # some minutes
    python benchmarks/soak.py --quick    # 2e6 points; fails if memory grows

Points come in blocks of a million, from a generator, as from a file that is larger than memory. After the first tenth,
resident memory may grow by no more than the size of one block. Writes soak.json.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from run import resident
from sampling import uniform

from skgeo import SphericalHarmonicPCA


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="2e6 points")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="folder for the results")
    options = parser.parse_args()
    n_blocks, size = (20, 100_000) if options.quick else (100, 1_000_000)
    fitted = SphericalHarmonicPCA(max_degree=10, n_components=32, area_weighted=False)
    result = {"points": n_blocks * size, "partial_fit": stream(fitted.partial_fit, n_blocks, size)}
    result["transform"] = stream(fitted.transform, n_blocks, size)
    for work in ("partial_fit", "transform"):
        row = result[work]
        print(
            f"{work}: {result['points']:.0e} points, {row['seconds']:.0f} s, memory grew by {row['growth_mb']:.1f} MB"
        )
    if not options.quick:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "soak.json").write_text(json.dumps(result, indent=1) + "\n")
    if max(result[work]["growth_mb"] for work in ("partial_fit", "transform")) > 32 * 4 * size / 1e6:
        raise SystemExit("memory grew by more than the output of one block")


def stream(work, n_blocks, size):
    """Seconds of the work alone, and memory after each block."""
    seconds, memory = 0.0, []
    for block in points(n_blocks, size):
        start = time.perf_counter()
        work(block)
        seconds += time.perf_counter() - start
        memory.append(resident("VmRSS"))
    return {"seconds": seconds, "growth_mb": max(memory) - max(memory[: n_blocks // 10]), "memory_mb": memory}


def points(n_blocks, size):
    """Blocks of points in float32, uniform on the sphere."""
    rng = np.random.default_rng(0)
    for _ in range(n_blocks):
        yield uniform(rng, size).astype(np.float32)


if __name__ == "__main__":
    main()
