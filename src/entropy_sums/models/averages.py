"""Averages over posterior samples, as one operation: forward and backward go over the samples as seldom as can be."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd import Function


def center_and_covariance(
    features: Float[Tensor, "replica samples points feature"],
) -> tuple[Float[Tensor, "replica points feature"], Float[Tensor, "replica feature feature"]]:
    r"""Mean of the samples of every point, and their covariance, a mean over the points and in double precision.

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
        # A product for every sample, and their mean in double precision: a single one loses digits over so many rows
        products = (deviations.mT @ deviations).unflatten(0, (-1, samples))
        return features.mean(1), products.mean(1, dtype=torch.float64) / points

    @staticmethod
    def backward(ctx: Any, to_center: Tensor, to_covariance: Tensor) -> Tensor:
        # That deviations depend on the center adds nothing, since they sum to zero
        (features,) = ctx.saved_tensors
        samples, points = features.shape[1:3]
        product = ((to_covariance + to_covariance.mT) / (samples * points)).to(features)
        return (
            (_deviations(features).flatten(1, 2) @ product)
            .unflatten(1, (samples, points))
            .add_(to_center.unsqueeze(1), alpha=1 / samples)
        )


def _deviations(features: Tensor) -> Tensor:
    return features - features.mean(1, keepdim=True)
