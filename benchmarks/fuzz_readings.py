"""What skgeo reads from the objects of fuzz_conventions.py, fuzz_meshes.py and fuzz_tables.py, held to their truth.

A reading gives the true numbers, or one CoordinateError with a message, or warns with CoordinateWarning. Another number
without a word is a defect; so is a word about what files ordinarily hold.
"""

import warnings

import numpy as np
import xarray as xr
from fuzz_contract import Defect, limited, right
from fuzz_conventions import regular_grid
from fuzz_meshes import unstructured, vectors

import skgeo
import skgeo.xarray
from skgeo import encoders
from skgeo.exceptions import CoordinateError, CoordinateWarning, ResolutionWarning

#: Warnings that say something about the coordinates; scikit-learn's about names of features is one.
WORDS = (CoordinateWarning,)


class Doubted:
    """What a reading gives that was refused, or warned of."""


def reading(function, benign, *, words=WORDS):
    """The value of a reading that nothing was said about, or Doubted; raises Defect for a false alarm."""
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
        elif not issubclass(each.category, ResolutionWarning):
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


def _check_grid(grid, case):
    """Areas of the cells of a grid beside the true ones."""
    if not np.isfinite(case.tolerance):
        return
    areas = np.asarray(grid.cell_areas(1.0))
    areas = areas if grid.mask is None else areas * np.asarray(grid.mask)
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
    ways = (lambda: kind.from_xarray(case.obj, case.mask), lambda: case.obj.skgeo.grid(case.mask))
    return source.pick(ways)


def hold(case, source):
    """All readings of one object."""
    way = source.pick(("grid", "grid", "fit of grid", "fit", "transform", "merge"))
    source.tell("reading:", way)
    if way in ("grid", "fit of grid"):
        grid = reading(_read(case, source), case.benign)
        if grid is Doubted:
            return
        _check_grid(grid, case)
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
        values = reading(lambda: encoder.fit_transform(case.obj), case.benign)
        if values is not Doubted:
            _check_places(values, case)
    else:
        encoder = encoders.SphericalHarmonics(1, min_degree=1, missing="nan").fit([[0.0, 0.0], [10.0, 10.0]])
        merged = reading(lambda: _merged(case.obj, encoder), case.benign)
        if merged is not Doubted:
            right(merged.sizes["feature"] == 3, "no embedding")


def _merged(obj, encoder):
    embedding = obj.skgeo.transform(encoder)
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
