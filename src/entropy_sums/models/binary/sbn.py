"""Sigmoid belief networks: binary data, layers of binary latents; the latents of the highest layer are independent."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from entropy_sums.distributions import Bernoulli, cross_entropy
from entropy_sums.layers import constant
from entropy_sums.models.binary.draws import Draws
from entropy_sums.models.binary.network import BeliefNetwork, EnumeratedNetwork, Prior
from entropy_sums.models.binary.sampled import SampledNetwork
from entropy_sums.models.blueprint import Blueprint


class IndependentPrior(Prior):
    """A product of Bernoulli distributions, with no layer above."""

    factor = "prior"

    def __init__(self, bias: nn.Parameter, latent_dim: int) -> None:
        super().__init__()
        self.bias, self.latent_dim = bias, latent_dim

    def forward(self) -> Bernoulli:
        """Prior p(z), batch shape `(replica, 1)`, event `(H,)`."""
        return Bernoulli(self.bias.expand(-1, 1, self.latent_dim))

    def gains(self, posterior: Bernoulli, z: Tensor) -> tuple[Tensor, Tensor]:
        known = -cross_entropy(posterior, self())
        return known, torch.zeros_like(known)

    def hidden_entropy(self, z: Tensor) -> Tensor:
        return torch.zeros_like(z[..., 0])

    def marginal(self, z: Tensor) -> Tensor:
        return self().log_prob(z)

    def log_z(self, noise: Tensor) -> Tensor:
        return torch.zeros_like(self.bias[:, 0, 0])

    def learn(self, posterior: Bernoulli, z: Tensor, noise: Tensor) -> Tensor:
        return self.gains(posterior, z)[0].mean(1, dtype=torch.float64)

    def training_log_z(self, z: Tensor, noise: Tensor) -> Tensor:
        return self.log_z(noise)

    def entropy(self, noise: Tensor) -> Tensor:
        return self().entropy().squeeze(1).double()

    def dream(self, z: Tensor, draws: Draws) -> Tensor:
        return draws.bernoulli(self().logits.expand_as(z))


class SBN(SampledNetwork):
    """A sigmoid belief network, trained by the estimator of its settings.

    Example:
        >>> from entropy_sums.models import MODELS, build
        >>> model = build([MODELS["sbn"](depth=2)], 3, [torch.Generator().manual_seed(0)])
        >>> model.factors
        ('prior', 'layer_1', 'observation')
        >>> model.bound(torch.ones(5, 3), torch.zeros(1, 5, 4)).elbo.shape
        torch.Size([1])
    """

    def objective(self, x: Tensor, noise: Tensor) -> Tensor:
        return self.estimator.objective(self, x, noise)


PRIORS: dict[str, Callable[[Blueprint], nn.Parameter]] = {
    "learned": lambda blueprint: nn.Parameter(torch.zeros(len(blueprint.replicas), 1, blueprint.shared.latent_dim)),
    "uniform": lambda blueprint: constant([0.0] * len(blueprint.replicas)),
    "fixed": lambda blueprint: constant([math.log(mean / (1 - mean)) for mean in blueprint.packed("prior_mean")]),
}
"""Kind of prior → its logits."""


def sbn(blueprint: Blueprint) -> BeliefNetwork:
    r"""$p(z_L)$, $p(z_l \mid z_{l+1})$ and $p(x \mid z_1)$ of Bernoulli distributions, trained as the settings say."""
    s = blueprint.shared
    kind = EnumeratedNetwork if s.estimator == "enumeration" else SBN
    return kind(blueprint, IndependentPrior(PRIORS[s.prior](blueprint), s.latent_dim))
