"""How the time grows with the number of points and pixels."""

import statistics
import time

import baselines
import numpy as np

from skgeo import SphericalHarmonicPCA

DEGREE, COMPONENTS = 10, 96
LONGEST_FIT = 20.0  # seconds
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


def regions(*, quick):
    """Seconds of a fit of all components at each degree, for boxes around 45 degrees north of several sizes."""
    degrees = [16, 24] if quick else [16, 24, 32, 48, 64, 96, 128]
    curves = []
    for size in (10, 30, 60) if quick else (5, 10, 20, 30, 60):
        seconds = []
        for degree in degrees:
            grid = baselines.region((45 - size / 2, 45 + size / 2, 0, size))
            pca = SphericalHarmonicPCA(degree)
            seconds.append(
                statistics.median(_timed(lambda pca=pca, grid=grid: pca.fit(grid)) for _ in range(1 if quick else 3))
            )
            # The next degree would take minutes.
            if seconds[-1] > LONGEST_FIT:
                break
        share = float(np.sin(np.radians(45 + size / 2)) - np.sin(np.radians(45 - size / 2))) / 2.0 * size / 360.0
        curves.append({"size": size, "share": share, "degrees": degrees[: len(seconds)], "seconds": seconds})
        print(f"regions: {size} x {size} degrees, {share:.2%} of the sphere: {seconds} s at {degrees}", flush=True)
    return curves


def _timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
