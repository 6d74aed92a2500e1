"""The report on a grid: a few numbers about its cells, as text and as data."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from skgeo._kernels.axis_gaps import contiguous_blocks
from skgeo._kernels.sphere import EARTH_RADIUS
from skgeo._validation import import_optional

if TYPE_CHECKING:
    import pandas as pd

#: The parts of a grid whose sources are reported, in the order of the report.
SOURCES = ("convention", "coordinates", "bounds", "areas", "mask")

# Degrees. A smaller overlap of two cells is rounding.
_ROUNDING = 1e-9


class Check(NamedTuple):
    """One line of a report: a quantity, its value and unit, whether the value points at an error, and a remark."""

    name: str
    value: bool | int | float | str
    unit: str = ""
    problem: bool = False
    note: str = ""


@dataclass(frozen=True, repr=False)
class GridReport(Mapping[str, Any]):
    """The result of ``grid.check()``: a mapping from names of checks to values, printed as a small table.

    Parameters
    ----------
    grid : str
        The grid in one line.
    checks : tuple
        The lines of the report. Each has a ``name``, ``value``, ``unit``, ``problem`` (whether the value points at an
        error in the data) and a ``note``.

    See Also
    --------
    skgeo.LatLonGrid.check : Makes the report of a regular grid.
    skgeo.CellGrid.check : Makes the report of cells anywhere.

    Notes
    -----
    The checks, in their order:

    * ``total_area``, ``domain_area``: all cells, and the part of them inside the mask, in square metres.
    * ``cells_without_area``, ``corners_out_of_order``, ``overlapping_cells``, ``coincident_cells``, ``missing_cells``:
      numbers of cells; the note has the index of the first one.
    * ``latitude_gaps``, ``longitude_gaps``: numbers of gaps in the axes of a regular grid.
    * ``closed``: whether the columns close the circle.
    * ``convention``: the convention of the file, for cells from xarray objects.
    * ``coordinates``, ``bounds``, ``areas``, ``mask``: their sources, and the reason for each.

    A check that does not apply to a kind of grid is absent.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeo import LatLonGrid
    >>> report = LatLonGrid(np.arange(-89.5, 90), np.arange(0.5, 300)).check()
    >>> report.ok, report["closed"], report["latitude_gaps"]
    (True, False, 0)
    >>> print(f"{report['total_area']:.4g} square metres")
    4.251e+14 square metres
    """

    grid: str
    checks: tuple[Check, ...]

    @property
    def problems(self) -> tuple[Check, ...]:
        """The checks that point at an error in the data."""
        return tuple(check for check in self.checks if check.problem)

    @property
    def ok(self) -> bool:
        """Whether no check points at an error."""
        return not self.problems

    def __getitem__(self, name: str) -> Any:
        """Value of the check of that name."""
        for check in self.checks:
            if check.name == name:
                return check.value
        raise KeyError(f"{name!r}: the checks are {', '.join(self)}")

    def __iter__(self) -> Iterator[str]:
        """Names of the checks."""
        return (check.name for check in self.checks)

    def __len__(self) -> int:
        """Number of the checks."""
        return len(self.checks)

    def __repr__(self) -> str:
        """The report as a small table; an exclamation mark is before each value that points at an error."""
        width = max(map(len, self), default=0)
        return "\n".join([self.grid, *(_line(check, width) for check in self.checks)])

    def as_frame(self) -> "pd.DataFrame":
        """The report as a pandas DataFrame.

        Returns
        -------
        DataFrame of shape (n_checks, 4)
            Columns value, unit, problem and note, indexed by the names of the checks.

        Raises
        ------
        ImportError
            Without pandas.

        Examples
        --------
        >>> from skgeo import LatLonGrid
        >>> LatLonGrid([-45, 45], [0, 180]).check().as_frame().loc["closed", "value"]
        True
        """
        pandas = import_optional("pandas", "as_frame", "pandas")
        frame = pandas.DataFrame([check[1:] for check in self.checks], columns=list(Check._fields[1:]), dtype=object)
        frame.index = pandas.Index(list(self), name="check")
        return frame.astype({"problem": bool})


def area_checks(total: float, domain: float, *, tolerance: float = 1e-9) -> list[Check]:
    """The lines on the areas of all cells and of the domain, which are given in steradians.

    A total area beyond the sphere by more than the share ``tolerance`` is a problem.
    """
    share, part = total / (4.0 * math.pi), domain / total if total > 0.0 else 0.0
    more = share > 1.0 + tolerance
    return [
        Check("total_area", total * EARTH_RADIUS**2, "m2", more, f"{share:.6%} of the sphere"),
        Check("domain_area", domain * EARTH_RADIUS**2, "m2", domain <= 0.0, f"{part:.6%} of the cells"),
    ]


def count_check(name: str, flags: npt.NDArray[np.bool_], *, problem: bool = True, note: str = "") -> Check:
    """The number of flagged cells and the index of the first one; a problem if not zero, unless ``problem=False``."""
    count = int(np.count_nonzero(flags))
    first = np.unravel_index(int(flags.argmax()), flags.shape) if count else ()
    return _count(name, count, tuple(map(int, first)), problem, note)


def _axes_check(name: str, rows: npt.NDArray[np.bool_], columns: npt.NDArray[np.bool_]) -> Check:
    """The line of the cells that lie in a flagged row or in a flagged column. No array has the shape of the grid."""
    n_rows, n_columns = int(np.count_nonzero(rows)), int(np.count_nonzero(columns))
    count = n_rows * columns.size + n_columns * rows.size - n_rows * n_columns
    # Row 0 has the first cell if the row or any column is flagged.
    first = (0, 0) if rows[0] else (0, int(columns.argmax())) if n_columns else (int(rows.argmax()), 0)
    return _count(name, count, first, problem=True)


def _count(name: str, count: int, first: tuple[int, ...], problem: bool, note: str = "") -> Check:
    """The line of a number of cells with the index of the first one."""
    if count:
        note = f"first at ({', '.join(map(str, first))})" + (f"; {note}" if note else "")
    return Check(name, count, "cells", problem and count > 0, note if count else "")


def source_checks(sources: Mapping[str, str]) -> list[Check]:
    """The lines on the sources of coordinates, bounds, areas and mask, where these are known."""
    return [Check(name, sources[name]) for name in SOURCES if name in sources]


def lat_lon_checks(grid: Any) -> list[Check]:
    """The lines of the report on a LatLonGrid."""
    rows, columns = grid.latitude_edges, grid.longitude_edges
    heights, widths = grid._heights_and_widths()
    # LatLonGrid has put the two edges of each cell in ascending order: a width of zero or less is an error.
    turned = np.diff(rows, axis=1)[:, 0] <= 0.0, np.diff(columns, axis=1)[:, 0] <= 0.0
    # Columns may repeat a meridian a turn apart, as 0 and 360 do.
    same = np.isin(grid.longitude % 360.0, _repeated(grid.longitude % 360.0))
    left = 360.0 - float(widths.sum()) * 180.0 / np.pi
    return [
        *area_checks(float(heights.sum() * widths.sum()), grid.domain_area(radius=1.0)),
        _axes_check("cells_without_area", heights <= 0.0, widths <= 0.0),
        _axes_check("corners_out_of_order", *turned),
        _axes_check("overlapping_cells", _overlap(rows), _overlap(columns % 360.0, turn=360.0)),
        _axes_check("coincident_cells", np.zeros(rows.shape[0], dtype=bool), same),
        *(_gap_check(name, axis) for name, axis in (("latitude", rows), ("longitude", columns))),
        Check("closed", grid.closed, note="" if grid.closed else f"{left:g} degrees of longitude are in no column"),
        *source_checks(grid._sources),
    ]


def _gap_check(name: str, edges: npt.NDArray[np.float64]) -> Check:
    """The number of gaps of an axis, and the edges of the first gap."""
    # Every block of adjoining cells after the first one begins at a gap.
    starts = [start for start, _ in contiguous_blocks(edges)[1:]]
    note = ""
    if starts:
        # The axis may descend: the gap is between the nearer edges of its two cells.
        before, after = edges[starts[0] - 1], edges[starts[0]]
        low, high = (before[1], after[0]) if before[0] < after[0] else (after[1], before[0])
        note = f"the first between {low:g} and {high:g}, position {starts[0] - 1} and {starts[0]}"
    return Check(f"{name}_gaps", len(starts), note=note)


def _overlap(edges: npt.NDArray[np.float64], turn: float | None = None) -> npt.NDArray[np.bool_]:
    """Whether each cell of an axis begins before the cell below it ends; with ``turn``, also across the seam."""
    order = np.argsort(edges[:, 0])
    low, high = edges[order].T
    if turn is not None:
        high = low + (high - low) % turn
    # On a circle, the cell before the first one is the last one, a turn lower. On a line there is none.
    before = np.concatenate([[high[-1] - turn if turn is not None else -np.inf], high[:-1]])
    flags = np.zeros(len(edges), dtype=bool)
    flags[order] = before > low + _ROUNDING
    return flags


def _repeated(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The values that occur more than once."""
    distinct, count = np.unique(values, return_counts=True)
    return distinct[count > 1]


def _line(check: Check, width: int) -> str:
    """A check as a line of the table, with the name in ``width`` characters."""
    value = f"{check.value:.7g}" if isinstance(check.value, float) else str(check.value)
    unit = f" {check.unit}" if check.unit else ""
    note = f"  ({check.note})" if check.note else ""
    return f"{'!' if check.problem else ' '} {check.name:<{width}}  {value}{unit}{note}"
