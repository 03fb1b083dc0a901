"""Visible and hidden units of Boltzmann machines."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from entropy_sums.distributions import Bernoulli, Family, Normal
from entropy_sums.models.binary.draws import Draws
from entropy_sums.models.blueprint import Blueprint


@runtime_checkable
class Hidden(Protocol):
    """The hidden units of a machine: their weights `(replica, D, H)` and biases `(replica, 1, H)`."""

    @property
    def weight(self) -> Tensor: ...

    @property
    def bias(self) -> Tensor: ...


class BernoulliVisible(nn.Module):
    r"""Units of 0 and 1: $a(v) = b^\top v$; given the hidden ones their logits are the input $b + W(h - \lambda)$."""

    whole = ("bias",)
    countable = True
    middle = 0.5

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(len(blueprint.replicas), 1, blueprint.observed_dim))

    def scaled(self, weight: Tensor) -> Tensor:
        """Weights `(replica, D, H)` from the units to their log odds of hidden units."""
        return weight

    def exponent(self, v: Tensor) -> Tensor:
        """a(v), `(replica, N)`."""
        return (v @ self.bias.mT).squeeze(-1)

    def mean_exponent(self, v: Tensor) -> Tensor:
        """Mean of a(v) over points, `(replica,)`."""
        return (v.mean(-2, keepdim=True) * self.bias).sum((1, 2))

    def given(self, inputs: Tensor) -> Family:
        return Bernoulli(inputs)

    def sample(self, inputs: Tensor, draws: Draws) -> Tensor:
        return draws.bernoulli(inputs)


class NormalVisible(nn.Module):
    r"""Normal units: given the hidden ones their means are the input $b + W(h - \lambda)$, their variances learned."""

    whole = ("bias",)
    countable = False
    middle = 0.0

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__()
        shape = len(blueprint.replicas), 1, blueprint.observed_dim
        self.bias, self.log_variance = nn.Parameter(torch.zeros(shape)), nn.Parameter(torch.zeros(shape))

    def scaled(self, weight: Tensor) -> Tensor:
        """Weights `(replica, D, H)` from the units to their log odds of hidden units."""
        return weight * (-self.log_variance).exp().mT

    def exponent(self, v: Tensor) -> Tensor:
        """a(v), `(replica, N)`."""
        return -0.5 * ((v - self.bias).square() * (-self.log_variance).exp()).sum(-1)

    def mean_exponent(self, v: Tensor) -> Tensor:
        """Mean of a(v) over points, `(replica,)`."""
        return self.exponent(v).mean(1)

    def given(self, inputs: Tensor) -> Family:
        return Normal(inputs, 0.5 * self.log_variance)

    def sample(self, inputs: Tensor, draws: Draws) -> Tensor:
        noise = draws.normal(*inputs.shape[1:], dtype=inputs.dtype)
        return torch.addcmul(inputs, (0.5 * self.log_variance).exp(), noise)
