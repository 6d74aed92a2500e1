"""Blocks of rows, and threads that work on them while BLAS has one thread."""

import os
import sys
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from types import FrameType
from typing import Any, ClassVar

import numpy as np
import scipy.linalg  # noqa: F401  loads scipy's BLAS: _libraries() finds loaded libraries only
from joblib import Parallel, cpu_count
from threadpoolctl import ThreadpoolController

from skgeo._typing import FloatArray

# Square matrices with fewer rows are faster on one thread: see benchmarks/blas_threads.py.
_MIN_THREADED_ROWS = 2000

# Rows of a block of a matrix product: a thread computes one block at a time.
_PRODUCT_ROWS = 512

#: A function that kernels call with the number of points, cells or pixels that they have just finished.
Advance = Callable[[int], object]

#: Values that a block may hold: 4 MB of float64, about the size of the caches of a core.
BLOCK_VALUES = 2**19


def no_progress(count: int) -> None:
    """Do nothing: the default of ``advance`` where no progress is shown."""


def row_blocks(n_rows: int, values_per_row: int = 1, budget: int | None = None) -> list[slice]:
    """Cut rows into consecutive blocks of at most ``budget`` values (default BLOCK_VALUES), and of at least one row.

    The blocks do not depend on the number of threads, so the output does not either.
    """
    length = max(1, (BLOCK_VALUES if budget is None else budget) // max(1, values_per_row))
    return [slice(start, min(start + length, n_rows)) for start in range(0, n_rows, length)]


def run_in_threads(
    work: Callable[[slice], Any],
    parts: list[slice],
    n_jobs: int | None = None,
    then: Callable[[slice, Any], object] = lambda part, result: None,
) -> None:
    """Call ``work(part)`` for all parts on ``n_jobs`` threads, and ``then(part, result)`` in order on this thread.

    BLAS has one thread meanwhile: the matrix products of one part are too small for more threads.
    """
    # Two contexts: if Ctrl-C keeps one of them from being left, the other one releases both.
    with one_blas_thread(), one_blas_thread():
        # The number of threads is asked for only if there is a choice: joblib takes 0.1 ms, as long as ten places.
        n_threads = min(_n_threads(n_jobs), len(parts)) if len(parts) > 1 else 1
        if n_threads <= 1:
            for part in parts:
                then(part, work(part))
            return
        # joblib's own threads look for results every 10 ms only, which is longer than many parts take.
        with ThreadPoolExecutor(n_threads) as pool:
            for part, result in zip(parts, pool.map(work, parts), strict=True):
                then(part, result)


def _n_threads(n_jobs: int | None) -> int:
    """The number of threads, at most one for each core: None is that of joblib's context, and -1 all cores."""
    # effective_n_jobs() answers for processes, and warns in the processes of a torch DataLoader.
    asked = int(Parallel(n_jobs, backend="threading").n_jobs)
    return min(asked, cpu_count()) if asked > 0 else max(1, cpu_count() + 1 + asked)


def fill_in_threads(
    fill: Callable[[slice], None],
    blocks: list[slice],
    n_jobs: int | None = None,
    advance: Advance = no_progress,
    places_per_row: int = 1,
) -> None:
    """Call ``fill(block)`` for all blocks of rows, and ``advance`` with the number of places of each finished block."""

    def then(block: slice, _: None) -> None:
        """Advance by the places of one block."""
        advance(places_per_row * (block.stop - block.start))

    run_in_threads(fill, blocks, n_jobs, then)


def product_in_threads(left: FloatArray, right: FloatArray, n_threads: int) -> FloatArray:
    """The matrix product, a thread for each block of rows of ``left``; the sums do not depend on ``n_threads``."""
    out = np.empty((len(left), right.shape[1]))
    run_in_threads(
        lambda part: np.matmul(left[part], right, out=out[part]), row_blocks(len(left), 1, _PRODUCT_ROWS), n_threads
    )
    return out


class one_blas_thread:  # noqa: N801
    """A context in which BLAS has one thread in the whole process; after it, BLAS has as many threads as before.

    Two BLAS threads wait for each other at every step of an eigenproblem. If another process uses one of the cores,
    each wait lasts until the other process gives the core back: small matrices then take a hundred times as long.

    Contexts may overlap in any order, on any threads: the first to enter sets the limit, and the last to leave removes
    it. Ctrl-C may interrupt any line here. Therefore every step may be repeated without harm.
    """

    def __enter__(self) -> None:
        try:
            _forget_left(sys._getframe(1))
            hold = weakref.ref(self, _forget_collected), threading.get_ident(), id(sys._getframe(1))
            _Limit.holders[id(self)] = hold
            _settle()
        # After Ctrl-C in __enter__, Python does not call __exit__.
        except BaseException:
            self._leave()
            raise

    def __exit__(self, kind: type[BaseException] | None = None, *error: object) -> None:
        # An error has left the contexts inside this one, too. Ctrl-C may have come before the first line of their
        # __exit__. Ctrl-C may also interrupt the first attempt here.
        try:
            self._leave(inner=kind is not None)
        finally:
            self._leave(inner=kind is not None)

    def _leave(self, *, inner: bool = False) -> None:
        """Release this hold, and with ``inner`` also those that this thread has taken later."""
        if inner and id(self) in _Limit.holders:
            own = threading.get_ident()
            holds = list(_Limit.holders.items())  # in the order in which they were taken
            later = holds[[hold for hold, _ in holds].index(id(self)) + 1 :]
            for hold in [hold for hold, held in later if held[1] == own]:
                _Limit.holders.pop(hold, None)
        _Limit.holders.pop(id(self), None)
        _settle()


def blas_threads_for(n_rows: int) -> AbstractContextManager[None]:
    """A context that gives BLAS one thread for square matrices of ``n_rows`` rows; for large ones it does nothing."""
    return one_blas_thread() if n_rows < _MIN_THREADED_ROWS else nullcontext()


def n_blas_threads() -> int:
    """The number of threads that BLAS has now: that of the cores, or what the user or a context here allows."""
    return min(library.get_num_threads() for library in _libraries())


class _Limit:
    """The state of the limit on BLAS threads: the contexts that hold it, and the former number of each library."""

    # Reentrant: garbage collection may call _forget_collected on a thread that holds the lock.
    lock = threading.RLock()
    # For each open context: a weak reference to it, the number of its thread, and the id of the frame that entered it.
    holders: ClassVar[dict[int, tuple[weakref.ref[one_blas_thread], int, int]]] = {}
    # Each BLAS library and its number of threads before the limit; empty while there is no limit.
    before: ClassVar[list[tuple[Any, int]]] = []


@cache
def _libraries() -> list[Any]:
    """The BLAS libraries of numpy and scipy, which have one each. Finding them takes milliseconds, hence the cache."""
    return list(ThreadpoolController().select(user_api="blas").lib_controllers)


def _settle() -> None:
    """Set the limit if a context holds it and it is not set; remove it if no context holds it."""
    with _Limit.lock:
        if _Limit.holders and not _Limit.before:
            _Limit.before = [(library, library.get_num_threads()) for library in _libraries()]
            for library, _ in _Limit.before:
                library.set_num_threads(1)
        elif not _Limit.holders:
            for library, number in _Limit.before:
                library.set_num_threads(number)
            _Limit.before = []


def _forget_collected(reference: object) -> None:
    """Release the hold of a context that was garbage collected: Ctrl-C had interrupted its ``_leave``."""
    # Python ignores Ctrl-C in here: it prints the error and goes on.
    try:
        for hold, held in list(_Limit.holders.items()):
            if held[0] is reference:
                _Limit.holders.pop(hold, None)
        _settle()
    finally:
        _settle()


def _forget_left(frame: FrameType | None) -> None:
    """Release the holds of this thread that its functions have left, given the frame of the caller.

    Ctrl-C can come before the first line of an ``__exit__``. A traceback that somebody keeps, as the prompt of Python
    does, then keeps the context alive.
    """
    own, running = threading.get_ident(), set()
    if own not in {held[1] for held in list(_Limit.holders.values())}:
        return
    while frame is not None:
        running.add(id(frame))
        frame = frame.f_back
    for hold, held in list(_Limit.holders.items()):
        if held[1] == own and held[2] not in running:
            _Limit.holders.pop(hold, None)


def _forget_other_threads() -> None:
    """Release the holds of all other threads, in the child of a fork: only the forking thread continues there."""
    _Limit.lock = threading.RLock()
    own = threading.get_ident()
    _Limit.holders = {hold: held for hold, held in _Limit.holders.items() if held[1] == own}
    _settle()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_other_threads)
