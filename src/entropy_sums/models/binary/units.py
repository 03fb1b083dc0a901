"""Visible and hidden units of Boltzmann machines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from entropy_sums.distributions import Bernoulli, Family, Normal
from entropy_sums.models.binary.draws import Draws
from entropy_sums.models.blueprint import Blueprint


@runtime_checkable
class Hidden(Protocol):
    """Hidden units of a machine: their weights `(replica, D, H)` and biases `(replica, 1, H)`."""

    @property
    def weight(self) -> Tensor: ...

    @property
    def bias(self) -> Tensor: ...


class Visible(nn.Module, ABC):
    """Visible units: their biases `(replica, 1, D)`, a(v), and their distribution given the hidden ones.

    Attributes:
        countable: whether all states of the units can be enumerated.
        middle: initial offset of a centred machine.
    """

    countable: ClassVar[bool]
    middle: ClassVar[float]

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(len(blueprint.replicas), 1, blueprint.observed_dim))

    @abstractmethod
    def scaled(self, weight: Tensor) -> Tensor:
        """Weights `(replica, D, H)` from the units to the log odds of hidden units."""

    @abstractmethod
    def exponent(self, v: Tensor) -> Tensor:
        """Exponent a(v), `(replica, N)`."""

    @abstractmethod
    def mean_exponent(self, v: Tensor) -> Tensor:
        """Mean of a(v) over points, `(replica,)`."""

    @abstractmethod
    def given(self, inputs: Tensor) -> Family:
        """p(v given h) from the input of the units, `(replica, N, D)`."""

    @abstractmethod
    def sample(self, inputs: Tensor, draws: Draws) -> Tensor:
        """A sample of p(v given h), `(replica, N, D)`."""


class BernoulliVisible(Visible):
    r"""Binary units with $a(v) = b^\top v$; given the hidden units, the logits are the input $b + W(h - \lambda)$."""

    countable = True
    middle = 0.5

    def scaled(self, weight: Tensor) -> Tensor:
        return weight

    def exponent(self, v: Tensor) -> Tensor:
        return (v @ self.bias.mT).squeeze(-1)

    def mean_exponent(self, v: Tensor) -> Tensor:
        return (v.mean(-2, keepdim=True) * self.bias).sum((1, 2))

    def given(self, inputs: Tensor) -> Family:
        return Bernoulli(inputs)

    def sample(self, inputs: Tensor, draws: Draws) -> Tensor:
        return draws.bernoulli(inputs)


class NormalVisible(Visible):
    r"""Normal units; given the hidden units, the means are the input $b + W(h - \lambda)$; variances are learned."""

    countable = False
    middle = 0.0
    variance_parameters = ("log_variance",)

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint)
        self.log_variance = nn.Parameter(torch.zeros_like(self.bias))

    def scaled(self, weight: Tensor) -> Tensor:
        return weight * (-self.log_variance).exp().mT

    def exponent(self, v: Tensor) -> Tensor:
        return -0.5 * ((v - self.bias).square() * (-self.log_variance).exp()).sum(-1)

    def mean_exponent(self, v: Tensor) -> Tensor:
        return self.exponent(v).mean(1)

    def given(self, inputs: Tensor) -> Family:
        return Normal(inputs, 0.5 * self.log_variance)

    def sample(self, inputs: Tensor, draws: Draws) -> Tensor:
        noise = draws.normal(*inputs.shape[1:], dtype=inputs.dtype)
        return torch.addcmul(inputs, (0.5 * self.log_variance).exp(), noise)
