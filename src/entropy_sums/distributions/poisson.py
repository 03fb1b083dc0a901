"""The Poisson distribution; its base measure is not constant, so true and pseudo entropy differ."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from entropy_sums.distributions.family import Coordinatewise, sum_coordinates


class Poisson(Coordinatewise):
    r"""$\prod_d \lambda_d^{x_d} e^{-\lambda_d} / x_d!$ over the last axis, from finite $\log\lambda_d$ `(..., D)`.

    Besides the entropy it has a pseudo entropy, which leaves out the base measure $h(x) = \prod_d 1/x_d!$:

    $$\mathcal H = \tilde{\mathcal H} - \mathbb E[\log h(x)], \qquad
      \tilde{\mathcal H} = \sum_d \lambda_d - \lambda_d\log\lambda_d$$

    Only the pseudo entropy belongs in an entropy sum: at stationary points the sum equals the ELBO without its
    $\log h(x)$ (exponential families, Lücke and Warnken, arXiv 2209.03077). With the true entropy it does not.

    Example:
        >>> p = Poisson(torch.zeros(1, 2))
        >>> p.entropy(), p.pseudo_entropy(), p.expected_base_measure()
        (tensor([2.6097]), tensor([2.]), tensor([-0.6097]))
    """

    def __init__(self, log_rate: Tensor) -> None:
        self.log_rate = log_rate
        super().__init__(log_rate.shape)

    @property
    def mean(self) -> Tensor:
        return self.log_rate.exp()

    @property
    def variance(self) -> Tensor:
        return self.mean

    def draw(self, samples: int, generator: torch.Generator) -> Tensor:
        return torch.poisson(self.mean.expand(samples, *self.log_rate.shape), generator=generator)

    def log_prob(self, value: Tensor) -> Tensor:
        return (value * self.log_rate - self.mean - (value + 1).lgamma()).sum(-1)

    def _entropies(self) -> Tensor:
        # float64 because the powers of the truncated sum leave the range of float32.
        log_rate = self.log_rate.double()
        sum_side, series_side = log_rate.clamp(max=LOG_LARGE), log_rate.clamp(min=LOG_LARGE)
        return torch.where(log_rate < LOG_LARGE, _by_sum(sum_side), _by_series(series_side)).to(self.log_rate.dtype)

    def pseudo_entropy(self) -> Tensor:
        r"""$\sum_d \lambda_d - \lambda_d\log\lambda_d$ in nats, shape of `entropy()`."""
        return sum_coordinates(self.mean * (1 - self.log_rate), self.dim)

    @staticmethod
    def base_measure(value: Tensor) -> Tensor:
        r"""$\log h(x) = -\sum_d \log x_d!$ in nats, shape `(...)` for values `(..., D)`."""
        return -(value + 1).lgamma().sum(-1)

    def expected_base_measure(self) -> Tensor:
        r"""$\mathbb E[\log h(x)] = \tilde{\mathcal H} - \mathcal H$ in nats, shape of `entropy()`."""
        return self.pseudo_entropy() - self.entropy()


def roots(counts: Tensor) -> Tensor:
    r"""$2\sqrt{x + 3/8}$: a Poisson of any rate above about one has a variance of about 1 in these coordinates.

    Source: Anscombe (Biometrika 1948).

    Example:
        >>> counts = torch.poisson(torch.full((10_000,), 500.0), generator=torch.Generator().manual_seed(0))
        >>> round(roots(counts).var().item(), 1)
        1.0
    """
    return 2 * (counts + 3 / 8).sqrt()


# Where the truncated sum hands over to the asymptotic series: both are within 1e-12 nats there.
LARGE = 64
LOG_LARGE = math.log(LARGE)
# The mass beyond this many terms, times log x!, is below 1e-20 nats at every rate up to LARGE.
TERMS = 160
# Powers 1, 2, … of 1/λ in the entropy; Evans, Boersma, Blachman and Jagers (SIAM Review 30, 1988, problem 87-6)
# give the first three, the others follow from Stirling's series and the central moments of the Poisson.
SERIES = (-1 / 12, -1 / 24, -19 / 360, -9 / 80, -863 / 2520, -1375 / 1008, -33953 / 5040, -57281 / 1440)


def _by_sum(log_rate: Tensor) -> Tensor:
    log_factorials = torch.arange(1, TERMS + 1, dtype=log_rate.dtype, device=log_rate.device).lgamma()
    rate = log_rate.exp()
    return rate * (1 - log_rate) + _Expectation.apply(rate, log_factorials)


def _by_series(log_rate: Tensor) -> Tensor:
    inverse = (-log_rate).exp()
    tail = torch.zeros_like(inverse)
    for coefficient in reversed(SERIES):
        tail = (tail + coefficient) * inverse
    return 0.5 * (1 + math.log(2 * math.pi) + log_rate) + tail


class _Expectation(torch.autograd.Function):
    r"""$\mathbb E[g(X)] = e^{-\lambda} \sum_k g(k) \lambda^k / k!$ from the values $g(0), g(1), \dots$

    Its derivative is again an expectation, $\mathbb E[g(X + 1) - g(X)]$, so only the rate and the values are saved.
    """

    @staticmethod
    def forward(ctx, rate: Tensor, values: Tensor) -> Tensor:
        ctx.save_for_backward(rate, values)
        total = torch.zeros_like(rate)
        for k, value in reversed(list(enumerate(values.tolist()))):
            total.mul_(rate).add_(value / math.factorial(k))
        return total * (-rate).exp()

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        rate, values = ctx.saved_tensors
        return gradient * _Expectation.apply(rate, values.diff()), None
