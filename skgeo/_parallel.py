"""Work on many parts with threads."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from joblib import Parallel, delayed
from threadpoolctl import ThreadpoolController

#: Is told how many more points, cells or pixels are done.
Done = Callable[[int], object]


def unheard(count: int) -> None:
    """Nobody asks how many more are done."""


def each(
    work: Callable[[slice], Any],
    parts: list[slice],
    n_jobs: int | None = None,
    then: Callable[[slice, Any], object] = lambda part, result: None,
) -> None:
    """Call ``work`` on all parts, on ``n_jobs`` threads, and ``then`` on every result, in order, on this thread.

    Meanwhile BLAS has one thread: parts are too small to be shared once more.
    """
    with _single_threaded_blas():
        if len(parts) == 1:
            then(parts[0], work(parts[0]))
            return
        results = Parallel(n_jobs, backend="threading", return_as="generator")(delayed(work)(part) for part in parts)
        for part, result in zip(parts, results, strict=True):
            then(part, result)


class _BlasLimit:
    """The limit belongs to the whole process: the first to come sets it, the last to leave takes it off."""

    lock = threading.Lock()
    users = 0
    limiter: Any


@cache
def _controller() -> ThreadpoolController:
    """What knows the BLAS of numpy; to find it takes milliseconds."""
    return ThreadpoolController()


@contextmanager
def _single_threaded_blas() -> Iterator[None]:
    """Leave BLAS one thread."""
    with _BlasLimit.lock:
        if _BlasLimit.users == 0:
            _BlasLimit.limiter = _controller().limit(limits=1, user_api="blas")
        _BlasLimit.users += 1
    try:
        yield
    finally:
        with _BlasLimit.lock:
            _BlasLimit.users -= 1
            if _BlasLimit.users == 0:
                _BlasLimit.limiter.restore_original_limits()
