"""Work on many parts with threads."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from joblib import Parallel, delayed, effective_n_jobs
from threadpoolctl import threadpool_limits


def each(
    work: Callable[[slice], Any],
    parts: list[slice],
    n_jobs: int | None,
    then: Callable[[slice, Any], object] = lambda part, result: None,
) -> None:
    """Call ``work`` on all parts, on ``n_jobs`` threads, and ``then`` on every result, in order, on this thread."""
    if len(parts) <= 1 or effective_n_jobs(n_jobs) == 1:
        for part in parts:
            then(part, work(part))
        return
    with _single_threaded_blas():
        results = Parallel(n_jobs, backend="threading", return_as="generator")(delayed(work)(part) for part in parts)
        for part, result in zip(parts, results, strict=True):
            then(part, result)


class _BlasLimit:
    """The limit belongs to the whole process: the first to come sets it, the last to leave takes it off."""

    lock = threading.Lock()
    users = 0
    limits: threadpool_limits


@contextmanager
def _single_threaded_blas() -> Iterator[None]:
    """Leave BLAS one thread, where every thread of ours calls it."""
    with _BlasLimit.lock:
        if _BlasLimit.users == 0:
            _BlasLimit.limits = threadpool_limits(1, user_api="blas")
        _BlasLimit.users += 1
    try:
        yield
    finally:
        with _BlasLimit.lock:
            _BlasLimit.users -= 1
            if _BlasLimit.users == 0:
                _BlasLimit.limits.restore_original_limits()
