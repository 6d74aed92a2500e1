"""Features of images: from arrays, from batches, or from a frozen model."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.utils import check_array
from torch import Tensor, nn
from torch.utils.data import BatchSampler, DataLoader, IterableDataset, SequentialSampler
from torch.utils.data.dataloader import _BaseDataLoaderIter

__all__ = ["compute_features", "read_features"]


def compute_features(
    images: Any,
    image_encoder: nn.Module,
    *,
    batch_size: int = 64,
    folder: str | None = None,
) -> npt.NDArray[Any]:
    """Compute features of images with a frozen model, to train :class:`~skgeo.nn.ContrastiveLocationEncoder`.

    The model reads each image once, in evaluation mode and without gradients. The model does not change.

    Parameters
    ----------
    images : Dataset, DataLoader or iterable
        Images in the order of their places. A Dataset is read in batches; a DataLoader or another iterable gives
        batches: a tensor of images, a tuple or list that begins with this tensor, or a dict with this tensor as
        "image". A DataLoader has to read its dataset from the start to the end: without shuffle or another sampler, and
        for an IterableDataset with at most one worker. For other iterables you have to keep the order yourself.
    image_encoder : Module
        Maps a batch of images to features of shape (n, n_features), or (n, n_features, 1, 1). Batches are moved to the
        device of its parameters.
    batch_size : int, default=64
        Images in a batch of a Dataset.
    folder : str or None, default=None
        Folder of a temporary file that holds the features in place of memory. The file is removed with the features.

    Returns
    -------
    ndarray or memmap of shape (n_images, n_features)

    Raises
    ------
    ValueError
        If a DataLoader may change the order of the images, so that features would belong to other places; if a batch
        has no images, or the model returns features of another shape; if there are no batches.

    Examples
    --------
    Features of ten images, which the model reads in batches of four.

    >>> import torch
    >>> from skgeo.nn import compute_features
    >>> images = torch.ones(10, 3, 8, 8)
    >>> model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 8), torch.nn.Flatten())
    >>> compute_features(torch.utils.data.TensorDataset(images), model, batch_size=4).shape
    (10, 4)
    """
    batches = isinstance(images, DataLoader | list | tuple)
    # Any other object with an index and a length is a Dataset of single images.
    if hasattr(images, "__getitem__") and hasattr(images, "__len__") and not batches:
        images = DataLoader(images, batch_size=batch_size)
    _check_order(images)
    # Remember the mode of every part: the caller may have set some parts to evaluation mode.
    training = {module: module.training for module in image_encoder.modules()}
    try:
        return gather(_encode(images, image_encoder.eval()), folder)
    finally:
        for module, was in training.items():
            module.training = was


def read_features(given: Any, image_encoder: Any, folder: str | None) -> npt.NDArray[Any]:
    """A table (n, k) of features from an array, from batches of features, or from images and an image encoder."""
    if given is None or np.isscalar(given):
        raise ValueError(f"image_features={given!r}: expected shape (n_images, n_image_features).")
    if image_encoder is not None:
        return compute_features(given, image_encoder, folder=folder)
    listed = isinstance(given, list | tuple)
    if isinstance(given, Tensor):
        given = as_array(given)
    tabular = hasattr(given, "__array__") or hasattr(given, "__array_interface__")
    # A list of tables is a list of batches; a list of rows or numbers is a table. Other iterables give batches.
    if not tabular and (getattr(given[0], "ndim", 1) == 2 if listed and len(given) else not listed):
        given = gather(given, folder)
    if np.ma.is_masked(given):
        raise ValueError("image_features has masked values: leave these images out, or fill them.")
    # These dtypes stay as they are, so that a memory-mapped table is not copied; others become float64.
    accepted = [np.float64, np.float32, np.float16]
    table = check_array(given, dtype=accepted, ensure_2d=False, ensure_all_finite=False, input_name="image_features")
    if table.ndim == 0:
        raise ValueError(f"image_features={given!r}: expected shape (n_images, n_image_features).")
    return table[:, np.newaxis] if table.ndim == 1 else table


def gather(batches: Iterable[Any], folder: str | None) -> npt.NDArray[Any]:
    """Batches of features (n, k) as one array, in memory or, with ``folder``, in a temporary file there."""
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
            # The first batch decides the dtype of all of them.
            if not shape[0]:
                dtype = part.dtype if part.dtype.kind == "f" else dtype
            shape = shape[0] + part.shape[0], part.shape[1]
            part = np.ascontiguousarray(part, dtype=dtype)
            if file is None:
                parts.append(part)
            else:
                file.write(part.tobytes())
        if not shape[0] * shape[1]:
            raise ValueError(
                "there are no batches of features. A generator gives its batches only once: make a new generator."
            )
        if file is None:
            return np.concatenate(parts)
        # The map keeps the temporary file open. The file disappears with the map.
        file.flush()
        return np.memmap(file, dtype=dtype, mode="r", shape=shape)


def as_array(values: Tensor) -> npt.NDArray[Any]:
    """The numbers of a tensor. NumPy has no bfloat16: it becomes float32."""
    values = values.detach().cpu()
    return (values.float() if values.dtype == torch.bfloat16 else values).numpy()


def _check_order(batches: Any) -> None:
    """Refuse a DataLoader that may change the order of its dataset, because features would belong to other places.

    Lists and generators of batches are not checked. The caller is responsible for their order.
    """
    # tqdm holds a loader as "iterable", and Lightning's Fabric as "_dataloader".
    for name in ("iterable", "_dataloader"):
        batches = getattr(batches, name, batches)
    found = None
    if isinstance(batches, _BaseDataLoaderIter):
        found = _order_problem(batches._dataset, batches._index_sampler, batches._num_workers, batches)
    elif isinstance(batches, DataLoader):
        sampler = batches.sampler if batches.batch_sampler is None else batches.batch_sampler
        found = _order_problem(batches.dataset, sampler, batches.num_workers, batches)
        if type(batches).__iter__ is not DataLoader.__iter__:
            found = f"an __iter__ of its own ({type(batches).__name__})"
    elif isinstance(batches, IterableDataset):
        found = _pipe_problem(batches)
    if found is not None:
        raise ValueError(
            f"images is a DataLoader with {found}: the images may be incomplete or in another order than the places. "
            "Expected DataLoader(dataset, batch_size=64), without shuffle, sampler or drop_last; an IterableDataset "
            "needs num_workers of 0 or 1."
        )


def _order_problem(dataset: Any, sampler: Any, n_workers: int, loader: Any) -> str | None:
    """A description of the setting that may change the order of a dataset, or None."""
    if not isinstance(dataset, IterableDataset):
        # in_order exists from torch 2.6 on; an iterator of a loader has it as _in_order.
        in_order = getattr(loader, "in_order", getattr(loader, "_in_order", True))
        mixed = f"in_order=False and num_workers={n_workers}" if n_workers > 1 and not in_order else None
        return _sampler_problem(sampler) or mixed
    # If there are several workers, each may read all images, or the workers may give batches in another order.
    if n_workers > 1:
        return f"an IterableDataset and num_workers={n_workers}"
    if getattr(loader, "drop_last", getattr(loader, "_drop_last", False)):
        return "drop_last=True"
    return _pipe_problem(dataset)


def _sampler_problem(sampler: Any) -> str | None:
    """A description of a sampler that does not go through the whole dataset from start to end, or None."""
    if type(sampler) is BatchSampler:
        indices: Any = sampler.sampler
        found = _sampler_problem(indices)
        left = len(indices) % sampler.batch_size if found is None and sampler.drop_last else 0
        return f"drop_last=True, which leaves out {left} of them" if left else found
    ascending = isinstance(sampler, range) and sampler.step == 1
    return None if ascending or type(sampler) is SequentialSampler else f"a sampler of type {type(sampler).__name__}"


def _pipe_problem(dataset: Any) -> str | None:
    """A description of a data pipe in an IterableDataset that shuffles, or None. Other code cannot be inspected."""
    while dataset is not None:
        if type(dataset).__name__ == "ShufflerIterDataPipe" and getattr(dataset, "_enabled", True):
            return "a data pipe that shuffles"
        names = ("datapipe", "_datapipe", "source_datapipe")
        dataset = next((vars(dataset)[name] for name in names if name in vars(dataset)), None)
    return None


def _encode(batches: Iterable[Any], image_encoder: nn.Module) -> Iterator[Tensor]:
    """The features of each batch of images."""
    # The device of a model without parameters is the CPU, where this empty tensor is.
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
        # Convolutional networks end in feature maps of one pixel, (n, k, 1, 1): flatten them.
        if features.ndim > 2 and features[0].numel() == features.shape[1]:
            features = features.flatten(1)
        yield features
