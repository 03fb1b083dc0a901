"""The Laplace distribution, the usual prior of sparse coding."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from entropy_sums.distributions.family import Coordinatewise, broadcast_shape
from entropy_sums.draws import exponential

LOG_2 = math.log(2)


class Laplace(Coordinatewise):
    r"""$\prod_d \frac{1}{2 b_d} \exp(-|x_d - \mu_d| / b_d)$ over the last axis, from $\mu_d$ and $\log b_d$.

    Its entropy is $\sum_d 1 + \log 2 b_d$ nats.

    Args:
        loc: `(..., D)`.
        log_scale: `(..., D)`, or `(..., 1)` for one scale of all coordinates.

    Example:
        >>> Laplace(torch.zeros(1, 2), torch.zeros(1, 1)).entropy()
        tensor([3.3863])
    """

    def __init__(self, loc: Tensor, log_scale: Tensor) -> None:
        self.loc, self.log_scale = loc, log_scale
        super().__init__(broadcast_shape(loc.shape, log_scale.shape))

    @property
    def mean(self) -> Tensor:
        return self.loc.expand(self._extended_shape())

    @property
    def variance(self) -> Tensor:
        return (2 * (2 * self.log_scale).exp()).expand(self._extended_shape())

    def draw(self, samples: int, generator: torch.Generator) -> Tensor:
        # The difference of two exponentials reaches both tails; the inverse of the distribution function may hit log 0.
        ahead, behind = (exponential(self._blank(samples, self.loc), generator) for _ in range(2))
        return self.loc + self.log_scale.exp() * (ahead - behind)

    def log_prob(self, value: Tensor) -> Tensor:
        return -((value - self.loc).abs() * (-self.log_scale).exp() + self.log_scale + LOG_2).sum(-1)

    def _entropies(self) -> Tensor:
        return 1 + LOG_2 + self.log_scale
