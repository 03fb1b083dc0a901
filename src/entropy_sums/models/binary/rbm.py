"""Restricted Boltzmann machines with Bernoulli or normal visible units: all visible units are data."""

from __future__ import annotations

from torch import Tensor

from entropy_sums.distributions import Bernoulli
from entropy_sums.models.binary.machine import Machine
from entropy_sums.models.binary.units import BernoulliVisible, Hidden, NormalVisible, Visible
from entropy_sums.models.blueprint import Blueprint


class RBM(Machine):
    """A restricted Boltzmann machine; its posterior is exact, so that the ELBO is the log-likelihood.

    Example:
        >>> import torch
        >>> from entropy_sums.models import MODELS, build
        >>> machine = build([MODELS["rbm"](latent_dim=3)], 5, [torch.Generator().manual_seed(0)])
        >>> x = torch.ones(2, 5)
        >>> machine.bound(x, torch.zeros(1, 2, 2)).elbo.allclose(machine.log_likelihood(x))
        True
    """

    exact_posterior = True

    def __init__(self, blueprint: Blueprint, visible: Visible, hidden: Hidden) -> None:
        super().__init__(blueprint, visible, hidden, blueprint.shared.latent_dim)

    def posterior(self, x: Tensor) -> Bernoulli:
        """Exact p(h given x), batch shape `(replica, N)`, event `(H,)`."""
        return Bernoulli(self.up(x))

    def expected_exponent(self, x: Tensor, posterior: Bernoulli) -> Tensor:
        return self.exponent(x, posterior.logits, posterior.mean)

    def completed(self, x: Tensor) -> Tensor:
        return x

    def log_mass(self, x: Tensor) -> Tensor:
        return self.visible_marginal(x)[0]


def rbm(blueprint: Blueprint) -> RBM:
    """A machine with visible units of 0 and 1."""
    return RBM(blueprint, BernoulliVisible(blueprint), _hidden(blueprint))


def gaussian_rbm(blueprint: Blueprint) -> RBM:
    """A machine with normal visible units of learned variances."""
    return RBM(blueprint, NormalVisible(blueprint), _hidden(blueprint))


def _hidden(blueprint: Blueprint) -> Hidden:
    return blueprint.linear(blueprint.observed_dim, blueprint.shared.latent_dim)
