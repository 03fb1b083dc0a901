"""The Bernoulli distribution from logits, exact to the last digit at any logit."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus

from entropy_sums.distributions.family import Family


class Bernoulli(Family):
    r"""$\prod_d \mathrm{Bern}(x_d; \mathrm{sigmoid}(l_d))$ over the last axis, from logits `(..., D)`.

    The entropy is $\mathrm{softplus}(-|l|) + |l|\,\mathrm{sigmoid}(-|l|)$: going through probabilities loses
    all digits in float32 beyond $|l| \approx 16$.

    Example:
        >>> Bernoulli(torch.zeros(1, 2)).entropy()
        tensor([1.3863])
    """

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits
        super().__init__(logits.shape)

    @property
    def mean(self) -> Tensor:
        return self.logits.sigmoid()

    @property
    def variance(self) -> Tensor:
        return self.logits.sigmoid() * (-self.logits).sigmoid()

    def draw(self, samples: int, generator: torch.Generator) -> Tensor:
        return torch.bernoulli(self.mean.expand(samples, *self.logits.shape), generator=generator)

    def log_prob(self, value: Tensor) -> Tensor:
        return (value * self.logits - softplus(self.logits)).sum(-1)

    def entropies(self) -> Tensor:
        magnitude = self.logits.abs()
        return softplus(-magnitude) + magnitude * (-magnitude).sigmoid()

    def entropy(self) -> Tensor:
        return self.entropies().sum(-1)
