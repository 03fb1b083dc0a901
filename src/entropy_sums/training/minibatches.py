"""ELBO and entropy sum of every minibatch that is trained on: what a stream of data shows of a model."""

from __future__ import annotations

import torch
from torch import Tensor

from entropy_sums.bound import Bound
from entropy_sums.models.model import Model

PREFIX = "batch_"


class Minibatches:
    """A record with a place for every step, kept where the model is: nothing waits for it before the end.

    Args:
        steps: of the training.
        model: that is trained, by the gradient of its bound.
    """

    def __init__(self, steps: int, model: Model) -> None:
        like = next(model.parameters())
        shape = steps, model.replicas
        self.values = {
            f"{PREFIX}{name}": torch.full(shape, torch.nan, dtype=torch.float64, device=like.device)
            for name in ("elbo", "entropy_sum")
        }

    def keep(self, step: int, bound: Bound) -> None:
        """The bound of the minibatch of a step, before the update."""
        with torch.no_grad():
            for name, values in self.values.items():
                values[step] = getattr(bound, name.removeprefix(PREFIX))

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take up what a checkpoint has of an interrupted training."""
        for name, values in self.values.items():
            values.copy_(tensors[name])
