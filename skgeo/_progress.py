"""Show a progress bar during long work."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.util import find_spec

from skgeo._kernels.threads import no_progress
from skgeo._validation import check_parameter, import_optional

# Seconds of work after which a bar appears that verbose=None shows.
DELAY = 2.0


def check_verbose(value: object) -> None:
    """Raise ValueError unless the value says when to show a bar."""
    check_parameter("verbose", value, value is None or isinstance(value, bool), "True, False or None")


def progress(total: int, unit: str, *, shown: bool | None) -> AbstractContextManager[Callable[[int], object]]:
    """A context with a function ``advance(n)``, which moves a progress bar, if one is shown, by n units.

    With ``shown=None`` a bar appears in interactive sessions if tqdm is installed and the work takes long.
    """
    if not shown and (shown is False or not (is_interactive() and find_spec("tqdm"))):
        return nullcontext(no_progress)
    return _bar(total, unit, delay=0.0 if shown else DELAY)


@contextmanager
def _bar(total: int, unit: str, *, delay: float) -> Iterator[Callable[[int], object]]:
    """A bar of tqdm that appears after a delay in seconds."""
    tqdm = import_optional("tqdm", "verbose=True", "progress")
    with tqdm.tqdm(total=total, unit=unit, unit_scale=True, delay=delay) as bar:
        yield bar.update


def is_interactive() -> bool:
    """Whether Python runs at a prompt or in a notebook."""
    return hasattr(sys, "ps1")
