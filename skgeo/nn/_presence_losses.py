"""Losses of presence-only records: a record says where a species was seen, and no record says where it is absent."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

__all__ = ["PRESENCE_LOSSES", "PresenceOnlyLoss", "log_mean_exp"]

#: Losses by their names in the parameter ``loss`` of PresenceOnlyClassifier, whose docstring has their formulas.
PRESENCE_LOSSES = ("full", "slds", "ssdl", "maxent", "poisson")


@dataclass(frozen=True)
class PresenceOnlyLoss:
    """A loss by its name, and the background places with which it compares the records.

    Every loss has two parts: a sum over records, and a sum over species of weights times a ``statistic`` (n_species,).
    ``background`` holds inputs (m, k) of the model. ``background_weight`` holds the shares (m,) of the area of these
    places, which sum to one. ``class_weight`` (n_species,) multiplies the presences of each species.
    """

    name: str
    positive_weight: float
    class_weight: npt.NDArray[np.float64]
    background: npt.NDArray[Any]
    background_weight: npt.NDArray[np.float64]
    batch_size: int | None

    @property
    def n_species(self) -> int:
        """Number of species."""
        return len(self.class_weight)

    def draw(self) -> tuple[Tensor, Tensor]:
        """Rows of background places for one step, and the logarithms of their shares of the area."""
        size = len(self.background)
        if self.name == "slds":  # has no background
            return torch.empty(0, dtype=torch.long), torch.empty(0)
        if self.batch_size is None or size <= self.batch_size:
            return torch.arange(size), torch.from_numpy(np.log(self.background_weight))
        # Places drawn in proportion to their shares stand for equal shares.
        rows = torch.multinomial(torch.from_numpy(self.background_weight), self.batch_size, replacement=True)
        return rows, torch.full((self.batch_size,), -float(np.log(self.batch_size)))

    def indicators(self, target: Tensor) -> Tensor:
        """Which species each record has, (n, n_species), from codes (n,) or from indicators."""
        return F.one_hot(target, self.n_species) if target.ndim == 1 else target

    def total(self, logits: Tensor, present: Tensor, weight: Tensor, statistic: Tensor) -> Tensor:
        """The sum of the weighted losses of records.

        ``logits`` and ``present`` have the shape (n, n_species). ``weight`` has the shape (n,). The ``statistic``
        of the background has the shape (n_species,).
        """
        present = present.to(logits.dtype)
        n_present = present.sum(dim=1, keepdim=True)
        weighted = present * torch.as_tensor(self.class_weight, dtype=logits.dtype, device=logits.device)
        if self.name == "full":
            # softplus(-x) is -log(sigmoid(x)), and softplus(x) is -log(1 - sigmoid(x)).
            presence = self.positive_weight * weighted * F.softplus(-logits)
            records = (presence + (1.0 - present) * F.softplus(logits)).mean(dim=1)
            against = torch.full_like(logits, 1.0 / self.n_species)
        elif self.name in ("maxent", "poisson"):
            records, against = -(weighted * logits).sum(dim=1), weighted
        else:
            # A record with several species is a mean over them; a record without species has no loss.
            against = weighted / n_present.clamp(min=1.0)
            records = (against * F.softplus(-logits)).sum(dim=1)
            if self.name == "slds":
                # The paper draws one of the other species at random. The mean over all of them is the expectation.
                others = (1.0 - present) * F.softplus(logits)
                n_others = (self.n_species - n_present).clamp(min=1.0)
                records = records + against.sum(dim=1) * others.sum(dim=1) / n_others[:, 0]
        return weight @ records + (weight @ against) @ statistic

    def statistic(self, logits: Tensor, log_share: Tensor) -> Tensor:
        """The background statistic (n_species,) of background logits (m, n_species) and log shares (m,) of the area."""
        if self.name == "slds":
            return logits.new_zeros(self.n_species)
        log_share = log_share.to(logits)[:, None]
        if self.name == "maxent":
            return torch.logsumexp(logits + log_share, dim=0)
        if self.name == "poisson":
            return torch.exp(logits + log_share).sum(dim=0)
        return (log_share.exp() * F.softplus(logits)).sum(dim=0)

    def merge(self, statistics: Sequence[Tensor]) -> Tensor:
        """The statistic of the whole background from the statistics of its blocks."""
        stacked = torch.stack(list(statistics))
        return torch.logsumexp(stacked, dim=0) if self.name == "maxent" else stacked.sum(dim=0)


def log_mean_exp(
    logits: npt.NDArray[np.float64], share: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The log of the mean of exp(logits) over the background, and the divergence of the density of each species.

    The density d = exp(logits) / mean, relative to the background, has the Kullback-Leibler divergence
    sum_m share_m d_m log d_m. With equal shares of m places it is log m minus the entropy of the density.
    """
    largest = logits.max(axis=0)
    log_mean = largest + np.log(share @ np.exp(logits - largest))
    log_density = logits - log_mean
    return log_mean, share @ (np.exp(log_density) * log_density)
