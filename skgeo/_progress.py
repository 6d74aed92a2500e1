"""A progress bar on long work."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from skgeo._parameters import import_optional


@contextmanager
def progress(total: int, unit: str, *, shown: bool) -> Iterator[Callable[[int], object]]:
    """Yield a function that is told how many more units are done, and moves a bar if one is to be shown."""
    if not shown:
        yield lambda count: None
        return
    tqdm = import_optional("tqdm", "verbose=True", "progress")
    with tqdm.tqdm(total=total, unit=unit, unit_scale=True) as bar:
        yield bar.update
