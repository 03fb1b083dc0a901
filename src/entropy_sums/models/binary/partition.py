"""The partition function of a Boltzmann machine: exact, or estimated by annealing."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from entropy_sums.distributions import Family

FEWEST_CHAINS = 10
"""Smallest effective number of annealed chains from which standard errors are estimated."""


class Layer(NamedTuple):
    """Layer of a machine, one of two.

    Attributes:
        units: number of units.
        marginal: function of states `(replica, N, units)`: the log of e^−E summed or integrated over the other layer,
            `(replica, N)`, and the distribution of the other layer given this one.
    """

    units: int
    marginal: Callable[[Tensor], tuple[Tensor, Family]]


@dataclass(frozen=True)
class Partition:
    """Partition function and model expectations, from all states of a layer or from some.

    Attributes:
        log_z: log Z, `(replica,)`, in float64.
        exponent: E_p[−E], `(replica,)`, in float64.
        slopes: ∇ log Z, one `(replica, …)` for every learned parameter.
        errors: standard errors of `elbo`, `entropy_sum` and `gap` due to it, `(replica,)`; empty if exact.
    """

    log_z: Tensor
    exponent: Tensor
    slopes: list[Tensor]
    errors: dict[str, Tensor] = field(default_factory=dict)

    def joined(self, other: Partition) -> Partition:
        """Partition from the states of both."""
        log_z = torch.logaddexp(self.log_z, other.log_z)
        own, others = (self.log_z - log_z).exp(), (other.log_z - log_z).exp()
        pairs = zip(self.slopes, other.slopes, strict=True)
        slopes = [a * own.to(a)[:, None, None] + b * others.to(b)[:, None, None] for a, b in pairs]
        return Partition(log_z, own * self.exponent + others * other.exponent, slopes)

    def repeated(self, replicas: int) -> Partition:
        """Partition of one replica, repeated for the given number of replicas."""
        slopes = [slope.repeat(replicas, 1, 1) for slope in self.slopes]
        errors = {name: error.repeat(replicas) for name, error in self.errors.items()}
        return Partition(self.log_z.repeat(replicas), self.exponent.repeat(replicas), slopes, errors)


def chain_errors(log_weights: Tensor, exponents: Tensor) -> dict[str, Tensor]:
    """Standard errors of log Z, of E_p[−E] and of their difference, from the influence of each chain.

    They are infinite if the effective number of chains is below `FEWEST_CHAINS`: an estimate is then uninformative.

    Args:
        log_weights, exponents: log weight and E[−E] of every chain, `(replica, chains)`.
    """
    chains, shares = log_weights.shape[1], log_weights.softmax(1)
    to_log_z = shares - 1 / chains
    to_exponent = shares * (exponents - (shares * exponents).sum(1, keepdim=True))
    influences = {"elbo": to_log_z, "entropy_sum": to_log_z - to_exponent, "gap": to_exponent}
    few = shares.square().sum(1) * FEWEST_CHAINS > 1
    errors = {name: (each.square().sum(1) / (1 - 1 / chains)).sqrt() for name, each in influences.items()}
    return {name: error.masked_fill(few, math.inf) for name, error in errors.items()}
