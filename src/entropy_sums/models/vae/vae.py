"""Variational autoencoders: a composition of encoder, prior and decoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from entropy_sums.bound import Bound
from entropy_sums.distributions import Family, FullNormal, Normal
from entropy_sums.layers import Linear, UnitNormLinear
from entropy_sums.models.blueprint import Blueprint
from entropy_sums.models.components import FromData, NormalHeads, NormalMean
from entropy_sums.models.model import DirectedModel
from entropy_sums.models.vae.averages import NormalOnFeatures, layers_of
from entropy_sums.models.vae.objective import Beta, FreeBits


def network_encoder(blueprint: Blueprint, inputs: nn.Module | None = None) -> NormalHeads:
    """Posterior whose means and variances are outputs of one network.

    Args:
        inputs: module that maps points to the inputs of the network; None for the points themselves.
    """
    s = blueprint.shared
    sizes = [blueprint.observed_dim, *s.encoder_layers]
    trunk = blueprint.trunk(blueprint.layers(sizes))
    network = nn.Sequential(inputs, trunk) if inputs else trunk
    encoder = NormalHeads(blueprint, network, sizes[-1], s.latent_dim, s.encoder_output, s.encoder_output)
    with torch.no_grad():
        for bias, initial in zip(encoder.spread.bias, blueprint.packed("encoder_variance_bias"), strict=True):
            if initial is not None:
                bias.fill_(initial)
    return encoder


def network_decoder(blueprint: Blueprint, first: Callable[..., Linear] = Linear) -> nn.Sequential:
    """Decoder network up to its linear output."""
    s = blueprint.shared
    sizes = [s.latent_dim, *s.decoder_layers, blueprint.observed_dim]
    *hidden, last = blueprint.layers(sizes, first)
    return nn.Sequential(blueprint.trunk(hidden), last)


def normal_decoder(
    blueprint: Blueprint, mean: nn.Module, output: str, std: str = "initial_std", learned: bool = True
) -> NormalMean:
    """Observation with one variance; `sampled_dim` of the settings decides whether its samples are averaged.

    Args:
        mean: network up to its linear output.
        output: name of the function that maps this output to the mean, such as `linear`.
        std: name of the setting of the initial standard deviation.
    """
    averages = blueprint.shared.sampled_dim(blueprint.observed_dim) < blueprint.observed_dim
    decoder = NormalOnFeatures if averages and isinstance(layers_of(mean)[-1], Linear) else NormalMean
    return decoder(mean, blueprint.packed(std), 1, blueprint.shared.variance_head, learned, output)


def network_decoder_heads(blueprint: Blueprint) -> NormalHeads:
    """Observation whose means and variances are outputs of one network."""
    s = blueprint.shared
    sizes = [s.latent_dim, *s.decoder_layers]
    return NormalHeads(blueprint, blueprint.trunk(blueprint.layers(sizes)), sizes[-1], blueprint.observed_dim, s.output)


Entropy = Callable[[Family, Tensor], Tensor]


def true_entropy(observation: Family, x: Tensor) -> Tensor:
    """Entropy H[p(x given z)] in nats."""
    return observation.entropy()


class VAE(DirectedModel):
    """A composition of an encoder x ↦ q(z given x), a prior p(z) and a decoder z ↦ p(x given z).

    Args:
        entropy: function of p(x given z) and x, as in `observation_entropy`.
    """

    def __init__(
        self,
        blueprint: Blueprint,
        encoder: nn.Module,
        prior: nn.Module,
        decoder: nn.Module,
        entropy: Entropy = true_entropy,
    ) -> None:
        super().__init__(blueprint.shared.latent_dim)
        self.encoder, self.latent_prior, self.decoder, self._entropy = encoder, prior, decoder, entropy
        betas = blueprint.packed("beta")
        self.adjustments = nn.ModuleList()
        if blueprint.shared.free_bits:
            self.adjustments.append(FreeBits(blueprint.shared.free_bits))
        if any(beta != 1 for beta in betas):
            self.adjustments.append(Beta(betas, blueprint.shared.entropies))
        self._constrained = [layer for layer in self.modules() if isinstance(layer, UnitNormLinear)]
        self._from_data = [part for part in self.modules() if isinstance(part, FromData)]

    def prior(self) -> Family:
        return self.latent_prior()

    def posterior(self, x: Tensor) -> Normal:
        return self.encoder(x)

    def observation(self, z: Tensor) -> Family:
        return self.decoder(z)

    def observation_entropy(self, observation: Family, x: Tensor) -> Tensor:
        return self._entropy(observation, x)

    def bound(self, x: Tensor, noise: Tensor, posterior: Normal | FullNormal | None = None) -> Bound:
        posterior = posterior or self.posterior(x)
        bound = super().bound(x, noise, posterior)
        for adjust in self.adjustments:
            bound = adjust(bound, posterior, self.prior())
        return bound

    def start(self, x: Float[Tensor, "points dim"], generators: Sequence[torch.Generator]) -> None:
        for part in self._from_data:
            part.begin(x)

    def constrain(self) -> None:
        for layer in self._constrained:
            layer.constrain()
