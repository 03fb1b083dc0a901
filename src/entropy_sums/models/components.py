"""What VAEs are composed of: encoders, priors and decoders, each a module whose call returns a distribution."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from entropy_sums.bound import Bound, Factor
from entropy_sums.distributions import Family, FullNormal, Normal
from entropy_sums.layers import (
    OUTPUTS,
    Linear,
    Trunk,
    UnitNormLinear,
    head_of_std,
    log_std,
    per_replica,
    side_by_side,
)
from entropy_sums.models.averages import center_and_covariance
from entropy_sums.models.model import DirectedModel
from entropy_sums.models.objective import Beta, FreeBits


@dataclass(frozen=True)
class Blueprint:
    """All that a model is built from: the settings of each replica, the data size, a generator per replica."""

    replicas: Sequence[Any]
    observed_dim: int
    generators: Sequence[torch.Generator]

    @property
    def shared(self) -> Any:
        """The settings that all replicas have in common: read only unpacked ones from it."""
        return self.replicas[0]

    def packed(self, name: str) -> list[float]:
        """A packed setting, one value per replica."""
        return [getattr(settings, name) for settings in self.replicas]

    def linear(self, inputs: int, outputs: int, kind: Callable[..., Linear] = Linear) -> Linear:
        """A linear layer with initial weights drawn for each replica."""
        return kind(inputs, outputs, self.generators, per_replica(self.packed("initial_scale")))

    def layers(self, sizes: Sequence[int], first: Callable[..., Linear] = Linear) -> list[Linear]:
        """Linear layers between the given sizes, the first one of another kind if need be."""
        kinds = [first, *[Linear] * len(sizes)]
        return [self.linear(a, b, kind) for kind, a, b in zip(kinds, sizes, sizes[1:], strict=False)]

    def trunk(self, layers: Sequence[Linear]) -> Trunk:
        """Hidden layers with what the settings put after each."""
        return Trunk(layers, self.shared.activation, self.packed("dropout"))

    def network_encoder(self) -> NormalHeads:
        """A posterior whose means and variances are outputs of one network."""
        s = self.shared
        sizes = [self.observed_dim] + [s.encoder_width] * s.encoder_depth
        return NormalHeads(self, self.trunk(self.layers(sizes)), sizes[-1], s.latent_dim)

    def network_decoder(self, first: Callable[..., Linear] = Linear) -> nn.Module:
        """The decoder network up to its linear output."""
        s = self.shared
        sizes = [s.latent_dim] + [s.decoder_width] * s.decoder_depth + [self.observed_dim]
        *hidden, last = self.layers(sizes, first)
        return nn.Sequential(self.trunk(hidden), last)

    def normal_decoder(
        self, mean: nn.Module, output: str, std: str = "initial_std", learned: bool = True
    ) -> NormalMean:
        """An observation with one variance; `sampled_dim` of the settings says whether its samples are averaged.

        Args:
            mean: network up to its linear output.
            output: what its mean is of that.
            std: name of the setting that is its first standard deviation.
        """
        averages = self.shared.sampled_dim(self.observed_dim) < self.observed_dim
        decoder = NormalOnFeatures if averages and isinstance(_layers(mean)[-1], Linear) else NormalMean
        return decoder(mean, self.packed(std), 1, self.shared.variance_head, learned, output)

    def network_decoder_heads(self) -> NormalHeads:
        """An observation whose means and variances are outputs of one network."""
        s = self.shared
        sizes = [s.latent_dim] + [s.decoder_width] * s.decoder_depth
        return NormalHeads(self, self.trunk(self.layers(sizes)), sizes[-1], self.observed_dim, s.output)


class NormalHeads(nn.Module):
    """A normal with mean and standard deviation per coordinate, each from a linear head on the last hidden layer."""

    def __init__(
        self, blueprint: Blueprint, trunk: nn.Module, inputs: int, outputs: int, output: str = "linear"
    ) -> None:
        super().__init__()
        self.trunk, self.kind, self.output = trunk, blueprint.shared.variance_head, OUTPUTS[output]
        self.mean = blueprint.linear(inputs, outputs)
        self.spread = blueprint.linear(inputs, outputs)

    def forward(self, x: Tensor) -> Normal:
        mean, spread = side_by_side(self.trunk(x), self.mean, self.spread)
        return Normal(self.output(mean), log_std(spread, self.kind))


class NormalMean(nn.Module):
    """A normal whose mean is a network and whose standard deviations are free parameters.

    Args:
        std: initial value of each replica.
        size: 1 for one standard deviation shared by all coordinates, else their number.
    """

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


class NormalOnFeatures(NormalMean):
    r"""A normal whose mean is a linear layer on features of z, fewer than there are dimensions of the data.

    On average over S posterior samples of a point, with features $h_s$ and $\bar h = \tfrac1S\sum_s h_s$,

    $$\tfrac1S \sum_s \lVert x - W^\top h_s - b\rVert^2
      = \lVert x - W^\top \bar h - b\rVert^2 + \tfrac1S \sum_s \lVert W^\top (h_s - \bar h)\rVert^2,$$

    and the last term needs $WW^\top$ and products of features only: no sample meets the dimensions of the data.

    Args:
        mean: a `Linear`, or an `nn.Sequential` that ends in one.
    """

    def averaged(self, samples: Float[Tensor, "replica samples points latent"]) -> tuple[Normal, Tensor]:
        """p(x given mean features), `(replica, N)`, and $-\\log p$ of all samples beyond its own, nats `(replica,)`."""
        *trunk, last = _layers(self.mean)
        assert isinstance(last, Linear)
        features = reduce(lambda inputs, layer: layer(inputs), trunk, samples.flatten(1, 2))
        center, covariance = center_and_covariance(features.unflatten(1, samples.shape[1:3]))
        deviation = log_std(self.spread, self.kind)
        weight = last.used_weight * (-deviation).exp()
        return Normal(last(center), deviation), 0.5 * (covariance * (weight @ weight.mT)).sum((1, 2))


def _layers(network: nn.Module) -> list[nn.Module]:
    return list(network) if isinstance(network, nn.Sequential) else [network]


class NaturalParameter(nn.Module):
    """A distribution whose natural parameters, one per coordinate, are a network: logits or log rates."""

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
    """N(0, diag α²) with learned α, 1 at the start."""

    zero: Tensor

    def __init__(self, replicas: int, latent_dim: int) -> None:
        super().__init__()
        self.register_buffer("zero", torch.zeros(1, 1, latent_dim))
        self.log_std = nn.Parameter(torch.zeros(replicas, 1, latent_dim))

    def forward(self) -> Normal:
        return Normal(self.zero, self.log_std)


class VAE(DirectedModel):
    """A composition of an encoder x ↦ q(z given x), a prior p(z) and a decoder z ↦ p(x given z)."""

    def __init__(self, blueprint: Blueprint, encoder: nn.Module, prior: nn.Module, decoder: nn.Module) -> None:
        super().__init__(blueprint.shared.latent_dim)
        self.encoder, self.latent_prior, self.decoder = encoder, prior, decoder
        betas = blueprint.packed("beta")
        self.adjustments = nn.ModuleList()
        if blueprint.shared.free_bits:
            self.adjustments.append(FreeBits(blueprint.shared.free_bits))
        if any(beta != 1 for beta in betas):
            self.adjustments.append(Beta(betas, blueprint.shared.entropies))
        self._constrained = [layer for layer in self.modules() if isinstance(layer, UnitNormLinear)]

    def prior(self) -> Family:
        return self.latent_prior()

    def posterior(self, x: Tensor) -> Normal:
        return self.encoder(x)

    def observation(self, z: Tensor) -> Family:
        return self.decoder(z)

    def observation_factor(self, samples: Float[Tensor, "replica samples points latent"], x: Tensor) -> Factor:
        if samples.shape[1] == 1 or not isinstance(self.decoder, NormalOnFeatures) or self._says_otherwise:
            return super().observation_factor(samples, x)
        observation, beyond = self.decoder.averaged(samples)
        return Factor(beyond - self.mean(observation.log_prob(x)), lambda: self.mean(observation.entropy()))

    @property
    def _says_otherwise(self) -> bool:
        """Whether a subclass has an observation of its own, or an entropy of it: these want all samples."""
        kind = type(self)
        return (kind.observation, kind.observation_entropy) != (VAE.observation, VAE.observation_entropy)

    def bound(self, x: Tensor, noise: Tensor, posterior: Normal | FullNormal | None = None) -> Bound:
        posterior = posterior or self.posterior(x)
        bound = super().bound(x, noise, posterior)
        for adjust in self.adjustments:
            bound = adjust(bound, posterior, self.prior())
        return bound

    def constrain(self) -> None:
        for layer in self._constrained:
            layer.constrain()
