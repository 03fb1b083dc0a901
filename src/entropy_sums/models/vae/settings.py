"""Settings of variational autoencoders. Light: without torch."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from entropy_sums.models.base import Ability, Activation, Look, ModelSettings, Rate, VarianceHead
from entropy_sums.settings import Packed

Widths = PositiveInt | Annotated[tuple[PositiveInt, ...], Field(min_length=1)]

Output = Literal["linear", "sigmoid", "leaky_relu"]


class VAESettings(ModelSettings):
    """Settings common to all VAEs: weights of the ELBO."""

    beta: Packed[PositiveFloat] = 1.0
    """Weight β of posterior entropy and prior: the elbo is β(H[q] − CE of the prior) − CE of the observation."""
    entropies: Literal["weighted", "unweighted"] = "weighted"
    """Whether the entropy sum is weighted by β like the elbo; with `unweighted` and β ≠ 1, the gap does not close."""
    free_bits: NonNegativeFloat = 0.0
    """Free nats λ per latent: the KL of a latent, a mean over the batch, counts as at least λ in the elbo."""

    @property
    def abilities(self) -> frozenset[Ability]:
        return frozenset({Ability.BOUND, Ability.LANDSCAPE, Ability.PRIOR_WEIGHT, Ability.WEIGHTS})


class LinearVAESettings(VAESettings):
    """Linear encoder mean and decoder; one encoder standard deviation per latent, shared by all points."""

    name = "linear_vae"
    implementation = "entropy_sums.models.vae.gaussian:LinearVAE"
    label = "linear VAE"
    look = Look("#000000", "D")

    variance_head: VarianceHead = "log_variance"
    """Function that maps free parameters to standard deviations."""
    initial_std: Packed[PositiveFloat] = 1.0
    """Decoder standard deviation σ at the start."""
    initial_encoder_std: Packed[PositiveFloat] = 0.6931471805599453
    """Encoder standard deviations τ at the start; by default softplus(0), as published (Damm et al., 2023)."""

    def sampled_dim(self, observed_dim: int) -> int:
        return min(self.latent_dim, observed_dim)


class NetworkSettings(VAESettings):
    """Encoder and decoder networks."""

    encoder_width: Widths = 50
    """Number of units per hidden layer of the encoder: of all, or a list with one for each, from the data on."""
    encoder_depth: NonNegativeInt = 2
    """Number of hidden layers of the encoder."""
    decoder_width: Widths = 50
    """Number of units per hidden layer of the decoder: of all, or a list with one for each, from the latents on."""
    decoder_depth: NonNegativeInt = 2
    """Number of hidden layers of the decoder."""
    activation: Activation = "relu"
    """Nonlinearity of all hidden layers."""
    dropout: Packed[Rate] = 0.0
    """Dropout rate of hidden units of encoder and decoder in training; traces are recorded without dropout."""
    variance_head: VarianceHead = "log_variance"
    """Function that maps variance outputs and free parameters to standard deviations."""
    encoder_output: Literal["linear", "leaky_relu"] = "linear"
    """Function on both outputs of the encoder, before `variance_head` reads the second one; the identity of the prior
    needs `linear`."""
    encoder_variance_bias: Packed[float | None] = None
    """Initial biases of the variance outputs of the encoder; by default they are drawn like all others."""

    @model_validator(mode="after")
    def _width_of_each_layer(self):
        for side in ("encoder", "decoder"):
            width, depth = getattr(self, f"{side}_width"), getattr(self, f"{side}_depth")
            if isinstance(width, tuple) and len(width) != depth:
                raise ValueError(
                    f"{side}_width: {list(width)} has {len(width)} numbers for {side}_depth: {depth} layers; write "
                    f"{side}_depth: {len(width)}"
                )
        return self

    @property
    def encoder_layers(self) -> list[int]:
        """Number of units of each hidden layer of the encoder.

        Example:
            >>> VAE1Settings(encoder_width=7).encoder_layers, VAE1Settings(encoder_width=(5, 3)).encoder_layers
            ([7, 7], [5, 3])
        """
        return _layers(self.encoder_width, self.encoder_depth)

    @property
    def decoder_layers(self) -> list[int]:
        """Number of units of each hidden layer of the decoder."""
        return _layers(self.decoder_width, self.decoder_depth)

    @property
    def abilities(self) -> frozenset[Ability]:
        """Abilities of all VAEs; no landscape with `dropout`, since every call of the objective drops other units."""
        return super().abilities - ({Ability.LANDSCAPE} if self.dropout else set())

    @property
    def ascends_elbo(self) -> bool:
        return self.dropout == 0

    def multiplications(self, observed_dim: int) -> int:
        encoder = [observed_dim, *self.encoder_layers, 2 * self.latent_dim]
        decoder = [self.latent_dim, *self.decoder_layers, 2 * observed_dim]
        return sum(a * b for sizes in (encoder, decoder) for a, b in pairwise(sizes))


class GaussianSettings(NetworkSettings):
    """A normal observation."""

    output: Output = "linear"
    """Function that maps the last layer to the mean of the observation; `sigmoid` keeps it between 0 and 1."""


class OneVarianceSettings(GaussianSettings):
    """A normal observation with one variance; posterior samples may be averaged before the last layer."""

    def sampled_dim(self, observed_dim: int) -> int:
        features = [self.latent_dim, *self.decoder_layers][-1]
        return min(features, observed_dim) if self.output == "linear" else observed_dim


class VAE0Settings(OneVarianceSettings):
    """The negative control: the decoder variance is fixed, so the gap does not close."""

    name = "vae0"
    implementation = "entropy_sums.models.vae.gaussian:vae0"
    label = "VAE-0"
    look = Look("#8C8C8C", "X")

    decoder_std: Packed[PositiveFloat] = 1.0
    """The fixed standard deviation σ of the decoder."""


class VAE1Settings(OneVarianceSettings):
    """Standard normal prior, one learned decoder variance."""

    name = "vae1"
    implementation = "entropy_sums.models.vae.gaussian:vae1"
    label = "VAE-1"
    look = Look("#0072B2", "o")

    initial_std: Packed[PositiveFloat] = 1.0
    """Decoder standard deviation σ at the start."""


class VAE2Settings(VAE1Settings):
    """Learned prior variances; the first decoder layer has unit columns."""

    name = "vae2"
    implementation = "entropy_sums.models.vae.gaussian:vae2"
    label = "VAE-2"
    look = Look("#009E73", "s")

    unit_columns: Literal["parametrise", "renormalise"] = "parametrise"
    """`parametrise` divides by the norm in the forward pass, `renormalise` after each update."""
    initial_prior_std: Packed[PositiveFloat] = 1.0
    """Standard deviations α of the prior at the start."""


class VAE3Settings(GaussianSettings):
    """Standard normal prior, one decoder variance per data dimension that depends on the latent."""

    name = "vae3"
    implementation = "entropy_sums.models.vae.gaussian:vae3"
    label = "VAE-3"
    look = Look("#D55E00", "^")


def _layers(width: int | tuple[int, ...], depth: int) -> list[int]:
    return list(width) if isinstance(width, tuple) else [width] * depth


KERNEL = 4
"""Kernel size in pixels with which a convolution halves or doubles the side of images exactly."""


class ConvVAESettings(VAESettings):
    """VAE-1 with convolutional encoder and decoder, for square images."""

    name = "conv_vae"
    implementation = "entropy_sums.models.vae.conv:conv_vae"
    label = "convolutional VAE"
    look = Look("#E69F00", "s")

    channels: PositiveInt = 1
    """Number of colour channels: 1 for grey images, 3 for CelebA."""
    width: PositiveInt = 32
    """Number of feature maps after the first convolution; each further convolution doubles it."""
    depth: PositiveInt = 2
    """Number of convolutions of the encoder, each of which halves the side of the images, and of the decoder."""
    activation: Activation = "relu"
    """Nonlinearity of all hidden layers."""
    variance_head: VarianceHead = "log_variance"
    """Function that maps variance outputs and free parameters to standard deviations."""
    output: Output = "linear"
    """Function that maps the last layer to the mean of the observation; `sigmoid` keeps it between 0 and 1."""
    initial_std: Packed[PositiveFloat] = 1.0
    """Decoder standard deviation σ at the start."""

    @property
    def maps(self) -> list[int]:
        """Number of feature maps after each convolution.

        Example:
            >>> ConvVAESettings(width=8, depth=3).maps
            [8, 16, 32]
        """
        return [self.width * 2**layer for layer in range(self.depth)]

    def dimension_misfit(self, observed_dim: int) -> str | None:
        """Reason why the data are no square images with a side that can be halved `depth` times; None if they are.

        Example:
            >>> ConvVAESettings(channels=3, depth=5).dimension_misfit(64 * 64 * 3)
            >>> ConvVAESettings(channels=1, depth=5).dimension_misfit(64 * 64 * 3)
            'axes.model: 12288 dimensions are no square images of channels: 1 with a side that depth: 5 halves ...'
        """
        side = math.isqrt(observed_dim // self.channels)
        if side**2 * self.channels == observed_dim and side % 2**self.depth == 0:
            return None
        return (
            f"axes.model: {observed_dim} dimensions are no square images of channels: {self.channels} with a side that "
            f"depth: {self.depth} halves without rest; set channels to the colours of a pixel, lower depth, or choose "
            "another model"
        )

    def multiplications(self, observed_dim: int) -> int:
        """Approximate number of multiplications per point: kernel weights count once per pixel of the smaller image."""
        pixels = [observed_dim / self.channels / 4**layer for layer in range(1, self.depth + 1)]
        convolutions = sum(size * after for size, after in zip(self._kernels, pixels, strict=True))
        return round(2 * convolutions + self._heads(observed_dim))

    def parameters(self, observed_dim: int) -> int:
        return round(2 * sum(self._kernels) + self._heads(observed_dim))

    @property
    def _kernels(self) -> list[int]:
        return [KERNEL**2 * a * b for a, b in pairwise([self.channels, *self.maps])]

    def _heads(self, observed_dim: int) -> float:
        """Number of weights between the smallest images and the latents: mean, variance and first decoder layer."""
        return 3 * self.latent_dim * self.maps[-1] * observed_dim / self.channels / 4**self.depth


class BernoulliVAESettings(NetworkSettings):
    """Standard normal prior, Bernoulli decoder for binary data."""

    name = "bernoulli_vae"
    implementation = "entropy_sums.models.vae.bernoulli:bernoulli_vae"
    label = "Bernoulli VAE"
    look = Look("#CC79A7", "v")
    support = "binary"


class PoissonVAESettings(NetworkSettings):
    """Standard normal prior, Poisson decoder for counts, log rates linear in the last layer, at the means at first."""

    name = "poisson_vae"
    implementation = "entropy_sums.models.vae.poisson:poisson_vae"
    label = "Poisson VAE"
    support = "counts"

    observation_entropy: Literal["pseudo", "true"] = "pseudo"
    """Entropies of the Poisson in the entropy sum. With `pseudo` entropies and the mean log base measure, the gap
    closes at stationary points; with `true` entropies it does not."""
