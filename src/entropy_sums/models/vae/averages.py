"""Averages over posterior samples as one operation, with few passes over the samples forward and backward."""

from __future__ import annotations

from functools import cached_property, reduce
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd import Function

from entropy_sums.distributions import Normal
from entropy_sums.distributions.family import Coordinatewise
from entropy_sums.layers import Linear, log_std
from entropy_sums.models.components import NormalMean

FAST_WIDTH = 16
"""Number of columns from which on BLAS is fast: 200,000 rows of two are six times as fast in groups of eight (MKL)."""


def center_and_covariance(
    features: Float[Tensor, "replica samples points feature"],
) -> tuple[Float[Tensor, "replica points feature"], Float[Tensor, "replica feature feature"]]:
    r"""Mean of the samples of every point, and their covariance, averaged over points in double precision.

    $$\bar h_n = \tfrac1S \sum_s h_{sn}, \qquad
      C = \tfrac1{SN} \sum_{s,n} (h_{sn} - \bar h_n)(h_{sn} - \bar h_n)^\top$$

    Example:
        >>> center, covariance = center_and_covariance(torch.tensor([[[[1.0, 0.0]], [[3.0, 0.0]]]]))
        >>> center
        tensor([[[2., 0.]]])
        >>> covariance
        tensor([[[1., 0.],
                 [0., 0.]]], dtype=torch.float64)
    """
    return _CenterAndCovariance.apply(features)


class _CenterAndCovariance(Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(features)
        samples, points = features.shape[1:3]
        deviations = _deviations(features).flatten(0, 1)
        # One product per sample, averaged in double precision: a single product loses digits over all rows
        products = (deviations.mT @ deviations).unflatten(0, (-1, samples))
        return features.mean(1), products.mean(1, dtype=torch.float64) / points

    @staticmethod
    def backward(ctx: Any, to_center: Tensor, to_covariance: Tensor) -> Tensor:
        # The path of the deviations through the center contributes nothing, since deviations sum to zero
        (features,) = ctx.saved_tensors
        samples, points = features.shape[1:3]
        product = ((to_covariance + to_covariance.mT) / (samples * points)).to(features)
        through_covariance = _product(_deviations(features).flatten(1, 2), product).view_as(features)
        return through_covariance.add_(to_center.unsqueeze(1), alpha=1 / samples)


def _deviations(features: Tensor) -> Tensor:
    return features - features.mean(1, keepdim=True)


def _product(rows: Tensor, matrix: Tensor) -> Tensor:
    """Product rows @ matrix. Several narrow rows are multiplied as one by a block diagonal, which is faster in BLAS."""
    number, width = rows.shape[1:]
    together = max(several for several in range(1, max(1, FAST_WIDTH // width) + 1) if number % several == 0)
    identity = torch.eye(together, dtype=matrix.dtype, device=matrix.device)
    blocks = torch.einsum("ij,rab->riajb", identity, matrix).flatten(3).flatten(1, 2)
    return (rows.unflatten(1, (-1, together)).flatten(2) @ blocks).view_as(rows)


class NormalOfFeatures(Normal):
    r"""A normal whose mean is a linear layer on features; the layer is applied only when the mean is read.

    The mean squared error of S posterior samples of a point, with features $h_s$ and $\bar h = \tfrac1S\sum_s h_s$, is

    $$\tfrac1S \sum_s \lVert x - W^\top h_s - b\rVert^2
      = \lVert x - W^\top \bar h - b\rVert^2 + \tfrac1S \sum_s \lVert W^\top (h_s - \bar h)\rVert^2.$$

    The last term needs only $WW^\top$ and products of features, so no sample is mapped to the data dimensions.

    Args:
        features: `(replica, N, features)`.
        last: W and b.
        log_std: `(replica, 1, 1)`.
    """

    def __init__(self, features: Tensor, last: Linear, log_std: Tensor) -> None:
        self.features, self.last, self.log_std = features, last, log_std
        Coordinatewise.__init__(self, torch.Size((*features.shape[:-1], last.bias.shape[-1])))

    @cached_property
    def loc(self) -> Tensor:
        return self.last(self.features)

    def mean_log_prob(self, value: Tensor, rounds: int) -> Tensor:
        if rounds == 1:
            return super().mean_log_prob(value, rounds)
        center, covariance = center_and_covariance(self.features.unflatten(1, (rounds, -1)))
        weight = self.last.used_weight * (-self.log_std).exp()
        beyond = 0.5 * (covariance * (weight @ weight.mT)).sum((1, 2))
        return Normal(self.last(center), self.log_std).mean_log_prob(value, 1) - beyond


class NormalOnFeatures(NormalMean):
    """A decoder that averages samples before its last layer, which has fewer inputs than there are data dimensions.

    Args:
        mean: a `Linear`, or an `nn.Sequential` that ends in one.
    """

    def forward(self, x: Tensor) -> NormalOfFeatures:
        *trunk, last = layers_of(self.mean)
        assert isinstance(last, Linear)
        features = reduce(lambda inputs, layer: layer(inputs), trunk, x)
        return NormalOfFeatures(features, last, log_std(self.spread, self.kind))


def layers_of(network: nn.Module) -> list[nn.Module]:
    """Layers of a network, in order."""
    return list(network) if isinstance(network, nn.Sequential) else [network]
