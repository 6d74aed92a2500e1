"""Matching places with images: the module that is trained, and features of images from a frozen model."""

import math
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.data import BatchSampler, DataLoader, IterableDataset, SequentialSampler
from torch.utils.data.dataloader import _BaseDataLoaderIter

from skgeo.nn._training import Arrays, load

__all__ = ["compute_features"]

_LARGEST_LOGIT_SCALE = 100.0


class Matcher(nn.Module):
    """A network of places and a linear projection of image features, into one space, with the temperature."""

    def __init__(self, network: nn.Module, n_features: int, embed_dim: int, temperature: float) -> None:
        super().__init__()
        self.network = network
        self.projection = nn.Linear(n_features, embed_dim)
        self.logit_scale = nn.Parameter(torch.tensor(-math.log(temperature)))

    def forward(self, embedding: Tensor, features: Tensor) -> Tensor:
        """The symmetric cross-entropy of a batch: each place should find its image, and each image its place."""
        with torch.no_grad():
            self.logit_scale.clamp_(max=math.log(_LARGEST_LOGIT_SCALE))
        places = F.normalize(self.network(embedding), dim=-1)
        images = F.normalize(self.projection(features), dim=-1)
        logits = (self.logit_scale.exp() * places) @ images.T
        own = torch.arange(len(logits), device=logits.device)
        return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


class Normalized(nn.Module):
    """A network whose outputs have length one: an embedding of places, or of the features of images."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, embedding: Tensor) -> Tensor:
        """Normalised embeddings."""
        return F.normalize(self.network(embedding), dim=-1)


def projection_of(weights: Arrays) -> Normalized:
    """What embeds the standardised features of images, from the weights of a matcher."""
    n_outputs, n_inputs = weights["projection.weight"].shape
    with torch.device("meta"):  # neither memory nor random numbers for what is replaced
        projection = nn.Linear(n_inputs, n_outputs)
    return Normalized(load(projection, {name: weights[f"projection.{name}"] for name in ("weight", "bias")}))


def compute_features(
    images: Any,
    image_encoder: nn.Module,
    *,
    batch_size: int = 64,
    folder: str | None = None,
) -> npt.NDArray[Any]:
    """Features of images from a frozen model, to be learned from by :class:`~skgeo.nn.ContrastiveLocationEncoder`.

    Each image goes through the model once, in evaluation mode and without gradients; the model is left as it was.

    Parameters
    ----------
    images : Dataset, DataLoader or iterable
        Images in the order of their places. A Dataset is read in batches; a DataLoader or another iterable gives
        batches: a tensor, a tuple or list that begins with it, or a dict that has it as "image". A DataLoader has to
        go through its dataset from the start to the end: without shuffle or a sampler of another kind, and of an
        IterableDataset with one worker at most. The order of other iterables is the caller's.
    image_encoder : Module
        Maps a batch of images to features of shape (n, n_features), or (n, n_features, 1, 1). Batches are moved to the
        device of its parameters.
    batch_size : int, default=64
        Images in a batch of a Dataset.
    folder : str or None, default=None
        Folder of a temporary file that holds the features in place of memory; it is gone when they are.

    Returns
    -------
    ndarray or memmap of shape (n_images, n_features)

    Raises
    ------
    ValueError
        If a DataLoader is not known to keep the order, so that features would be those of other places; if a batch has
        no images, or the model returns no features of that shape; if there are no batches.

    Examples
    --------
    >>> import torch
    >>> from skgeo.nn import compute_features
    >>> images = torch.ones(10, 3, 8, 8)
    >>> model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 8), torch.nn.Flatten())
    >>> compute_features(torch.utils.data.TensorDataset(images), model, batch_size=4).shape
    (10, 4)
    """
    batches = isinstance(images, DataLoader | list | tuple)
    if hasattr(images, "__getitem__") and hasattr(images, "__len__") and not batches:
        images = DataLoader(images, batch_size=batch_size)
    _check_order(images)
    training = {module: module.training for module in image_encoder.modules()}
    try:
        return gather(_encode(images, image_encoder.eval()), folder)
    finally:
        for module, was in training.items():
            module.training = was


def gather(batches: Iterable[Any], folder: str | None) -> npt.NDArray[Any]:
    """Batches of features (n, k) as one array, in memory or in a temporary file in a folder."""
    _check_order(batches)
    with nullcontext() if folder is None else tempfile.TemporaryFile(dir=folder) as file:
        parts, shape = [], (0, 0)
        dtype: np.dtype[Any] = np.dtype(np.float64)
        for batch in batches:
            part = as_array(batch) if isinstance(batch, Tensor) else np.asarray(batch)
            if part.ndim != 2 or (shape[0] and part.shape[1] != shape[1]):
                raise ValueError(
                    f"a batch of features has shape {part.shape}: expected (n, n_features), the same n_features in all."
                )
            if not shape[0]:
                dtype = part.dtype if part.dtype.kind == "f" else dtype
            shape = shape[0] + part.shape[0], part.shape[1]
            part = np.ascontiguousarray(part, dtype=dtype)
            if file is None:
                parts.append(part)
            else:
                file.write(part.tobytes())
        if not shape[0] * shape[1]:
            raise ValueError("there are no batches of features: was the iterable used up before?")
        if file is None:
            return np.concatenate(parts)
        file.flush()
        return np.memmap(file, dtype=dtype, mode="r", shape=shape)


def as_array(values: Tensor) -> npt.NDArray[Any]:
    """The numbers of a tensor; those that NumPy has no type for become float32."""
    values = values.detach().cpu()
    return (values.float() if values.dtype == torch.bfloat16 else values).numpy()


def _check_order(batches: Any) -> None:
    """Refuse loaders that are not known to keep the order of their dataset, which is that of the places.

    Lists and generators of batches are in the order that the caller has made.
    """
    for name in ("iterable", "_dataloader"):  # of tqdm and of Lightning's Fabric, around a loader
        batches = getattr(batches, name, batches)
    found = None
    if isinstance(batches, _BaseDataLoaderIter):
        found = _disorder(batches._dataset, batches._index_sampler, batches._num_workers, batches)
    elif isinstance(batches, DataLoader):
        sampler = batches.sampler if batches.batch_sampler is None else batches.batch_sampler
        found = _disorder(batches.dataset, sampler, batches.num_workers, batches)
        if type(batches).__iter__ is not DataLoader.__iter__:
            found = f"an __iter__ of its own ({type(batches).__name__})"
    elif isinstance(batches, IterableDataset):
        found = _shuffler(batches)
    if found is not None:
        raise ValueError(
            f"images is a DataLoader with {found}: it is not known to give all images in the order of the places. "
            "Expected DataLoader(dataset, batch_size=64), without shuffle, sampler or drop_last; of an IterableDataset "
            "with num_workers of 0 or 1."
        )


def _disorder(dataset: Any, sampler: Any, n_workers: int, loader: Any) -> str | None:
    """What may change the order of a dataset, if anything does."""
    if not isinstance(dataset, IterableDataset):
        in_order = getattr(loader, "in_order", getattr(loader, "_in_order", True))  # from torch 2.6 on
        mixed = f"in_order=False and num_workers={n_workers}" if n_workers > 1 and not in_order else None
        return _not_sequential(sampler) or mixed
    if n_workers > 1:  # each reads all of the images, or some in turn with the others
        return f"an IterableDataset and num_workers={n_workers}"
    if getattr(loader, "drop_last", getattr(loader, "_drop_last", False)):
        return "drop_last=True"
    return _shuffler(dataset)


def _not_sequential(sampler: Any) -> str | None:
    """What a sampler is, unless it goes through all of a dataset from the start to the end."""
    if type(sampler) is BatchSampler:
        indices: Any = sampler.sampler
        found = _not_sequential(indices)
        left = len(indices) % sampler.batch_size if found is None and sampler.drop_last else 0
        return f"drop_last=True, which leaves out {left} of them" if left else found
    ascending = isinstance(sampler, range) and sampler.step == 1
    return None if ascending or type(sampler) is SequentialSampler else f"a sampler of type {type(sampler).__name__}"


def _shuffler(dataset: Any) -> str | None:
    """A shuffler among the data pipes that an IterableDataset is made of; others do not show what they do."""
    while dataset is not None:
        if type(dataset).__name__ == "ShufflerIterDataPipe" and getattr(dataset, "_enabled", True):
            return "a data pipe that shuffles"
        names = ("datapipe", "_datapipe", "source_datapipe")
        dataset = next((vars(dataset)[name] for name in names if name in vars(dataset)), None)
    return None


def _encode(batches: Iterable[Any], image_encoder: nn.Module) -> Iterator[Tensor]:
    parameter = next(image_encoder.parameters(), torch.empty(0))
    for batch in batches:
        images = batch
        if isinstance(batch, dict):
            images = batch.get("image")
        elif isinstance(batch, tuple | list) and batch:
            images = batch[0]
        if not isinstance(images, Tensor):
            raise ValueError(
                f"a batch is a {type(batch).__name__} without images: expected a tensor, a tuple that begins with one, "
                "or a dict that has one as 'image'."
            )
        with torch.no_grad():
            features = image_encoder(images.to(parameter.device))
        if features.ndim > 2 and features[0].numel() == features.shape[1]:
            features = features.flatten(1)
        yield features
