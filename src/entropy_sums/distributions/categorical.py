"""The categorical distribution over one-hot vectors."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from entropy_sums.distributions.family import Family


class Categorical(Family):
    r"""Categorical distribution over K classes with $\pi = \mathrm{softmax}(l)$; events are one-hot on the last axis.

    $$\mathcal H = -\sum_k \pi_k \log \pi_k \quad\text{nats}$$

    Args:
        logits: `(..., K)`, finite, up to a constant.

    Raises:
        ValueError: fewer than two classes.

    Example:
        >>> Categorical(torch.zeros(1, 4)).entropy()
        tensor([1.3863])
    """

    def __init__(self, logits: Tensor) -> None:
        # A single class would broadcast against any number of classes without an error.
        if logits.shape[-1] < 2:
            raise ValueError(f"logits of shape {tuple(logits.shape)}: the last axis must hold at least 2 classes")
        self.log_probabilities = logits.log_softmax(-1)
        super().__init__(logits.shape)

    @property
    def mean(self) -> Tensor:
        """The class probabilities, `(..., K)`."""
        return self.log_probabilities.exp()

    @property
    def variance(self) -> Tensor:
        return self.mean * (1 - self.mean)

    def draw(self, samples: int, generator: torch.Generator) -> Tensor:
        rows = self.mean.reshape(-1, self.dim)
        classes = torch.multinomial(rows, samples, replacement=True, generator=generator).mT
        return one_hot(classes, self.dim).to(rows.dtype).reshape(samples, *self.batch_shape, self.dim)

    def log_prob(self, value: Tensor) -> Tensor:
        return (value * self.log_probabilities).sum(-1)

    def entropy(self) -> Tensor:
        return -self.log_prob(self.mean)
