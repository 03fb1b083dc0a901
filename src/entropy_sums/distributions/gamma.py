"""The gamma distribution and its special case, the exponential."""

from __future__ import annotations

import torch
from torch import Tensor

from entropy_sums.distributions.family import Coordinatewise, broadcast_shape
from entropy_sums.draws import exponential

EULER_GAMMA = 0.5772156649015329


class Exponential(Coordinatewise):
    r"""$\prod_d \lambda_d e^{-\lambda_d x_d}$ over the last axis, from $\log\lambda_d$ `(..., D)`.

    Its entropy is $\sum_d 1 - \log\lambda_d$ nats.

    Example:
        >>> Exponential(torch.zeros(1, 2)).entropy()
        tensor([2.])
    """

    def __init__(self, log_rate: Tensor) -> None:
        self.log_rate = log_rate
        super().__init__(log_rate.shape)

    @property
    def mean(self) -> Tensor:
        return (-self.log_rate).exp()

    @property
    def variance(self) -> Tensor:
        return (-2 * self.log_rate).exp()

    @property
    def mean_log(self) -> Tensor:
        r"""$\mathbb E[\log x_d]$, shape `(..., D)`."""
        return -EULER_GAMMA - self.log_rate

    def draw(self, samples: int, generator: torch.Generator) -> Tensor:
        return exponential(self._blank(samples, self.log_rate), generator) * self.mean

    def log_prob(self, value: Tensor) -> Tensor:
        return (self.log_rate - self.log_rate.exp() * value).sum(-1)

    def _entropies(self) -> Tensor:
        return 1 - self.log_rate


class Gamma(Coordinatewise):
    r"""$\prod_d \frac{\beta_d^{\alpha_d}}{\Gamma(\alpha_d)} x_d^{\alpha_d - 1} e^{-\beta_d x_d}$ over the last axis.

    $$\mathcal H = \sum_d \alpha_d - \log\beta_d + \log\Gamma(\alpha_d) + (1 - \alpha_d)\,\psi(\alpha_d)
      \quad\text{nats}$$

    Terms of size $\alpha\log\alpha$ cancel in it: concentrations beyond 1000 belong in float64.

    Args:
        log_concentration: $\log\alpha$, `(..., D)` or `(..., 1)`.
        log_rate: $\log\beta$, `(..., D)` or `(..., 1)`.

    Example:
        >>> Gamma(torch.zeros(1, 2), torch.zeros(1, 1)).entropy()
        tensor([2.])
    """

    def __init__(self, log_concentration: Tensor, log_rate: Tensor) -> None:
        self.log_concentration, self.log_rate = log_concentration, log_rate
        super().__init__(broadcast_shape(log_concentration.shape, log_rate.shape))

    @property
    def concentration(self) -> Tensor:
        r"""$\alpha$, at the shape it was given."""
        return self.log_concentration.exp()

    @property
    def mean(self) -> Tensor:
        return (self.log_concentration - self.log_rate).exp()

    @property
    def variance(self) -> Tensor:
        return (self.log_concentration - 2 * self.log_rate).exp()

    @property
    def mean_log(self) -> Tensor:
        r"""$\mathbb E[\log x_d] = \psi(\alpha_d) - \log\beta_d$, shape `(..., D)`."""
        return self.concentration.digamma() - self.log_rate

    def draw(self, samples: int, generator: torch.Generator) -> Tensor:
        shape = self._extended_shape(torch.Size((samples,)))
        # Rounded to single precision, because below 1 the sampler takes another way; then in double precision, because
        # samples of a small concentration are below the range of single precision
        rounded = self.concentration.float().double()
        # The sampler that torch.distributions.Gamma uses: the public one takes no generator.
        standard = torch._standard_gamma(  # pyright: ignore[reportPrivateImportUsage]
            rounded.expand(shape), generator=generator
        ).to(self.concentration.dtype)
        # Division by a large rate may underflow to 0, where the log density is infinite; torch clamps there too.
        return (standard * (-self.log_rate).exp()).clamp(min=torch.finfo(standard.dtype).tiny)

    def log_prob(self, value: Tensor) -> Tensor:
        shape = self.concentration
        density = shape * self.log_rate + torch.xlogy(shape - 1, value) - self.log_rate.exp() * value - shape.lgamma()
        return density.sum(-1)

    def _entropies(self) -> Tensor:
        shape = self.concentration
        return shape - self.log_rate + shape.lgamma() + (1 - shape) * shape.digamma()
