"""Blocks of rows, and threads that work on them while BLAS has one thread."""

import os
import threading
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any, ClassVar

import scipy.linalg  # noqa: F401  with its own BLAS, which has to be there when the libraries are looked for
from joblib import Parallel, delayed
from threadpoolctl import ThreadpoolController

# Rows of a square matrix from which a second thread may be worth its waiting: see benchmarks/blas_threads.py.
_LARGE = 2000

#: A function that kernels call with the number of points, cells or pixels that they have just finished.
Advance = Callable[[int], object]

#: Values that a block may hold: 4 MB of float64, about the size of the caches of a core.
BLOCK_VALUES = 2**19


def no_progress(count: int) -> None:
    """Ignore the number of finished places: nobody shows a progress bar."""


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

    BLAS has one thread meanwhile: the products of one part are too small to share among more threads.
    """
    with one_blas_thread():
        if len(parts) == 1:
            then(parts[0], work(parts[0]))
            return
        results = Parallel(n_jobs, backend="threading", return_as="generator")(delayed(work)(part) for part in parts)
        for part, result in zip(parts, results, strict=True):
            then(part, result)


class one_blas_thread:  # noqa: N801
    """While it is entered, BLAS has one thread in the whole process; thereafter as many as before.

    Two threads wait for each other at every step of an eigenproblem, and where another process has a core, each wait
    is as long as its turn: small matrices take a hundred times as long then. Whoever comes first sets the limit and
    the last to leave takes it off, in whatever order they come and go, and whatever ends them: Ctrl-C may come before
    any line here, so that all of it may be done twice.
    """

    def __enter__(self) -> None:
        try:
            _Limit.holders[id(self)] = weakref.ref(self, _forget_the_dead), threading.get_ident()
            _settle()
        except BaseException:  # Ctrl-C: then nobody calls __exit__
            self._leave()
            raise

    def __exit__(self, *error: object) -> None:
        try:
            self._leave()
        except BaseException:
            self._leave()
            raise

    def _leave(self) -> None:
        _Limit.holders.pop(id(self), None)
        _settle()


def blas_threads_for(n_rows: int) -> AbstractContextManager[None]:
    """One thread for BLAS while it works on square matrices with so many rows, unless two are worth their waiting."""
    return one_blas_thread() if n_rows < _LARGE else nullcontext()


class _Limit:
    """Who needs BLAS to have one thread, and on which thread they run; how many each library had before."""

    lock = threading.RLock()  # one thread may come here twice, when garbage is collected
    holders: ClassVar[dict[int, tuple[weakref.ref[one_blas_thread], int]]] = {}
    before: ClassVar[list[tuple[Any, int]]] = []


@cache
def _libraries() -> list[Any]:
    """The BLAS of numpy and that of scipy, which bring one each; to find them takes milliseconds."""
    return list(ThreadpoolController().select(user_api="blas").lib_controllers)


def _settle() -> None:
    """Bring the numbers of threads in line with whether somebody needs there to be one."""
    with _Limit.lock:
        if _Limit.holders and not _Limit.before:
            _Limit.before = [(library, library.get_num_threads()) for library in _libraries()]
            for library, _ in _Limit.before:
                library.set_num_threads(1)
        elif not _Limit.holders:
            for library, number in _Limit.before:
                library.set_num_threads(number)
            _Limit.before = []


def _forget_the_dead(reference: object) -> None:
    """Ctrl-C came between two of the lines that would have taken off the limit."""
    for hold, held in list(_Limit.holders.items()):
        if held[0] is reference:
            _Limit.holders.pop(hold, None)
    _settle()


def _forget_other_threads() -> None:
    """In the child of a fork only the thread that forked lives on."""
    _Limit.lock = threading.RLock()
    own = threading.get_ident()
    _Limit.holders = {hold: held for hold, held in _Limit.holders.items() if held[1] == own}
    _settle()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_other_threads)
