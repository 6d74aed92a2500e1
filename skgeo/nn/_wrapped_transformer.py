"""A transformer of places as a torch module that calls its ``transform``."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from skgeo._base import table_for

__all__ = ["TransformerModule", "check_differentiable"]


class TransformerModule(nn.Module):
    """Calls ``transform`` of a fitted transformer, with numpy on the CPU and without gradients."""

    def __init__(self, transformer: Any) -> None:
        super().__init__()
        self.transformer = transformer
        # One place shows the number of columns. Places of the user may be missing, and the transformer may refuse them.
        self.n_outputs = self._transform(np.zeros((1, 2))).shape[1]

    def forward(self, points: Tensor) -> Tensor:
        """Embed points (n, 2) in degrees; a row of NaN where a coordinate is NaN."""
        places = points.detach().cpu().numpy()
        values = np.full((len(places), self.n_outputs), np.nan)
        present = ~np.isnan(places).any(axis=1)
        if present.any():
            values[present] = self._transform(places[present])
        return torch.from_numpy(values).to(points.device)

    def extra_repr(self) -> str:
        """The transformer, which decides whether a checkpoint is of the same model."""
        return repr(self.transformer)

    def _transform(self, points: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """The output of the transformer as a dense array."""
        values = self.transformer.transform(table_for(self.transformer, points))
        values = np.asarray(values.toarray() if hasattr(values, "toarray") else values, dtype=np.float64)
        if values.ndim != 2 or len(values) != len(points):
            raise ValueError(
                f"encoder={self.transformer!r} gives shape {values.shape} for {len(points)} places: expected a row for "
                "each place."
            )
        return values


def check_differentiable(encoder: nn.Module) -> None:
    """Refuse to hand out a torch module that would call ``transform`` of a transformer."""
    if isinstance(encoder, TransformerModule):
        name = type(encoder.transformer).__name__
        raise ValueError(
            f"encoder={encoder.transformer!r}: {name} has no to_torch, so this model has no to_torch: use predict or "
            "transform, or an encoder with to_torch."
        )
