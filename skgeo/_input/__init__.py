"""From what users hold (arrays, frames, xarray, dask) to checked numbers."""
