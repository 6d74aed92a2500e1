"""How the time grows with the number of points and pixels."""

import statistics
import time

import baselines
import numpy as np

from skgeo import SphericalHarmonicPCA

DEGREE, COMPONENTS = 10, 96
LARGEST_OUTPUT = 2_000_000  # points whose embedding is kept at a time


def _grid(n):
    return baselines.sea(max(2, round((n / 2) ** 0.5)), 2 * max(2, round((n / 2) ** 0.5)))


def _tasks(pca):
    """What grows: a title, and a function from a size to a function that does the work."""
    from workloads import SIZE, patch_features

    def transform(n):
        points = baselines.scattered(n)
        parts = [points[start : start + LARGEST_OUTPUT] for start in range(0, n, LARGEST_OUTPUT)]
        return lambda: [pca.transform(part).size for part in parts]

    def fit_points(n):
        points = baselines.scattered(n)
        return lambda: SphericalHarmonicPCA(DEGREE, COMPONENTS).fit(points)

    def fit_grid(n):
        grid = _grid(n)
        return lambda: SphericalHarmonicPCA(DEGREE, COMPONENTS).fit(grid)

    def patches(n):
        return patch_features(lambda: baselines.archive(max(1, n // SIZE**2)), pca)

    return {
        "transform, points": transform,
        "fit, points": fit_points,
        "fit, pixels of a grid": fit_grid,
        "patch features, pixels of scattered patches": patches,
    }


def growth(*, quick):
    """Median seconds at each size, and the exponent of a power of the size fitted to the last two decades."""
    import warnings

    sizes = [1_000, 10_000] if quick else [10_000, 100_000, 1_000_000, 10_000_000]
    curves = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pca = SphericalHarmonicPCA(DEGREE, COMPONENTS).fit(baselines.sea(180, 360))
        for title, task in _tasks(pca).items():
            seconds = []
            for size in sizes:
                work = task(size)
                seconds.append(statistics.median(_timed(work) for _ in range(1 if quick else 3)))
            last = slice(-3, None)
            exponent = float(np.polyfit(np.log(sizes[last]), np.log(seconds[last]), 1)[0])
            curves.append({"title": title, "sizes": sizes, "seconds": seconds, "exponent": exponent})
            print(f"growth: {title}: {seconds} s at {sizes}, exponent {exponent:.2f}", flush=True)
    return curves


def _timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
