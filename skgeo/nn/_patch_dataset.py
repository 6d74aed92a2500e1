"""A torch dataset of patches of a field: values, validity, features and the patch table, read one sample at a time."""

from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from skgeo._cells import CellGrid
from skgeo._grid import LatLonGrid
from skgeo._input.from_xarray import layout
from skgeo._kernels.axis_gaps import contiguous_blocks
from skgeo._patches.cell_fields import cell_stacks, valid_members
from skgeo._patches.cell_members import check_members, is_members
from skgeo._patches.cut import Cut, cut_patches, describe_patches, patch_frame
from skgeo._patches.fields import valid_pixels
from skgeo._patches.values import bounding_box, cut_field
from skgeo._typing import Integers
from skgeo._validation import check_pair, check_parameter, is_real
from skgeo.nn._field_readers import LabelledField, PlainField

__all__ = ["PatchDataset"]


class PatchDataset(Dataset[dict[str, Any]]):
    """Patches of a field at its times, or windows of neighbouring patches, as samples for a ``DataLoader``.

    A sample is one patch at one time. With ``window=(k, l)`` it is k x l neighbouring patches at one time, a sample for
    a transformer: each patch becomes a token. For cells in any order, such as HEALPix, give the cells of each patch as
    ``patch_size``, and the patches of each window as ``window``.

    The constructor computes positions, validity and features. The values of a sample are read when the sample is
    requested. From a DataArray that was opened from Zarr or NetCDF, only the chunks that the sample touches are read.
    Open such a file with ``chunks=None``, so that its chunks are read without dask. Chunks of dask are computed in the
    thread that requests the sample, so that workers do not wait for each other. The dataset can be pickled, and each
    worker opens the file for itself. HDF5 (NetCDF 4) does not survive a fork: use ``multiprocessing_context="spawn"``.

    Parameters
    ----------
    field : xarray.DataArray, xarray.Dataset, or array of shape (..., n_rows, n_columns)
        An array (NumPy, dask, Zarr, HDF5 or a tensor) has the dimensions (time, channel, row, column), (time, row,
        column) or (row, column), in the rows and columns of ``grid``. For cells in any order, one dimension of cells
        takes the place of row and column. The dimensions of a DataArray are known by their names and coordinates. The
        variables of a Dataset are the channels, one after the other.
    patch_size : int, (int, int) or array of shape (n_patches, n_cells)
        Pixels along rows and columns. For a CellGrid also the cells of each patch, from
        :meth:`skgeo.CellGrid.patch_members`; ``stride``, ``partial`` and ``min_fraction`` then keep their defaults.
    stride : int or (int, int), default=None
        Pixels from one patch to the next; None means ``patch_size``: no overlap.
    grid : LatLonGrid or CellGrid, default=None
        The grid of the field, whose mask says which pixels are valid. None reads it from an xarray field, without a
        mask.
    partial : bool, default=None
        As for :meth:`skgeo.LatLonGrid.patches`.
    min_fraction : float, default=0
        Keep patches with at least this fraction of their area inside the mask.
    window : int, (int, int) or array of shape (n_windows, n_tokens), default=None
        Patches along rows and columns in a sample. None means one patch, without the dimension of tokens. For patches
        given by their cells, the numbers of the patches of each window: ``np.arange(n_patches)[np.newaxis]`` is one
        window of all patches.
    window_stride : int or (int, int), default=None
        Patches from one window to the next; None means ``window``: no overlap.
    features : fitted transformer of patch tables, or array-like of shape (n_patches, n_features), default=None
        For instance a fitted union of :class:`skgeo.PatchPositionEncoder` and :class:`skgeo.PatchScaleFeaturizer`. The
        constructor transforms all patches once. None leaves the features out.
    channel_dim : str, default=None
        The dimension of a DataArray, or of the variables of a Dataset, that holds channels, such as levels.
    fill_value : float, default=0
        Value of pixels that are not valid.
    dtype : torch.dtype, default=torch.float32
        Dtype of the values and of the features.

    Attributes
    ----------
    grid : LatLonGrid or CellGrid
        The grid of the field.
    patches : ndarray of shape (n_patches, 6), or (n_patches, h, w, 2) or (n_patches, n_cells, 3) of a CellGrid
        The patch table, the pixel centres, or places and areas of cells, as from ``grid.patches``.
    index : ndarray of shape (n_patches, 2), or (n_patches, n_cells)
        Row and column of the first pixel of each patch, or the cells of each patch.
    windows : ndarray of shape (n_windows, n_tokens), or (n_patches, 1)
        Numbers of the patches of each window, row by row. Windows continue across the seam of a global grid. A window
        does not contain a patch that ``min_fraction`` drops, and does not cross a gap of the grid.
    features : Tensor of shape (n_patches, n_features) or None
        The features of all patches.
    times : list
        Label of each time: the coordinate of an xarray field, or a number if there is none. If a field has several
        dimensions in front, such as time and member, labels are tuples, and the last dimension varies fastest.

    Raises
    ------
    CoordinateError
        If the field has other coordinates than the grid; and for the reasons of ``grid.patches``.
    ValueError
        If a parameter is invalid, the field has another shape than the grid, or no window is complete; and for the
        reasons of ``grid.patches``.

    See Also
    --------
    skgeo.LatLonGrid.patch_values : All patches of a field at once.

    Notes
    -----
    Sample ``time * n_windows + w`` is the window w at a time. The sample is a dictionary. T is the number of tokens;
    without a window there is no dimension T. For patches given by their cells, ``n_cells`` takes the place of (h, w):

    ============  ======================  ===================================================================
    key           shape                   holds
    ============  ======================  ===================================================================
    ``values``    (T, n_channels, h, w)   the values; ``fill_value`` where they are not valid
    ``valid``     (T, n_channels, h, w)   True where the value is not NaN, inside the patch and inside the mask
    ``features``  (T, n_features)         the features, if there are any
    ``patches``   (T, 6)                  rows of the patch table in float64, or stacks (T, h, w, 2), (T, n_cells, 3)
    ``number``    (T,)                    numbers of the patches, for ``grid.from_patches``
    ``time``      ()                      number of the time, for the attribute ``times``
    ============  ======================  ===================================================================

    Examples
    --------
    Windows of 3 x 4 patches with 6 x 6 pixels each, from a field with three channels at ten times.

    >>> import numpy as np
    >>> from torch.utils.data import DataLoader
    >>> from skgeo import LatLonGrid, PatchScaleFeaturizer
    >>> from skgeo.nn import PatchDataset
    >>> grid = LatLonGrid(np.arange(-87.5, 90, 5), np.arange(2.5, 360, 5))
    >>> rng = np.random.default_rng(0)
    >>> field = rng.normal(size=(10, 3, *grid.shape))  # time, channel, latitude, longitude
    >>> scale = PatchScaleFeaturizer().fit(grid.patches(6))
    >>> dataset = PatchDataset(field, 6, grid=grid, window=(3, 4), features=scale)
    >>> len(dataset)
    60
    >>> batch = next(iter(DataLoader(dataset, batch_size=8, shuffle=True)))
    >>> for name, values in batch.items():
    ...     print(name, tuple(values.shape))
    values (8, 12, 3, 6, 6)
    valid (8, 12, 3, 6, 6)
    patches (8, 12, 6)
    number (8, 12)
    features (8, 12, 10)
    time (8,)
    """

    def __init__(
        self,
        field: Any,
        patch_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        *,
        grid: LatLonGrid | CellGrid | None = None,
        partial: bool | None = None,
        min_fraction: float = 0.0,
        window: int | tuple[int, int] | None = None,
        window_stride: int | tuple[int, int] | None = None,
        features: Any = None,
        channel_dim: str | None = None,
        fill_value: float = 0.0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        check_parameter("fill_value", fill_value, is_real(fill_value), "a finite number")
        known = isinstance(dtype, torch.dtype) and dtype.is_floating_point
        check_parameter("dtype", dtype, known, "a floating dtype of torch")
        self._fill_value, self._dtype = float(fill_value), dtype
        labelled = any(kind.__module__.partition(".")[0] == "xarray" for kind in type(field).__mro__)
        if grid is None and labelled:
            grid = (LatLonGrid if layout(field) == "grid" else CellGrid).from_xarray(field)
        wanted = "the LatLonGrid or CellGrid of the field; only an xarray field needs none"
        check_parameter("grid", grid, isinstance(grid, LatLonGrid | CellGrid), wanted)
        assert grid is not None
        self.grid = grid
        self._cut: Cut | None = None
        if is_members(patch_size) and isinstance(grid, CellGrid):
            usual = stride is None and partial is None and min_fraction == 0.0
            options = (stride, partial, min_fraction)
            check_parameter(
                "stride, partial, min_fraction", options, usual, "none of them with the cells of each patch"
            )
            self.index = check_members(patch_size, int(np.prod(grid.shape)))
            self.patches, self._valid = cell_stacks(grid, self.index), valid_members(grid, self.index)
        else:
            self._cut = cut_patches(grid, patch_size, stride, partial=partial, min_fraction=min_fraction)
            self.patches, self.index = describe_patches(grid, self._cut), self._cut.first
            self._valid = valid_pixels(grid, self._cut)
        self._source = (LabelledField if labelled else PlainField)(field, grid, channel_dim)
        self.times = self._source.times
        self._tokens = window is not None
        given = "None, because window= is not given"
        check_parameter("window_stride", window_stride, self._tokens or window_stride is None, given)
        self.windows = np.arange(len(self.index))[:, np.newaxis]
        if window is not None and self._cut is None:
            check_parameter("window_stride", window_stride, window_stride is None, "None: window has all patches")
            self.windows = _given_windows(window, len(self.index))
        elif window is not None:
            assert self._cut is not None
            shape = check_pair(window, "window")
            strides = shape if window_stride is None else check_pair(window_stride, "window_stride")
            self.windows = _windows(self._cut, grid, shape, strides)
        self.features = None if features is None else self._check_features(features)

    def __len__(self) -> int:
        return len(self.times) * len(self.windows)

    def __getitem__(self, sample: int) -> dict[str, Any]:
        if not -len(self) <= sample < len(self):
            raise IndexError(f"sample={sample}: expected an integer from {-len(self)} to {len(self) - 1}.")
        time, window = divmod(int(sample) % len(self), len(self.windows))
        number = self.windows[window]
        values = self._read_cells(time, number) if self._cut is None else self._read_pixels(time, number, self._cut)
        values = values.to(self._dtype).movedim(1, 0)
        valid = torch.from_numpy(self._valid[number])[:, np.newaxis] & ~values.isnan()
        item: dict[str, Any] = {
            "values": values.masked_fill(~valid, self._fill_value),
            "valid": valid,
            "patches": torch.from_numpy(self.patches[number].astype(np.float64)),
            "number": torch.from_numpy(number),
        }
        if self.features is not None:
            item["features"] = self.features[torch.from_numpy(number)]
        # Without windows, a sample is a single patch and not a sequence of one patch.
        item = item if self._tokens else {name: each[0] for name, each in item.items()}
        return item | {"time": time}

    def _read_pixels(self, time: int, number: Integers, patches: Cut) -> Tensor:
        """Values (channel, T, h, w) of patches, NaN beyond the patches."""
        cut = patches.take(number)
        # Columns beyond the seam continue those before it.
        beyond = cut.first[:, 1] < cut.first[0, 1]
        cut.first[:, 1] += self.grid.shape[1] * beyond
        # Read the box around the patches once, and cut it into patches.
        local, rows, columns = bounding_box(cut, self.grid.shape[1])
        values = cut_field(self._source.read(time, rows, columns), local, np.nan)
        # Copy the values, because patches may be a read-only view of the field.
        return values if isinstance(values, Tensor) else torch.from_numpy(np.array(values))

    def _read_cells(self, time: int, number: Integers) -> Tensor:
        """Values (channel, T, n_cells) of patches given by their cells, NaN where a patch has fewer cells."""
        members = self.index[number]
        present = members >= 0
        read = torch.as_tensor(self._source.read_cells(time, members[present]))
        values = read.new_full((len(read), *members.shape), torch.nan)
        values[:, torch.from_numpy(present)] = read
        return values

    def _check_features(self, features: Any) -> Tensor:
        """The features of all patches as a tensor."""
        if hasattr(features, "transform"):
            # Features that were fitted on a DataFrame may expect the columns in another order: give them names.
            named = self.patches.ndim == 2 and hasattr(features, "feature_names_in_")
            features = features.transform(patch_frame(self.patches, self.index) if named else self.patches)
        table = np.asarray(features.toarray() if hasattr(features, "toarray") else features)
        n_patches = len(self.index)
        fits = table.ndim == 2 and len(table) == n_patches and table.dtype.kind in "fiub"
        check_parameter("features.shape", table.shape, fits, f"numbers of shape ({n_patches}, n_features)")
        return torch.as_tensor(table, dtype=self._dtype)


def _given_windows(window: Any, n_patches: int) -> Integers:
    """The numbers of patches of windows that the caller gives; refused unless each is a patch."""
    numbers = np.asarray(window)
    table = numbers.ndim == 2 and numbers.dtype.kind in "iu" and numbers.size > 0
    wanted = "the numbers of the patches of each window, (n_windows, n_tokens): cells have no rows and columns"
    check_parameter("window", f"an array of {numbers.dtype}, {numbers.shape}", table, wanted)
    known = bool(numbers.min() >= 0 and numbers.max() < n_patches)
    check_parameter("window", f"{numbers.min()} to {numbers.max()}", known, f"numbers from 0 to {n_patches - 1}")
    return numbers.astype(np.intp)


def _windows(cut: Cut, grid: Any, shape: tuple[int, int], strides: tuple[int, int]) -> Integers:
    """The numbers (n_windows, k * l) of the patches of complete windows."""
    (rows, at_row), (columns, at_column) = (np.unique(along, return_inverse=True) for along in cut.first.T)
    number = np.full((len(rows), len(columns)), -1)
    number[at_row, at_column] = np.arange(len(cut.first))
    # Patches are neighbours if they are one stride apart, and in the same part of an axis without gaps.
    step = [int(np.diff(along).min(initial=2**31)) for along in (rows, columns)]
    parts: list[Any] = [np.zeros(len(rows)), np.zeros(len(columns))]
    if isinstance(grid, LatLonGrid):
        blocks = [[start for start, _ in contiguous_blocks(e)] for e in (grid.latitude_edges, grid.longitude_edges)]
        parts = [np.searchsorted(b, along, side="right") for b, along in zip(blocks, (rows, columns), strict=True)]
    ring = isinstance(grid, LatLonGrid) and grid.closed and columns[0] + grid.shape[1] - columns[-1] == step[1]
    # On a closed circle windows continue across the seam, but not past the first window of the next round.
    least = min(strides[1], shape[1]) if ring else shape[1]
    first_rows = range(0, len(rows) - shape[0] + 1, strides[0])
    first_columns = range(0, len(columns) - least + 1, strides[1]) if shape[1] <= len(columns) else ()
    # The second round holds the columns beyond the seam.
    columns = np.concatenate([columns, columns + grid.shape[1]])
    parts[1], number = np.tile(parts[1], 2), np.hstack([number, number])
    found = []
    for i, j in product(first_rows, first_columns):
        window = slice(i, i + shape[0]), slice(j, j + shape[1])
        together = all(
            (np.diff(starts[along]) == apart).all() and np.ptp(part[along]) == 0
            for starts, along, apart, part in zip((rows, columns), window, step, parts, strict=True)
        )
        if together and (number[window] >= 0).all():
            found.append(number[window].ravel())
    given = f"{shape}, of {len(rows)} x {len(columns) // 2} patches"
    if not found:
        raise ValueError(f"window={given}: no window has all of its patches. Take a smaller window, or min_fraction=0.")
    return np.stack(found)
