"""A progress bar on long work."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from skgeo._validation import check_parameter, import_optional

# Unasked, a bar appears when work has taken so many seconds.
DELAY = 2.0


def check_verbose(value: object) -> None:
    """Raise ValueError unless the value says when to show a bar."""
    check_parameter("verbose", value, value is None or isinstance(value, bool), "True, False or None")


@contextmanager
def progress(total: int, unit: str, *, shown: bool | None) -> Iterator[Callable[[int], object]]:
    """Yield a function that is told how many more units are done, and moves a bar if one is to be shown.

    None shows it in interactive sessions, if tqdm is there and the work takes long.
    """
    if shown is None and not (is_interactive() and find_spec("tqdm")):
        shown = False
    if shown is False:
        yield lambda count: None
        return
    tqdm = import_optional("tqdm", "verbose=True", "progress")
    with tqdm.tqdm(total=total, unit=unit, unit_scale=True, delay=0.0 if shown else DELAY) as bar:
        yield bar.update


def is_interactive() -> bool:
    """Whether someone sits at a prompt or in a notebook."""
    return hasattr(sys, "ps1")
