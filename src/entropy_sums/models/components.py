"""Components of VAEs: encoders, priors and decoders. Each is a module whose call returns a distribution."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from entropy_sums.distributions import Family, FullNormal, Normal
from entropy_sums.distributions.normal import cholesky
from entropy_sums.distributions.poisson import roots
from entropy_sums.layers import OUTPUTS, Linear, head_of_std, log_std, per_replica, side_by_side
from entropy_sums.models.blueprint import Blueprint


class NormalHeads(nn.Module):
    """A normal; the mean and standard deviation of each coordinate are linear heads on the last hidden layer.

    Args:
        output: name of the function that maps the first head to the mean.
        variance_output: name of the function on the second head, before it is read as a standard deviation.
    """

    def __init__(
        self,
        blueprint: Blueprint,
        trunk: nn.Module,
        inputs: int,
        outputs: int,
        output: str = "linear",
        variance_output: str = "linear",
    ) -> None:
        super().__init__()
        self.trunk, self.kind, self.output = trunk, blueprint.shared.variance_head, OUTPUTS[output]
        self.variance_output = OUTPUTS[variance_output]
        self.mean = blueprint.linear(inputs, outputs)
        self.spread = blueprint.linear(inputs, outputs)

    def forward(self, x: Tensor) -> Normal:
        mean, spread = side_by_side(self.trunk(x), self.mean, self.spread)
        return Normal(self.output(mean), log_std(self.variance_output(spread), self.kind))


class NormalMean(nn.Module):
    """A normal whose mean is a network and whose standard deviations are free parameters.

    Args:
        std: initial value of each replica.
        size: 1 for one standard deviation shared by all coordinates, else their number.
    """

    variance_parameters = ("spread",)

    def __init__(
        self,
        mean: nn.Module,
        std: Sequence[float],
        size: int,
        kind: str,
        learned: bool = True,
        output: str = "linear",
    ) -> None:
        super().__init__()
        self.mean, self.kind, self.output = mean, kind, OUTPUTS[output]
        spread = head_of_std(std, kind).repeat(1, 1, size)
        self.spread = nn.Parameter(spread, requires_grad=learned)

    def forward(self, x: Tensor) -> Normal:
        return Normal(self.output(self.mean(x)), log_std(self.spread, self.kind))


class FromData(nn.Module, ABC):
    """A component with initial values that depend on the training points."""

    @abstractmethod
    def begin(self, x: Float[Tensor, "points dim"]) -> None:
        """Set these values, once before training.

        Args:
            x: all training points.
        """


class NaturalParameter(FromData):
    """A distribution whose natural parameters (logits or log rates, one per coordinate) are a network.

    Args:
        network: layers whose last one is linear.
        at: training points ↦ initial bias of the last layer `(D,)`; None where it is drawn.
    """

    def __init__(
        self, family: Callable[[Tensor], Family], network: nn.Sequential, at: Callable[[Tensor], Tensor] | None = None
    ) -> None:
        super().__init__()
        self.family, self.network, self.at = family, network, at

    def forward(self, z: Tensor) -> Family:
        return self.family(self.network(z))

    @torch.no_grad()
    def begin(self, x: Tensor) -> None:
        if self.at is not None:
            last = self.network[-1]
            assert isinstance(last, Linear)
            last.bias.copy_(self.at(x).expand_as(last.bias))


class CountInputs(FromData):
    """Inputs of a network from counts of any size: their roots, less the mean and divided by the standard deviation.

    Mean and standard deviation are those of the training points, fixed. Standard deviations below 1, that of a Poisson,
    count as 1, so that rare counts are no outliers. Before `begin` it gives the roots.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, observed_dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(observed_dim))
        self.register_buffer("std", torch.ones(observed_dim))

    def forward(self, x: Tensor) -> Tensor:
        return (roots(x) - self.mean) / self.std

    def begin(self, x: Tensor) -> None:
        y = roots(x.double())
        self.mean.copy_(y.mean(0))
        self.std.copy_(y.std(0, correction=0).clamp(min=1))


def rarest(points: int) -> float:
    """Smallest mean of counts or bits that N points can tell from zero: half a one in all of them.

    Example:
        >>> rarest(1000)
        0.0005
    """
    return 0.5 / points


def log_mean(counts: Float[Tensor, "points dim"]) -> Float[Tensor, " dim"]:
    """Logarithm of the mean of every dimension, finite also for dimensions without a count."""
    return counts.double().mean(0).clamp(min=rarest(len(counts))).log()


class StandardNormal(nn.Module):
    """N(0, I)."""

    zero: Tensor

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.register_buffer("zero", torch.zeros(1, 1, latent_dim))

    def forward(self) -> Normal:
        return Normal(self.zero, self.zero[..., :1])


class ScaledNormal(nn.Module):
    """N(0, diag α²) with learned α.

    Args:
        std: initial value of all α of each replica.
    """

    zero: Tensor
    variance_parameters = ("log_std",)

    def __init__(self, std: Sequence[float], latent_dim: int) -> None:
        super().__init__()
        self.register_buffer("zero", torch.zeros(1, 1, latent_dim))
        self.log_std = nn.Parameter(per_replica(std).log().repeat(1, 1, latent_dim))

    def forward(self) -> Normal:
        return Normal(self.zero, self.log_std)


def linear_marginal(linear: Linear, variance: Tensor) -> FullNormal:
    r"""Marginal $\mathcal N(b, WW^\top + \mathrm{diag}\,\sigma^2)$ of x for standard normal z, batch `(replica, 1)`.

    Args:
        linear: W and b.
        variance: $\sigma^2$, `(replica, 1, 1)` or `(replica, 1, D)`.
    """
    identity = torch.eye(linear.bias.shape[-1], dtype=variance.dtype, device=variance.device)
    return FullNormal(linear.bias, cholesky(linear.weight.mT @ linear.weight + variance * identity).unsqueeze(1))


def __getattr__(name: str) -> Any:
    """Names that moved, for plugins written before: these go in the next version."""
    homes = {"Blueprint": "blueprint", "VAE": "vae.vae", "NormalOnFeatures": "vae.averages"}
    if name not in homes:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = f"entropy_sums.models.{homes[name]}"
    warnings.warn(f"{__name__}.{name} is now {home}.{name}", DeprecationWarning, stacklevel=2)
    return getattr(import_module(home), name)
