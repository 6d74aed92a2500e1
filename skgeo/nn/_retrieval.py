"""How well places and images find each other by their similarity."""

from typing import Any

import numpy as np
import numpy.typing as npt

from skgeo._kernels.threads import row_blocks

__all__ = ["hit_rates", "retrieval_report"]

# Ranks of the report: an answer counts as found if it is among the first 1, 5 or 10.
_RANKS = (1, 5, 10)
# Similarities that are computed at a time: 16 MB of float32.
_VALUES_PER_BLOCK = 2**22


def retrieval_report(places: npt.NDArray[Any], images: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    """The attribute ``retrieval_``, from normalised embeddings (n, k) of places and of their images."""
    return {
        "k": np.array(_RANKS),
        "image_to_place": hit_rates(images, places, _RANKS),
        "place_to_image": hit_rates(places, images, _RANKS),
        "chance": np.minimum(np.array(_RANKS) / len(places), 1.0),
    }


def hit_rates(queries: npt.NDArray[Any], answers: npt.NDArray[Any], ranks: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """For each rank the share of queries whose own answer, in the same row, is among the first ``rank`` answers."""
    hits = np.zeros(len(ranks))
    for rows in row_blocks(len(queries), len(answers), _VALUES_PER_BLOCK):
        table = queries[rows] @ answers.T
        own = np.take_along_axis(table, np.arange(rows.start, rows.stop)[:, np.newaxis], axis=1)
        better, equal = (table > own).sum(axis=1), (table == own).sum(axis=1)
        # Equal answers share the ranks behind the better answers: own is among the first with this probability.
        hits += [np.clip((rank - better) / equal, 0.0, 1.0).sum() for rank in ranks]
    return hits / len(queries)
