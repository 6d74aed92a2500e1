"""What is measured: each workload with its contenders.

A contender prepares when it is called (not timed) and returns the function that does the work (timed). The first one is
skgeo. ``sample`` turns the result of a contender into numbers that are compared with those of ``exact``, worked out in
double precision by other means.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import baselines
import numpy as np
from sklearn.frozen import FrozenEstimator

from skgeo import PatchPositionEncoder, PatchScaleFeaturizer, SphericalHarmonicPCA

SIZE = 16  # pixels along a side of a patch
N_SAMPLE = 1000
N_FEW = 100  # where the exact result takes long
REGIONS = {"30 x 50 degrees": (30.0, 60.0, -10.0, 40.0), "5 x 10 degrees": (45.0, 50.0, 5.0, 15.0)}


@dataclass(frozen=True)
class Workload:
    """One block of the table: a title, the contenders, and how the results of skgeo are judged."""

    title: str
    contenders: dict[str, Callable[[], Callable[[], Any]]]
    sample: Callable[[Any], Any] | None = None
    exact: Callable[[], Any] | None = None
    bound: float = 1e-5  # largest error of skgeo, relative to the largest number
    slow: tuple[str, ...] = ()  # contenders that run once

    @property
    def first(self) -> str:
        """Skgeo."""
        return next(iter(self.contenders))


def basis(max_degree: int, n_components: int, n_jobs: int | None) -> SphericalHarmonicPCA:
    """A basis of the sea."""
    return SphericalHarmonicPCA(max_degree, n_components, n_jobs=n_jobs).fit(baselines.sea(180, 360))


def fit_grid(n_lat: int, n_lon: int, degree: int, k: int, *, slow: tuple[str, ...] = (), **kind: bool) -> Workload:
    """Fit on a grid, against the ways that hold all harmonics of all pixels."""

    def grid() -> Any:
        return baselines.sea(n_lat, n_lon, **kind)

    def skgeo() -> Callable[[], Any]:
        data, pca = grid(), SphericalHarmonicPCA(degree, k)
        return lambda: pca.fit(data).explained_variance_

    def straightforward() -> Callable[[], Any]:
        data = baselines.sea(n_lat // 2, n_lon // 2, **kind) if huge else grid()
        model = baselines.Straightforward(degree, k)
        return lambda: model.fit(data)

    def scikit_learn() -> Callable[[], Any]:
        data = grid()
        return lambda: baselines.sklearn_fit(data, degree, k)

    contenders = {"skgeo": skgeo}
    huge = n_lat * n_lon > 4_000_000  # then it takes some 25 GB
    if degree <= 10:  # beyond, they take more still
        name = "straightforward, a quarter of the pixels" if huge else "straightforward"
        contenders |= {name: straightforward, "scikit-learn": scikit_learn}
    contenders["limit: eigenproblem"] = lambda: baselines.eigenproblem_alone((degree + 1) ** 2)
    name = "globe" if kind.get("masked") is False else "sea"
    title = f"fit, {name}, {n_lat} x {n_lon}, L={degree}, k={k}"
    return Workload(title, contenders, np.asarray, lambda: baselines.exact_variances(grid(), degree, k), slow=slow)


def fit_points(n: int, degree: int, n_jobs: int | None, k: int = 8) -> Workload:
    """Fit on scattered points, against the cost of their harmonics alone."""

    def skgeo() -> Callable[[], Any]:
        points, pca = baselines.scattered(n), SphericalHarmonicPCA(degree, k)

        def fit() -> SphericalHarmonicPCA:
            return pca.fit(points)

        return fit

    def harmonics() -> Callable[[], Any]:
        from skgeo._kernels.evaluate import PointMap

        points = baselines.scattered(n)
        evaluate = PointMap(np.zeros((1, (degree + 1) ** 2)), None, np.float32)

        def run() -> None:
            latitude, longitude = np.ascontiguousarray(points.astype(np.float64).T)
            for start in range(0, n, evaluate.block):
                block = slice(start, start + evaluate.block)
                evaluate.harmonics(latitude[block], longitude[block])

        return run

    few = baselines.scattered(3 * (degree + 1) ** 2)
    return Workload(
        f"fit, {n:.0e} points, L={degree}",
        {"skgeo": skgeo, "limit: harmonics of transform": harmonics},
        lambda pca: pca.fit(few).explained_variance_,
        lambda: baselines.exact_point_variances(few, degree, k),
    )


def fit_few(degree: int, k: int) -> Workload:
    """A few components of a large eigenproblem."""

    def skgeo(n_components: int | None) -> Callable[[], Callable[[], Any]]:
        def prepare() -> Callable[[], Any]:
            data = baselines.sea(90, 180)
            pca = SphericalHarmonicPCA(degree, n_components)
            return lambda: pca.fit(data)

        return prepare

    contenders = {"skgeo": skgeo(k)}
    if degree <= 60:  # beyond, all take a quarter of an hour
        contenders["skgeo, all components"] = skgeo(None)
    slow = tuple(contenders) if degree > 60 else ("skgeo, all components",)
    return Workload(f"fit, sea, 90 x 180, L={degree}, k={k}", contenders, slow=slow)


def fit_region(name: str, degree: int) -> Workload:
    """All components of a region, against the eigenproblem of its covariance."""

    def skgeo() -> Callable[[], Any]:
        data, pca = baselines.region(REGIONS[name]), SphericalHarmonicPCA(degree)
        return lambda: pca.fit(data).explained_variance_

    def covariance() -> Callable[[], Any]:
        from skgeo._kernels import domain_basis

        domain_basis._MIN_HARMONICS = 10**9  # in the process of this contender only
        return skgeo()

    contenders = {"skgeo": skgeo}
    if degree <= 60:  # beyond, minutes and gigabytes
        contenders |= {
            "covariance": covariance,
            "limit: eigenproblem": lambda: baselines.eigenproblem_alone((degree + 1) ** 2),
        }
    exact = None
    if degree <= 40:
        exact = partial(baselines.exact_variances, baselines.region(REGIONS[name]), degree, 10)
    slow = ("skgeo",) if degree > 100 else ("covariance", "limit: eigenproblem")
    return Workload(f"fit, {name}, L={degree}", contenders, lambda variances: variances[:10], exact, slow=slow)


def transform_region(n: int, name: str, degree: int, k: int, n_jobs: int | None) -> Workload:
    """Points of a region, against the sum over all harmonics at each point."""

    def fitted() -> SphericalHarmonicPCA:
        return SphericalHarmonicPCA(degree, k, n_jobs=n_jobs).fit(baselines.region(REGIONS[name]))

    def skgeo() -> Callable[[], Any]:
        points, pca = baselines.scattered_in(REGIONS[name], n), fitted()
        return lambda: pca.transform(points)

    def each_point() -> Callable[[], Any]:
        from skgeo._kernels import local_table

        local_table._MIN_HARMONICS = 10**9  # in the process of this contender only
        points, pca = baselines.scattered_in(REGIONS[name], n // 10), fitted()
        return lambda: pca.transform(points)

    return Workload(
        f"transform, {n:.0e} points, {name}, L={degree}, k={k}, float32",
        {"skgeo": skgeo, "a tenth of the points, each by itself": each_point},
        lambda embedding: embedding[:N_FEW],
        lambda: baselines.exact_transform(baselines.scattered_in(REGIONS[name], n // 10)[:N_FEW], fitted()),
        slow=("a tenth of the points, each by itself",),
    )


def transform_grid(n_lat: int, n_lon: int, degree: int, k: int, n_jobs: int | None) -> Workload:
    """Embed the cells of a grid in float32, against the product of rows and columns alone."""

    def skgeo() -> Callable[[], Any]:
        grid, pca = baselines.sea(n_lat, n_lon, dtype=np.float32), basis(degree, k, n_jobs)
        return lambda: pca.transform(grid)

    def straightforward() -> Callable[[], Any]:
        points, model = baselines.sea(n_lat, n_lon).points(), baselines.Straightforward.of(basis(degree, k, 1))
        return lambda: model.transform(points)

    def limit() -> Callable[[], Any]:
        return baselines.product_alone(n_lon, 2 * degree + 1, k, n_lat, clipped=True)

    places = np.linspace(0, n_lat * n_lon - 1, N_SAMPLE).astype(int)
    return Workload(
        f"transform, grid {n_lat} x {n_lon}, L={degree}, k={k}, float32",
        {"skgeo": skgeo, "straightforward": straightforward, "limit: product and tanh": limit},
        lambda embedding: embedding[places],
        lambda: baselines.exact_transform(baselines.sea(n_lat, n_lon).points()[places], basis(degree, k, 1)),
    )


def transform_points(n: int, degree: int, k: int, n_jobs: int | None) -> Workload:
    """Embed scattered points in float32, against sphericart and the product alone."""

    def skgeo() -> Callable[[], Any]:
        points, pca = baselines.scattered(n), basis(degree, k, n_jobs)
        return lambda: pca.transform(points)

    def straightforward() -> Callable[[], Any]:
        points = baselines.scattered(n if degree <= 10 else n // 10)
        model = baselines.Straightforward.of(basis(degree, k, 1))
        return lambda: model.transform(points)

    def sphericart() -> Callable[[], Any]:
        points, pca = baselines.scattered(n), basis(degree, k, 1)
        return lambda: baselines.sphericart_transform(points, pca)

    def limit() -> Callable[[], Any]:
        block = 2048 if degree <= 10 else 512
        return baselines.product_alone(block, (degree + 1) ** 2, k, n // block, clipped=False)

    places = np.linspace(0, n // 10 - 1, N_SAMPLE).astype(int)
    plain = "straightforward" if degree <= 10 else "straightforward, a tenth of the points"
    contenders = {"skgeo": skgeo, "sphericart": sphericart, plain: straightforward, "limit: product": limit}
    return Workload(
        f"transform, {n:.0e} points, L={degree}, k={k}, float32",
        contenders,
        lambda embedding: embedding[places],
        lambda: baselines.exact_transform(baselines.scattered(n // 10)[places], basis(degree, k, 1)),
        slow=() if degree <= 10 else (plain,),
    )


def patch_features(table: Callable[[], Any], pca: SphericalHarmonicPCA) -> Callable[[], Any]:
    """Position and scale features of a patch table."""
    patches = table()
    position = PatchPositionEncoder(FrozenEstimator(pca)).fit(patches[:1])
    scale = PatchScaleFeaturizer().fit(patches[:1])
    return lambda: np.hstack([position.transform(patches), scale.transform(patches)])


def patches_of_grid(n_lat: int, n_lon: int, degree: int, k: int, n_jobs: int | None) -> Workload:
    """Features of all patches of a grid, against embedding all pixels first."""

    def skgeo(dtype: type) -> Callable[[], Callable[[], Any]]:
        def table() -> Any:
            return baselines.sea(n_lat, n_lon).patches(SIZE).astype(dtype)

        return lambda: patch_features(table, basis(degree, k, n_jobs))

    def straightforward() -> Callable[[], Any]:
        grid, model = baselines.sea(n_lat, n_lon), baselines.Straightforward.of(basis(degree, k, 1))
        return lambda: model.patches(grid, SIZE)

    n_sample = n_lon // SIZE
    return Workload(
        f"patch features, {SIZE} x {SIZE} of a grid {n_lat} x {n_lon}, L={degree}, k={k}",
        {"skgeo": skgeo(np.float64), "skgeo, float32": skgeo(np.float32), "straightforward": straightforward},
        lambda features: features[:n_sample, :k],
        lambda: baselines.exact_patches(baselines.sea(n_lat, n_lon), basis(degree, k, 1), SIZE, n_sample),
    )


def patches_of_archive(n: int, degree: int, k: int, n_jobs: int | None) -> Workload:
    """Features of scattered patches, against the patches of a grid with as many pixels."""

    def skgeo() -> Callable[[], Any]:
        return patch_features(lambda: baselines.archive(n), basis(degree, k, n_jobs))

    def of_grid() -> Callable[[], Any]:
        side = SIZE * max(1, round((n / 2) ** 0.5))
        return patch_features(
            lambda: baselines.sea(side, 2 * side).patches(SIZE).astype(np.float32), basis(degree, k, n_jobs)
        )

    return Workload(
        f"patch features, {n:.0e} scattered patches of {SIZE} x {SIZE}, L={degree}, k={k}",
        {"skgeo": skgeo, "limit: as many of a grid": of_grid},
    )


def workloads(n_jobs: int | None, *, quick: bool) -> list[Workload]:
    """All of them; the quick ones are small, to see that they are right."""
    if quick:
        return [
            fit_grid(90, 180, 10, 96),
            fit_grid(90, 180, 10, 96, masked=False),
            fit_points(5_000, 10, n_jobs),
            fit_few(20, 20),
            fit_region("30 x 50 degrees", 24),
            transform_region(2_000, "5 x 10 degrees", 40, 21, n_jobs),
            transform_grid(36, 72, 10, 96, n_jobs),
            transform_points(3_000, 10, 96, n_jobs),
            patches_of_grid(48, 96, 10, 96, n_jobs),
            patches_of_archive(50, 10, 96, n_jobs),
        ]
    return [
        fit_grid(720, 1440, 10, 96),
        fit_grid(1801, 3600, 10, 96, poles=True, slow=("straightforward, a quarter of the pixels", "scikit-learn")),
        fit_grid(1801, 3600, 40, 256, poles=True),
        fit_grid(720, 1440, 10, 96, masked=False, slow=("straightforward", "scikit-learn")),
        fit_grid(720, 1440, 40, 256, masked=False),
        fit_few(40, 64),
        fit_few(60, 64),
        fit_few(100, 64),
        fit_region("30 x 50 degrees", 40),
        fit_region("30 x 50 degrees", 60),
        fit_region("30 x 50 degrees", 100),
        fit_region("30 x 50 degrees", 200),
        fit_region("5 x 10 degrees", 400),
        fit_points(1_000_000, 10, n_jobs),
        fit_points(1_000_000, 40, n_jobs),
        transform_grid(720, 1440, 10, 96, n_jobs),
        transform_points(1_000_000, 10, 96, n_jobs),
        transform_points(200_000, 40, 256, n_jobs),
        transform_region(100_000, "30 x 50 degrees", 100, 300, n_jobs),
        transform_region(100_000, "5 x 10 degrees", 200, 60, n_jobs),
        patches_of_grid(720, 1440, 10, 96, n_jobs),
        patches_of_archive(500_000, 10, 96, n_jobs),
    ]
