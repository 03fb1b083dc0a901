"""Use of the components of a mixture at the end of training, with a warning where some have no use."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from entropy_sums.models.abilities import WithComponents
from entropy_sums.quantities import ALIKE
from entropy_sums.training.evaluation import Record, as_numpy
from entropy_sums.training.recorders.base import Recorder, Subject

EMPTY = 0.5
"""Number of points below which a component counts as empty."""

CHANGES = "lower latent_dim, or try other seeds with start: kmeans++, the default"


class Components(Recorder):
    r"""The mean responsibility of each component, the number of empty components, and that of components in use.

    $$\exp\Bigl(\mathcal H[\bar r] - \tfrac1N \sum_n \mathcal H[r_n]\Bigr), \qquad \bar r = \tfrac1N \sum_n r_n$$

    is the number in use: the exponential of the mutual information between points and components.
    """

    @classmethod
    def applies(cls, subject: Subject) -> bool:
        return isinstance(subject.model, WithComponents)

    def at_end(self, step: int) -> Record:
        model, evaluation = self.model, self.subject.evaluations[""]
        assert isinstance(model, WithComponents)
        with torch.no_grad():
            share = evaluation.mean(
                model.replicas, lambda c: model.responsibilities(evaluation.data[c]).double().mean(1)
            )
            shared = evaluation.mean(
                model.replicas, lambda c: _entropy(model.responsibilities(evaluation.data[c])).mean(1)
            )
        return {
            "component_share": as_numpy(share),
            "empty_components": as_numpy((share * evaluation.points < EMPTY).sum(1)),
            "used_components": as_numpy((_entropy(share) - shared).clamp(min=0).exp()),
        }

    def warnings(self, record: Record) -> Iterator[str]:
        empty = record["empty_components"] > 0
        alike = ~empty & (record["used_components"] < ALIKE)
        if empty.any():
            yield f"{self._runs(empty)} with an empty component, one with less than {EMPTY} points; {CHANGES}"
        if alike.any():
            yield f"{self._runs(alike)} with all components alike, as if there were one; {CHANGES}"

    def _runs(self, found: np.ndarray) -> str:
        seeds = sorted({replica.seed for replica, there in zip(self.subject.replicas, found, strict=True) if there})
        return f"{found.sum()} of {len(found)} runs end (seeds {', '.join(map(str, seeds))})"


def _entropy(probabilities: torch.Tensor) -> torch.Tensor:
    """Entropy along the last axis in nats, in float64."""
    return torch.special.entr(probabilities.double()).sum(-1)
