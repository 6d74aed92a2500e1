"""Show a progress bar during long work."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from skgeo._validation import check_parameter, import_optional

# With verbose=None a bar appears after this many seconds of work.
DELAY = 2.0


def check_verbose(value: object) -> None:
    """Raise ValueError unless the value says when to show a bar."""
    check_parameter("verbose", value, value is None or isinstance(value, bool), "True, False or None")


@contextmanager
def progress(total: int, unit: str, *, shown: bool | None) -> Iterator[Callable[[int], object]]:
    """Yield a function ``advance(n)``, to be called after each n units of work; it moves the bar if there is one.

    ``shown=None`` shows a bar in interactive sessions, if tqdm is installed and the work takes long.
    """
    if shown is None and not (is_interactive() and find_spec("tqdm")):
        shown = False
    if shown is False:
        yield lambda count: None
        return
    # Only verbose=True fails without tqdm: None has looked for it above.
    tqdm = import_optional("tqdm", "verbose=True", "progress")
    with tqdm.tqdm(total=total, unit=unit, unit_scale=True, delay=0.0 if shown else DELAY) as bar:
        yield bar.update


def is_interactive() -> bool:
    """Whether Python runs at a prompt or in a notebook."""
    return hasattr(sys, "ps1")
