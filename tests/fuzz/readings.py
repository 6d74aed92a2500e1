"""What skgeo reads from the objects of conventions.py, models.py and tables.py, held to their truth.

A reading gives the true numbers, or one CoordinateError with a message, or warns with CoordinateWarning. Another number
without a word is a defect; so is a word about what files ordinarily hold.
"""

import warnings

import numpy as np
import xarray as xr
from contract import Defect, limited, right
from conventions import regular_grid
from meshes import vectors
from models import unstructured
from tables import any_table, frame, patch_radians, some_places
from topologies import topology

import skgeo
import skgeo.xarray
from skgeo import encoders, model_selection
from skgeo.exceptions import CoordinateError, CoordinateWarning, ResolutionWarning

EARTH_RADIUS = 6_371_008.8
#: Warnings that say something about the coordinates.
WORDS = (CoordinateWarning,)


class Doubted:
    """What a reading gives that was refused, or warned of."""


def reading(function, benign, *, words=WORDS, others=ResolutionWarning):
    """The value of a reading that nothing was said about, or Doubted; raises Defect for a false alarm.

    Warnings of the class ``others`` are none about the coordinates.
    """
    said = []
    try:
        with warnings.catch_warnings(record=True) as caught, limited():
            warnings.simplefilter("always")
            value = function()
    except Defect:
        raise
    except CoordinateError as error:
        right(len(str(error)) >= 20, f"no message: {error!r}")
        right(not benign, f"a false alarm, ordinary input is refused: {error}")
        return Doubted
    except ValueError as error:
        if "has no extent that max_degree" in str(error):  # a few kilometres, of which the degree is the trouble
            return Doubted
        raise Defect(f"ValueError instead of a CoordinateError: {error}") from error
    except Exception as error:
        raise Defect(f"{type(error).__name__} instead of a CoordinateError: {error}") from error
    for each in caught:
        if issubclass(each.category, words):
            said.append(str(each.message))
        elif not issubclass(each.category, others):
            raise Defect(f"{each.category.__name__}: {each.message}")
    right(not (said and benign), f"a false alarm, ordinary input is warned of: {said}")
    return Doubted if said else value


def _moments(case):
    """Mean of y, z, x and of z squared over the true domain."""
    present = np.isfinite(case.latitude) & (case.areas > 0)
    weight = case.areas[present]
    if case.means is not None:
        return weight @ case.means[present] / weight.sum()
    x, y, z = vectors(case.latitude[present], case.longitude[present]).T
    return np.array([y, z, x, z * z]) @ weight / weight.sum()


def _check_fit(model, case):
    """Shannon number and mean harmonics of a fitted model beside those of the true domain."""
    if not np.isfinite(case.tolerance):
        return
    share = case.areas.sum() / (4 * np.pi)
    found = model.shannon_number_ / 9.0
    right(
        abs(found / share - 1) <= case.tolerance, f"wrong in silence: Shannon number of {found:.6g} spheres, not", share
    )
    mean = model.mean_
    four = np.array([*mean[1:4] / np.sqrt(3 / (4 * np.pi)), (mean[6] / np.sqrt(5 / (16 * np.pi)) + 1) / 3])
    off = np.abs(four - _moments(case)).max()
    right(off <= 2 * case.tolerance + 1e-5, f"wrong in silence: the domain is elsewhere, by {off:.3g}")


def _inside(grid):
    """Areas of the cells of a grid inside its mask; chunked ones are computed, as they are checked no sooner."""
    areas = np.asarray(grid.cell_areas(1.0))
    return areas if grid.mask is None else areas * np.asarray(grid.mask)


def _check_areas(areas, case):
    """Areas of the cells of a grid beside the true ones."""
    if not np.isfinite(case.tolerance):
        return
    total, true = float(areas.sum()), float(case.areas.sum())
    right(abs(total / true - 1) <= case.tolerance, f"wrong in silence: area {total / true:.6g} of the truth")
    if case.per_cell and areas.shape == case.areas.shape:
        most = case.per_cell * case.areas + 1e-12 * case.areas.max()
        off = np.abs(areas - case.areas)
        bad = off > most
        worst = np.unravel_index(np.argmax(off), off.shape)
        right(
            not bad.any(), f"wrong in silence: {bad.sum()} cells have other areas, as", areas[worst], case.areas[worst]
        )


def _check_report(grid, areas):
    """What a grid says of itself beside its cells."""
    if not hasattr(grid, "check"):
        return
    report = grid.check()
    right(len(str(report)) > 20, "the report says nothing")
    total = report["domain_area"] / EARTH_RADIUS**2
    right(abs(total / areas.sum() - 1) < 1e-6, "the report gives another area", total, areas.sum())


def _check_patches(grid, case):
    """Boxes of patches beside the cells that they hold: none reaches across a gap."""
    if min(grid.shape) < 2 or not case.per_cell:
        return
    table, index = grid.patches((2, 2), return_index=True)
    south, north = np.sin(np.radians(table[:, :2])).T
    boxes = (north - south) * np.radians(table[:, 3] - table[:, 2])
    areas = grid.cell_areas(1.0)
    inside = [areas[np.ix_(row + np.arange(2), (column + np.arange(2)) % grid.shape[1])].sum() for row, column in index]
    right(np.allclose(boxes, inside, rtol=1e-6), "wrong in silence: a patch reaches across a gap", boxes / inside)


def _check_places(values, case):
    """An embedding by y, z, x beside the true centres."""
    at = np.isfinite(case.latitude.ravel())
    true = vectors(case.latitude.ravel()[at], case.longitude.ravel()[at])[:, [1, 2, 0]] * np.sqrt(3 / (4 * np.pi))
    values = np.asarray(values)
    right(values.shape == (at.size, 3), f"another shape, {values.shape}")
    off = np.abs(values[at] - true).max(initial=0)
    right(off <= 2e-2, f"wrong in silence: places are embedded elsewhere, by {off:.3g}")


def _read(case, source):
    """One of the ways to a grid."""
    kind = skgeo.CellGrid if case.cells else skgeo.LatLonGrid
    ways = [lambda: kind.from_xarray(case.obj, case.mask), lambda: case.obj.skgeo.grid(case.mask)]
    if case.arrays is not None and case.mask is None:
        ways.append(lambda: kind(**case.arrays))
    number = source.integer(0, len(ways) - 1)
    source.tell(("from_xarray", "accessor", "arrays")[number])
    return ways[number]


def hold(case, source):
    """All readings of one object."""
    way = source.pick(("grid", "grid", "fit of grid", "fit", "transform", "merge"))
    source.tell("reading:", way)
    if way in ("grid", "fit of grid"):
        read = _read(case, source)
        found = reading(lambda: (grid := read(), _inside(grid)), case.benign)
        if found is Doubted:
            return
        right(not case.doubt, "wrong in silence: nothing here could be right")
        grid, areas = found
        _check_areas(areas, case)
        _check_report(grid, areas)
        if isinstance(grid, skgeo.LatLonGrid):
            _check_patches(grid, case)
        if way == "fit of grid":
            model = reading(lambda: skgeo.SphericalHarmonicPCA(2).fit(grid), case.benign)
            if model is not Doubted:
                _check_fit(model, case)
    elif way == "fit":
        if case.mask is None and np.isfinite(case.tolerance):
            model = reading(lambda: skgeo.SphericalHarmonicPCA(2).fit(case.obj), case.benign)
            if model is not Doubted:
                _check_fit(model, case)
    elif not case.transforms:
        return
    elif way == "transform":
        encoder = encoders.SphericalHarmonics(1, min_degree=1, missing="nan")
        values = reading(lambda: np.asarray(encoder.fit_transform(case.obj)), case.benign)
        if values is not Doubted:
            _check_places(values, case)
    else:
        encoder = encoders.SphericalHarmonics(1, min_degree=1, missing="nan").fit([[0.0, 0.0], [10.0, 10.0]])
        merged = reading(lambda: _merged(case.obj, encoder), case.benign)
        if merged is not Doubted:
            right(merged.sizes["feature"] == 3, "no embedding")


def _merged(obj, encoder):
    embedding = obj.skgeo.transform(encoder)
    obj = obj if hasattr(obj, "data_vars") else obj.rename("t")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of xarray, about what it will do with equal coordinates
            return xr.merge([obj, embedding], join="exact")
    except (ValueError, xr.MergeError) as error:
        raise Defect(f"the embedding cannot be merged to its object: {error}") from error


def grid_conventions(source):
    """Regular grids as files hold them."""
    hold(regular_grid(source), source)


def cell_conventions(source):
    """Cells of curvilinear and unstructured grids as files hold them."""
    hold(unstructured(source), source)


def mesh_conventions(source):
    """Meshes by their nodes and connectivity, as files hold them."""
    hold(topology(source), source)


# --- tables


def _splits(given, X, source):
    """A function of a table to its folds, by one of the splitters."""
    names = {"coordinates": given.names} if given.names else {}
    kind = source.pick(("blocks", "buffer", "nearest", "leave one out"))
    source.tell("splitter:", kind)
    makers = {
        "blocks": lambda: model_selection.SphericalBlockKFold(3, shuffle=True, random_state=0, **names),
        "buffer": lambda: model_selection.BufferedKFold(3, radius_km=1.0, shuffle=True, random_state=0, **names),
        "leave one out": lambda: model_selection.LeaveOneBlockOut(n_blocks=4, random_state=0, **names),
        "nearest": lambda: model_selection.NearestNeighbourDistanceKFold(X, n_splits=2, random_state=0, **names),
    }
    return lambda: [test.tolist() for _, test in makers[kind]().split(X)]


def _same(found, expected, what):
    right(found == expected, f"wrong in silence: {what} of a table are other ones than of its places in degrees")


def _embedding(given):
    names = {"coordinates": given.names} if given.names else {}
    return encoders.SphericalHarmonics(1, min_degree=1, **names).fit_transform(given.X)


def _true_embedding(plain):
    return vectors(*plain.T)[:, [1, 2, 0]] * np.sqrt(3 / (4 * np.pi))


def _then_an_array(source):
    """A model fitted on a frame is given that frame's values as an array, as ensembles and explainers do."""
    plain, _ = some_places(source)
    given = frame(source, plain)
    other = source.pick(("encoder", "basis", "partial_fit"))
    source.tell("then an array:", other)
    columns = list(given.X.columns)
    array = given.plain if "lat" in columns[0].lower() else given.plain[:, ::-1]
    if other == "encoder":
        model = encoders.SphericalHarmonics(1, min_degree=1)
        fitted = reading(lambda: model.fit(given.X), given.benign)
    else:
        model = skgeo.SphericalHarmonicPCA(2, clip=None)
        fitted = reading(lambda: model.fit(given.X), given.benign)
    if fitted is Doubted:
        return
    if other == "partial_fit":
        again = reading(lambda: model.partial_fit(array), False, words=(), others=UserWarning)
        if again is not Doubted:
            expected = skgeo.SphericalHarmonicPCA(2).fit(np.vstack([given.plain, given.plain])).mean_
            right(np.allclose(again.mean_, expected, atol=1e-6), "wrong in silence: partial_fit of other places")
        return
    values = reading(lambda: model.transform(array), False, words=(), others=UserWarning)
    if values is not Doubted:
        expected = _true_embedding(given.plain) if other == "encoder" else model.transform(given.X)
        right(np.allclose(values, expected, atol=1e-5), "wrong in silence: the array is read in another order")


def _patches(source):
    table, plain = patch_radians(source)
    model = skgeo.PatchScaleFeaturizer(log=False)
    values = reading(lambda: model.fit_transform(table), False)
    if values is not Doubted:
        expected = model.fit_transform(plain)
        right(np.allclose(values, expected, rtol=1e-3), "wrong in silence: a patch table in radians", values[0, :3])


def table_conventions(source):
    """Tables of places as people hold them."""
    source = source.details()
    way = source.pick(("encoder", "encoder", "basis", "folds", "folds", "degree", "array", "array", "patches"))
    source.tell("reading:", way)
    if way == "array":
        _then_an_array(source)
        return
    if way == "patches":
        _patches(source)
        return
    given = any_table(source, more=way in ("folds", "degree"))
    names = {"coordinates": given.names} if given.names else {}
    if way == "encoder":
        values = reading(lambda: _embedding(given), given.benign)
        if values is not Doubted:
            off = np.abs(values - _true_embedding(given.plain)).max()
            right(off < 1e-5, f"wrong in silence: places are embedded elsewhere, by {off:.3g}")
    elif way == "basis":
        model = reading(lambda: skgeo.SphericalHarmonicPCA(2, **names).fit(given.X), given.benign)
        if model is not Doubted:
            expected = skgeo.SphericalHarmonicPCA(2).fit(given.plain).mean_
            right(np.allclose(model.mean_, expected, atol=1e-5), "wrong in silence: a basis of other places")
    elif way == "folds":
        before = source.rng().bit_generator.state
        found = reading(_splits(given, given.X, source), given.benign)
        if found is not Doubted:
            source.rng().bit_generator.state = before
            _same(found, _splits(given._replace(names=None), given.plain, source)(), "folds")
    else:
        found = reading(lambda: model_selection.suggest_max_degree(given.X, **names), given.benign)
        if found is not Doubted:
            _same(found.max_degree, model_selection.suggest_max_degree(given.plain).max_degree, "degrees")
