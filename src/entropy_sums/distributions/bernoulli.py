"""The Bernoulli distribution from logits, exact to the last digit at any logit."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from entropy_sums.distributions.family import Coordinatewise
from entropy_sums.draws import uniform


class Bernoulli(Coordinatewise):
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
        return (uniform(self._blank(samples, self.logits), generator) < self.mean).to(self.logits.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        # log(1 + exp(l)) as −logsigmoid(−l): torch's softplus drops the 1 beyond l = 20, which shows in float64.
        return (value * self.logits + logsigmoid(-self.logits)).sum(-1)

    def _entropies(self) -> Tensor:
        # From e^-|l| and not from sigmoid(-|l|), which is 0 in float32 beyond |l| = 88.
        magnitude = self.logits.abs()
        odds = (-magnitude).exp()
        return odds.log1p() + magnitude * odds / (1 + odds)
