r"""VAE-1 with convolutional networks, for square images.

The theorem requires a linear first decoder layer, linear heads of the posterior and one learned variance; convolutions
lie between them. The published network for CelebA (Damm et al. 2023, official code) has batch normalisation, which is
left out here: its statistics couple the points of a batch, so that F would not be a mean over points.

Replicas are folded into feature maps, `(N, R·maps, side, side)`, where a grouped convolution with R groups serves a
whole pack. Inputs and outputs are flat vectors: rows of pixels, with the channels of a pixel side by side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from entropy_sums.layers import ACTIVATIONS, Trunk, per_replica
from entropy_sums.models.blueprint import Blueprint
from entropy_sums.models.components import NormalHeads, NormalMean, StandardNormal
from entropy_sums.models.vae.settings import KERNEL
from entropy_sums.models.vae.vae import VAE


def conv_vae(blueprint: Blueprint) -> VAE:
    r"""Prior $N(0, I)$, decoder $N(\mu(z), \sigma^2 I)$ with one learned variance, both networks convolutional."""
    s = blueprint.shared
    side = math.isqrt(blueprint.observed_dim // s.channels)
    maps = [s.channels, *s.maps]
    smallest = side >> s.depth
    features = maps[-1] * smallest**2
    down = [Halving(blueprint, a, b) for a, b in pairwise(maps)]
    up = [Doubling(blueprint, a, b) for a, b in pairwise(maps[::-1])]
    first = Trunk([blueprint.linear(s.latent_dim, features)], s.activation)
    encoder = NormalHeads(blueprint, ConvolutionalTrunk(down, side, s.activation), features, s.latent_dim)
    mean = nn.Sequential(first, ConvolutionalOutput(up, smallest, s.activation))
    decoder = NormalMean(mean, blueprint.packed("initial_std"), 1, s.variance_head, output=s.output)
    return VAE(blueprint, encoder, StandardNormal(s.latent_dim), decoder)


class _Convolution(nn.Module):
    """Weights `(replica, …, kernel, kernel)`, uniform as in `Linear`, and one bias per output map.

    Args:
        shape: shape of the weights of a replica without the kernel axes.
        outputs: number of output maps.
        inputs: number of inputs that one output depends on.
    """

    def __init__(self, blueprint: Blueprint, shape: tuple[int, int], outputs: int, inputs: int) -> None:
        super().__init__()
        scale = per_replica(blueprint.packed("initial_scale")) / math.sqrt(inputs)

        def uniform(*size: int) -> Tensor:
            return 2 * torch.stack([torch.rand(size, generator=source) for source in blueprint.generators]) - 1

        self.weight = nn.Parameter(uniform(*shape, KERNEL, KERNEL) * scale[..., None, None])
        self.bias = nn.Parameter(uniform(1, outputs) * scale)


class Halving(_Convolution):
    """A convolution that halves the side of images.

    Shapes: `(N, R·inputs, side, side)` → `(N, R·outputs, side/2, side/2)`.
    """

    def __init__(self, blueprint: Blueprint, inputs: int, outputs: int) -> None:
        super().__init__(blueprint, (outputs, inputs), outputs, inputs * KERNEL**2)

    def forward(self, x: Float[Tensor, "points maps side side"]) -> Float[Tensor, "points out half half"]:
        return functional.conv2d(
            x, self.weight.flatten(0, 1), self.bias.flatten(), stride=2, padding=1, groups=len(self.weight)
        )


class Doubling(_Convolution):
    """A transposed convolution that doubles the side of images.

    Shapes: `(N, R·inputs, side, side)` → `(N, R·outputs, 2 side, 2 side)`.
    """

    def __init__(self, blueprint: Blueprint, inputs: int, outputs: int) -> None:
        # With stride 2, only every second pixel of a kernel along each side meets an input pixel
        super().__init__(blueprint, (inputs, outputs), outputs, inputs * KERNEL**2 // 4)

    def forward(self, x: Float[Tensor, "points maps side side"]) -> Float[Tensor, "points out double double"]:
        return functional.conv_transpose2d(
            x, self.weight.flatten(0, 1), self.bias.flatten(), stride=2, padding=1, groups=len(self.weight)
        )


class ConvolutionalTrunk(nn.Module):
    """Convolutions, each followed by the activation.

    Shapes: `(N, D)` or `(replica, N, D)` → `(replica, N, features)`.
    """

    def __init__(self, layers: Sequence[Halving], side: int, activation: str) -> None:
        super().__init__()
        self.layers, self.side, self.activation = nn.ModuleList(layers), side, ACTIVATIONS[activation]

    def forward(self, x: Float[Tensor, "*replica points dim"]) -> Float[Tensor, "all points features"]:
        replicas = len(next(self.parameters()))
        images = x.expand(replicas, *x.shape[-2:]).unflatten(2, (self.side, self.side, -1))
        maps = images.permute(1, 0, 4, 2, 3).flatten(1, 2)
        for layer in self.layers:
            maps = self.activation(layer(maps))
        return maps.unflatten(1, (replicas, -1)).transpose(0, 1).flatten(2)


class ConvolutionalOutput(nn.Module):
    """Transposed convolutions, with the activation between them.

    Shapes: `(replica, N, features)` → `(replica, N, D)`.
    """

    def __init__(self, layers: Sequence[Doubling], side: int, activation: str) -> None:
        super().__init__()
        *hidden, self.last = layers
        self.hidden, self.side, self.activation = nn.ModuleList(hidden), side, ACTIVATIONS[activation]

    def forward(self, features: Float[Tensor, "replica points features"]) -> Float[Tensor, "replica points dim"]:
        maps = features.transpose(0, 1).unflatten(2, (-1, self.side, self.side)).flatten(1, 2)
        for layer in self.hidden:
            maps = self.activation(layer(maps))
        images = self.last(maps).unflatten(1, (len(features), -1))
        return images.permute(1, 0, 3, 4, 2).flatten(2)
