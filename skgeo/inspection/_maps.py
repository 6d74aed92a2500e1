"""Maps, colours and figures for all displays."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import numpy.typing as npt

from skgeo._cells import CellGrid
from skgeo._typing import FloatArray
from skgeo._validation import check_flag, check_parameter, import_optional, is_real
from skgeo.inspection._arguments import Grid
from skgeo.inspection._cell_raster import CellRaster, cell_raster, has_raster
from skgeo.inspection._map_shapes import (
    any_of_four,
    cell_corners,
    coast_lines,
    grid_meshes,
    project_lines,
    project_rings,
)
from skgeo.inspection._projections import (
    PROJECTIONS,
    EqualEarth,
    Extent,
    GivenProjection,
    Orthographic,
    Projection,
    choose_projection,
    degree_label,
    on_turn_of,
    plate_carree,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Width of a figure in inches: a page of 700 pixels at 100 pixels per inch.
WIDTH = 7.0
SIGNED, UNSIGNED = "RdBu_r", "viridis"
#: Okabe & Ito (2008), Color Universal Design; without yellow, which is hard to see on white.
CATEGORIES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")
#: Greys of cells outside of the mask, of coasts and frames, and of the graticule.
MASKED, LINE, FAINT = "0.86", "0.25", "0.35"
# Width and height that a label such as 120°W needs.
_LABEL_INCHES = 0.55, 0.3
# Distance of meridians on a map of the world below which their labels touch.
_MERIDIAN_INCHES = 0.42
# Widths of lines in points; on small maps without labels, times the factor.
_COAST_POINTS, _RIM_POINTS, _GRATICULE_POINTS, _SMALL_MAP_FACTOR = 0.5, 0.7, 0.3, 0.7
# Meridians farther than this from the middle of a world map have no label at the pole line: the line ends there.
_MAX_LABELLED_DEGREES = 150.0
# Regions near a pole are drawn as if the cosine of their latitude were at least this.
_MIN_COSINE = 0.05


def plotting(*part: str) -> Any:
    """Import matplotlib or a part of it; an ImportError says which extra to install."""
    return import_optional(".".join(["matplotlib", *part]), "skgeo.inspection", "plot")


def new_figure(height: float, width: float = WIDTH, **subplots: Any) -> tuple["Figure", Any]:
    """A figure whose layout keeps labels from overlapping, and its axes."""
    figure, axes = plotting("pyplot").subplots(figsize=(width, height), layout="constrained", **subplots)
    return figure, axes


def is_geographic(ax: Any) -> bool:
    """Whether axes are those of cartopy, which have a projection of their own."""
    return hasattr(ax, "projection") and hasattr(ax, "set_extent")


class Map:
    """A part of the Earth on axes. Axes of cartopy keep their projection; other axes get a projection of skgeo."""

    def __init__(
        self,
        ax: "Axes",
        extent: Extent,
        *,
        projection: str = "auto",
        center: tuple[float, float] | None = None,
        coastlines: bool = True,
        labels: bool = True,
    ) -> None:
        check_flag("coastlines", coastlines)
        self.ax: Any = ax
        self._raster: tuple[CellGrid, CellRaster] | None = None
        own = _projection(projection, center, extent)  # checks the arguments for axes of cartopy, too
        self.projection = GivenProjection(ax.projection) if is_geographic(ax) else own  # type: ignore[attr-defined]
        # The artist that everything on the map is clipped to; None if the frame of the axes clips.
        self.rim: Any = None
        if is_geographic(ax):
            self._frame_geographic(extent)
        else:
            self._frame(extent, labels=labels)
        if coastlines:
            self._draw_lines(coast_lines(), LINE, _COAST_POINTS * (1.0 if labels else _SMALL_MAP_FACTOR), zorder=2.6)

    def cells(self, grid: Grid, values: npt.NDArray[Any], **style: Any) -> Any:
        """Draw values (of the grid's shape) as cells. Returns the artist for a colour bar.

        Values with a last axis of three are colours themselves. Cells with missing values are grey; cells that the mask
        leaves out in part are grey in part.
        """
        masked, coloured = masked_share(grid), values.ndim > len(grid.shape)
        if masked is not None:
            hidden = masked == 1.0
            values = np.where(hidden[..., np.newaxis] if coloured else hidden, np.nan, values)
        if coloured:
            values = np.where(np.isfinite(values), values, float(MASKED))
        # Few cells in one dimension are drawn as dots.
        if isinstance(grid, CellGrid) and len(grid.shape) == 1 and not has_raster(grid):
            dots = {"s": 8.0, "linewidths": 0.0, "plotnonfinite": True, **style}
            return self.points(grid.latitude, grid.longitude, values, **dots)
        style = {"rasterized": True, "zorder": 1.0, **style}
        parts = [self._add(self._mesh(*mesh, style)) for mesh in self._meshes(grid, values)]
        if masked is not None and np.any((masked > 0.0) & (masked < 1.0)):
            self._shade(grid, np.where(masked < 1.0, masked, 0.0))
        return parts[0]

    def _mesh(self, x: FloatArray, y: FloatArray, values: Any, shown: npt.NDArray[np.bool_], style: Any) -> Any:
        """Draw one mesh of cells. Cells that are not ``shown`` are not on the map: they are not even grey."""
        values = values if values.ndim == 3 else np.ma.masked_invalid(values)
        corners = np.stack([x, y], axis=-1)
        if not shown.all():
            # matplotlib draws no cell with a corner that is not finite. Corners of shown cells stay.
            corners[~any_of_four(np.pad(shown, 1))] = np.nan
            # A cell that is not shown may share all its corners with shown ones: it becomes transparent.
            opacity = np.where(shown, 1.0, 0.0)
            if values.ndim == 3:
                opacity = opacity * (values[..., 3] if values.shape[-1] == 4 else 1.0)
                values = np.dstack([values[..., :3], opacity])
            elif self.projection.seam:
                style = {**style, "alpha": opacity}
        collections = plotting("collections")
        # QuadMesh itself has no limits of colours: only pcolormesh does.
        style = dict(style)
        limits = style.pop("vmin", None), style.pop("vmax", None)
        mesh = collections.QuadMesh(corners, antialiased=False, array=values, **style)
        mesh.set_clim(*limits)
        return self.ax.add_collection(mesh, autolim=False)

    def _shade(self, grid: Grid, share: FloatArray) -> None:
        """Cover cells with grey. The opacity is the share (of the grid's shape) of each cell outside of the mask."""
        colours = np.empty((*share.shape, 4))
        colours[..., :3], colours[..., 3] = float(MASKED), share
        for x, y, part, shown in self._meshes(grid, colours):
            self._add(self._mesh(x, y, part, shown & (part[..., 3] > 0.0), {"rasterized": True, "zorder": 1.2}))

    def points(self, latitude: npt.ArrayLike, longitude: npt.ArrayLike, values: Any = None, **style: Any) -> Any:
        """Draw places as dots, except those on the far side of the globe."""
        latitude, relative = np.asarray(latitude, dtype=np.float64), self.projection.relative(longitude)
        seen = self.projection.visible(latitude, relative) & np.isfinite(latitude)
        x, y = self.projection.forward(latitude[seen], relative[seen])
        if values is not None:
            style["c"] = np.asarray(values)[seen]
        return self._add(self.ax.scatter(x, y, **{"zorder": 3.0, **style}))

    def outlines(self, rings: Sequence[FloatArray], values: FloatArray | None, **style: Any) -> Any:
        """Draw polygons, filled by one value each, except those on the far side of the globe."""
        collections = plotting("collections")
        pieces, numbers = project_rings(rings, self.projection)
        patches = collections.PolyCollection(pieces, zorder=1.5, **style)
        if values is not None:
            patches.set_array(values[numbers])
        return self._add(self.ax.add_collection(patches, autolim=False))

    def _add(self, artist: Any) -> Any:
        """Clip an artist to the rim, and return it."""
        if self.rim is not None:
            artist.set_clip_path(self.rim)
        return artist

    def _meshes(self, grid: Grid, values: npt.NDArray[Any]) -> Iterator[tuple[FloatArray, FloatArray, Any, Any]]:
        """For each mesh: x and y of the corners, values of the cells, and whether each cell is on the map."""
        if isinstance(grid, CellGrid) and has_raster(grid):
            # A map draws several columns of the same cells: their search for nearest cells is done once.
            if self._raster is None or self._raster[0] is not grid:
                self._raster = grid, cell_raster(grid)
            pixels, nearest, inside = self._raster[1]
            for mesh in grid_meshes(pixels, self.projection):
                cells = nearest[mesh.rows][:, mesh.columns]
                yield mesh.x, mesh.y, values[cells], mesh.shown & inside[mesh.rows][:, mesh.columns]
            return
        if isinstance(grid, CellGrid):
            latitude, longitude = cell_corners(grid)
            relative = self.projection.relative(longitude)
            known = ~any_of_four(np.isnan(latitude))
            # A cell across the seam would stretch over the whole map: leave it out.
            if self.projection.seam:
                corners = relative[:-1, :-1], relative[1:, :-1], relative[:-1, 1:], relative[1:, 1:]
                known &= np.ptp(np.stack(corners), axis=0) < 180.0
            # Corners of cells that are not known get any place: these cells are not drawn.
            places = np.nan_to_num(latitude), np.nan_to_num(relative)
            known &= any_of_four(self.projection.visible(*places))
            yield *self.projection.forward(*places), values, known
            return
        for mesh in grid_meshes(grid, self.projection):
            yield mesh.x, mesh.y, values[mesh.rows][:, mesh.columns], mesh.shown

    def _frame(self, extent: Extent, *, labels: bool) -> None:
        """Set limits, and draw the rim and labels, of a map with a projection of skgeo."""
        rim = self._cap_rim(extent)
        if rim is None:
            self._frame_region(extent)
            return
        (left, low), (right, high) = rim.min(axis=0), rim.max(axis=0)
        margin = 0.01 * (right - left)
        self.ax.set(xlim=(left - margin, right + margin), ylim=(low - margin, high + margin), aspect="equal")
        self.ax.set_axis_off()
        patches = plotting("patches")
        width = _RIM_POINTS * (1.0 if labels else _SMALL_MAP_FACTOR)
        edge = patches.Polygon(rim, closed=True, facecolor="none", edgecolor=LINE, linewidth=width, zorder=2.8)
        self.rim = self.ax.add_patch(edge)
        edge.set_clip_on(False)
        if labels:
            self._graticule(rim)

    def _cap_rim(self, extent: Extent) -> FloatArray | None:
        """The outline of the map. For a cap seen from above its pole, this is the parallel where the region ends."""
        rim = self.projection.rim()
        if isinstance(self.projection, Orthographic) and abs(self.projection.center[0]) == 90.0:
            reach = extent.south if self.projection.center[0] > 0.0 else -extent.north
            if rim is not None and reach > 0.0:
                return rim * math.cos(math.radians(reach))
        return rim

    def _graticule(self, rim: FloatArray) -> None:
        """Draw parallels and meridians every 30 and 60 degrees, and labels."""
        # A little beside the seam, so that both ends of a parallel are on their own side of it.
        along = np.linspace(-180.0, 180.0, 361) - 1e-9 + self.projection.center[1]
        lines = [np.column_stack([np.full(along.size, parallel), along]) for parallel in range(-60, 90, 30)]
        up = np.linspace(-90.0, 90.0, 181)
        lines += [np.column_stack([up, np.full(up.size, meridian)]) for meridian in range(-180, 180, 60)]
        self._draw_lines(lines, FAINT, _GRATICULE_POINTS, zorder=2.4, alpha=0.5)
        if isinstance(self.projection, EqualEarth):
            self._label_world()
        else:
            where = [degree_label(c, signs) for c, signs in zip(self.projection.center, ("NS", "EW"), strict=True)]
            text = f"seen from above {where[0]}, {where[1]}"
            if abs(self.projection.center[0]) == 90.0:
                text = f"seen from above the {'North' if where[0] == '90°N' else 'South'} Pole"
                self._label_meridians(float(np.abs(rim).max()))
            offset = {"xytext": (0, -14), "textcoords": "offset points", "ha": "center", "va": "top"}
            self.ax.annotate(text, (0.0, float(rim[:, 1].min())), fontsize="small", annotation_clip=False, **offset)

    def _label_meridians(self, radius: float) -> None:
        """Label meridians around a map seen from above a pole, and parallels inside of it."""
        style: dict[str, Any] = {"fontsize": "small", "color": LINE, "ha": "center", "va": "center"}
        south = self.projection.center[0] < 0.0
        pole = -1.0 if south else 1.0
        for parallel in (pole * 30.0, pole * 60.0):
            # Half way between two labelled meridians; not too close to the rim.
            x, y = self.projection.forward(parallel, 150.0)
            if float(np.hypot(x, y)) < 0.97 * radius:
                self.ax.annotate(degree_label(parallel, "NS"), (x, y), zorder=2.9, **style)
        for meridian in range(-180, 180, 60):
            across = math.radians(meridian - self.projection.center[1])
            towards = np.array([math.sin(across), math.cos(across) * (1.0 if south else -1.0)])
            offset = {"xytext": tuple(towards * (15.0, 8.0)), "textcoords": "offset points", "annotation_clip": False}
            self.ax.annotate(degree_label(meridian, "EW"), tuple(radius * towards), **offset, **style)

    def _label_world(self) -> None:
        """Label parallels and meridians at the rim of a map of the world."""
        style: dict[str, Any] = {"fontsize": "small", "color": LINE, "clip_on": False}
        for parallel in (-60, -30, 0, 30, 60):
            x, y = self.projection.forward(parallel, -180.0)
            # The rim leans inwards towards the poles: keep labels away from it.
            aside = -3.0 - 4.0 * math.sin(math.radians(abs(parallel)))
            place = {"xytext": (aside, 0), "textcoords": "offset points", "ha": "right", "va": "center"}
            self.ax.annotate(degree_label(parallel, "NS"), (x, y), **place, **style)
        # Sixty degrees of the pole line are a tenth of the width of the map. Narrow maps label every second meridian.
        width = self.ax.get_position().width * self.ax.figure.get_size_inches()[0]
        step = 60 if 0.1 * width > _MERIDIAN_INCHES else 120
        for meridian in range(-120, 240, step):
            relative = float(self.projection.relative(meridian))
            if abs(relative) > _MAX_LABELLED_DEGREES:
                continue
            x, y = self.projection.forward(-90.0, relative)
            place = {"xytext": (0, -3), "textcoords": "offset points", "ha": "center", "va": "top"}
            self.ax.annotate(degree_label(meridian, "EW"), (x, y), **place, **style)

    def _frame_region(self, extent: Extent) -> None:
        """Label the axes in degrees, with true proportions in the middle of the region."""
        ticker = plotting("ticker")
        extent = on_turn_of(self.projection.center[1], extent)
        cosine, shape = _proportions(extent)
        self.ax.set(xlim=extent[2:], ylim=extent[:2], aspect=1.0 / cosine)
        box = self.ax.get_position().size * self.ax.figure.get_size_inches()
        inches = min(box[0], box[1] / shape), min(box[1], box[0] * shape)
        # At most as many labels as fit, at round degrees.
        for axis, signs, length, room in zip(
            (self.ax.xaxis, self.ax.yaxis), ("EW", "NS"), inches, _LABEL_INCHES, strict=True
        ):
            number = int(np.clip(length / room, 1, 5))
            axis.set_major_locator(ticker.MaxNLocator(nbins=number, steps=[1, 1.5, 2, 3, 5, 6, 10]))
            axis.set_major_formatter(lambda value, _, signs=signs: degree_label(round(value, 9), signs))
        self.ax.tick_params(labelsize="small", length=3.0, color=LINE)
        self.ax.spines[:].set(color=LINE, linewidth=_RIM_POINTS)

    def _frame_geographic(self, extent: Extent) -> None:
        """Set the limits of axes of cartopy, which draw their own rim."""
        if extent.east - extent.west < 359.0:
            self.ax.set_extent([*extent[2:], *extent[:2]], crs=plate_carree())
        elif hasattr(self.ax, "set_global"):
            self.ax.set_global()

    def _draw_lines(self, lines: Sequence[FloatArray], colour: str, width: float, **style: Any) -> None:
        """Draw lines of (latitude, longitude)."""
        collections = plotting("collections")
        pieces = project_lines(lines, self.projection)
        drawn = collections.LineCollection(pieces, colors=colour, linewidths=width, **style)
        self._add(self.ax.add_collection(drawn, autolim=False))


def _projection(name: str, center: Any, extent: Extent) -> Projection:
    """The projection of this name; raises ValueError unless name and center are valid."""
    accepted = ", ".join(map(repr, PROJECTIONS[:-1])) + f" or {PROJECTIONS[-1]!r}"
    check_parameter("projection", name, isinstance(name, str) and name in PROJECTIONS, accepted)
    if center is not None:
        pair = isinstance(center, tuple | list) and len(center) == 2 and all(map(is_real, center))
        check_parameter("center", center, pair and abs(center[0]) <= 90.0, "None or (latitude, longitude) in degrees")
        center = (float(center[0]), float(center[1]))
    return choose_projection(name, center, extent)


def colours(
    values: Any, *, signed: bool, cmap: Any = None, vmin: float | None = None, vmax: float | None = None
) -> Any:
    """Colour map and limits: symmetric about zero for signed values, else the range of the values.

    Missing values are grey. Given limits stay as they are. For signed values, one given limit determines the other.
    """
    matplotlib = plotting()
    for name, limit in (("vmin", vmin), ("vmax", vmax)):
        check_parameter(name, limit, limit is None or is_real(limit), "None or a number")
    finite = np.asarray(values)[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if signed:
        mirrored = max(vmax or 0.0, 0.0) or -(vmin or 0.0)
        high = mirrored if mirrored > 0.0 else max(abs(low), abs(high))
        low = -high
    named = cmap if cmap is not None else (SIGNED if signed else UNSIGNED)
    chosen = (matplotlib.colormaps[named] if isinstance(named, str) else named).with_extremes(bad=MASKED)
    # A constant has no range: any interval above it will do.
    low, high = (low if vmin is None else float(vmin)), (high if vmax is None else float(vmax))
    return {"cmap": chosen, "vmin": low, "vmax": high if high > low else low + 1.0}


def with_unit(name: str, unit: str) -> str:
    """A label with its unit, if it has one."""
    return f"{name} ({unit})" if unit else name


def colour_bar(figure: "Figure", mappable: Any, ax: Any, label: str, values: Any, **style: Any) -> Any:
    """A colour bar below a map. An arrow at an end means that values go beyond it."""
    finite = np.asarray(values)[np.isfinite(values)]
    low, high = mappable.get_clim()
    # Values that exceed the limits by rounding need no arrow.
    margin = 1e-6 * (high - low)
    below, above = bool((finite < low - margin).any()), bool((finite > high + margin).any())
    extend = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}
    # A layout engine makes room for labels; without one, the bar needs more distance.
    pad = 0.03 if figure.get_layout_engine() else 0.1
    place = {"orientation": "horizontal", "shrink": 0.55, "aspect": 32, "pad": pad, **style}
    bar = figure.colorbar(mappable, ax=ax, extend=extend[below, above], **place)
    bar.set_label(label, fontsize="small")
    bar.ax.tick_params(labelsize="small", length=3.0, color=LINE)
    bar.outline.set(linewidth=0.5, edgecolor=LINE)
    return bar


def legend(ax: Any, number: int, **style: Any) -> Any:
    """A plain legend with ``number`` entries below a map, in two rows if there are many."""
    style["ncols"] = number if number <= 5 else math.ceil(number / 2)
    place = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.06), "frameon": False, "fontsize": "small"}
    return ax.legend(**{**place, "handletextpad": 0.3, "columnspacing": 1.2, **style})


def one_axes(ax: Any, height: float, width: float = WIDTH) -> tuple["Figure", Any]:
    """The figure and the axes that are given, or new ones for None; raises ValueError for anything else."""
    if ax is None:
        return new_figure(height, width)
    if not hasattr(ax, "figure") or not hasattr(ax, "transData"):
        refuse_axes(ax, "None or one matplotlib Axes")
    return ax.figure, ax


def one_map(
    ax: Any,
    extent: Extent,
    *,
    projection: str,
    center: tuple[float, float] | None,
    coastlines: bool,
    below: float = 0.75,
) -> tuple["Figure", Map]:
    """A figure with one map and ``below`` inches for a colour bar or a legend; or a map on given axes."""
    if ax is None:
        # High regions get a narrower figure: at full width, they would not fit on a page.
        shape = height_of_width(extent, projection, center)
        width = WIDTH if shape < 0.8 else 5.0
        ax = new_figure(min(max(shape * (width - 0.6), 2.0), 6.0) + below, width)[1]
    figure, ax = one_axes(ax, 0.0)
    return figure, Map(ax, extent, projection=projection, center=center, coastlines=coastlines)


def height_of_width(extent: Extent, projection: str, center: tuple[float, float] | None) -> float:
    """The height of a map, as a multiple of its width."""
    drawn = _projection(projection, center, extent)
    rim = drawn.rim()
    if rim is None:
        return _proportions(on_turn_of(drawn.center[1], extent))[1]
    width, height = np.ptp(rim, axis=0)
    return float(height / width)


def _proportions(extent: Extent) -> tuple[float, float]:
    """For a region on a plain map: the cosine of its middle latitude, and its height as a multiple of its width."""
    cosine = max(math.cos(math.radians(extent.middle[0])), _MIN_COSINE)
    return cosine, (extent.north - extent.south) / ((extent.east - extent.west) * cosine)


def several_axes(ax: Any, number: int) -> list[Any]:
    """The given axes in a list; raises ValueError unless their number is right."""
    axes = list(np.ravel(np.asarray(ax, dtype=object)))
    if len(axes) != number or not all(hasattr(panel, "transData") for panel in axes):
        refuse_axes(ax, f"None or {number} matplotlib Axes, one for each panel")
    return axes


def refuse_axes(ax: Any, accepted: str) -> NoReturn:
    """Raise ValueError: ``ax`` is no axes, or not the right number of them."""
    given = f"{np.size(np.asarray(ax, dtype=object))} Axes" if hasattr(np.ravel(ax)[0], "transData") else repr(ax)
    raise ValueError(f"ax is {given}: expected {accepted}.")


def masked_share(grid: Grid) -> FloatArray | None:
    """The share of each cell of a grid outside of its mask; None if the grid has no mask."""
    return None if grid.mask is None else 1.0 - np.asarray(grid.mask, dtype=np.float64)


def values_inside_mask(grid: Grid, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Values of the cells that are inside the mask of a grid at least in part: only these determine colours."""
    masked = masked_share(grid)
    return values if masked is None else values[masked < 1.0]
