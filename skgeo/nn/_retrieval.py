"""Retrieval of places by images and of images by places, by the cosine of their embeddings."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from skgeo._kernels.threads import row_blocks
from skgeo.nn._contrastive_modules import Normalized, build_projection
from skgeo.nn._feature_rows import FeatureRows
from skgeo.nn._torch_state import Arrays
from skgeo.nn._training import predict, predict_blocks

__all__ = ["hit_rates", "most_similar", "retrieval_report", "unit_images", "unit_place_blocks"]

# Ranks of the report: an answer counts as found if it is among the first 1, 5 or 10.
_RANKS = (1, 5, 10)
# Similarities in one block: 16 MB of float32.
_VALUES_PER_BLOCK = 2**22


def unit_place_blocks(
    encoder: nn.Module, network: nn.Module, points: npt.NDArray[Any], n_images: int, device: str
) -> Iterator[tuple[slice, npt.NDArray[Any]]]:
    """Normalised embeddings of blocks of places. The table of a block and of all images fits into memory."""
    for block, values in predict_blocks(encoder, Normalized(network), points, device):
        # A block of the network can have more rows than a block of the table.
        for rows in row_blocks(len(values), n_images, _VALUES_PER_BLOCK):
            yield slice(block.start + rows.start, block.start + rows.stop), values[rows]


def unit_images(weights: Arrays, features: FeatureRows, device: str) -> npt.NDArray[Any]:
    """Normalised embeddings of images, from the weights of a matcher and from standardised features."""
    projection, dtype = build_projection(weights), weights["projection.weight"].dtype
    # A feature beyond float32 becomes infinite without a warning, as in torch.
    with np.errstate(over="ignore"):
        return np.concatenate([predict(None, projection, block.astype(dtype), device) for block in features.blocks()])


def most_similar(
    images: npt.NDArray[Any], place_blocks: Iterator[tuple[slice, npt.NDArray[Any]]], k: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[Any]]:
    """Rows of the k places most similar to each image, and their similarities, both (n_images, k)."""
    indices = np.empty((len(images), 0), dtype=np.intp)
    similarity = np.empty((len(images), 0), dtype=images.dtype)
    for rows, values in place_blocks:
        # A missing place has the similarity NaN. Minus infinity puts it behind all others.
        found = np.nan_to_num(images @ values.T, nan=-np.inf)
        similarity = np.concatenate([similarity, found], axis=1)
        block = np.broadcast_to(np.arange(rows.start, rows.stop), found.shape)
        indices = np.concatenate([indices, block], axis=1)
        # Keep the k best of all blocks so far. The sort is stable: of equal places the first one stays first.
        order = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
        similarity, indices = (np.take_along_axis(table, order, axis=1) for table in (similarity, indices))
    return indices, similarity


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
