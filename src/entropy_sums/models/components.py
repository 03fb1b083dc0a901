"""Components of VAEs: encoders, priors and decoders. Each is a module whose call returns a distribution."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from entropy_sums.distributions import Family, FullNormal, Normal
from entropy_sums.distributions.normal import cholesky
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


class NaturalParameter(nn.Module):
    """A distribution whose natural parameters (logits or log rates, one per coordinate) are a network."""

    def __init__(self, family: Callable[[Tensor], Family], network: nn.Module) -> None:
        super().__init__()
        self.family, self.network = family, network

    def forward(self, z: Tensor) -> Family:
        return self.family(self.network(z))


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
