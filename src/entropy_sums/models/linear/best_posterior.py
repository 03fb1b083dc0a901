"""Search for the best normal posterior of every point."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor


class Iterate(NamedTuple):
    """Where the search for the best posterior is, for every point by itself.

    Attributes:
        mean, extra: of the latents; what the prior adds to their precisions, `(replica, N, H)`.
        covariance: of the latents, `(replica, N, H, H)`.
        value: the ELBO but for constants and the prior, `(replica, N)`.
    """

    mean: Tensor
    extra: Tensor
    covariance: Tensor
    value: Tensor

    @property
    def variance(self) -> Tensor:
        """Of the latents."""
        return self.covariance.diagonal(dim1=-2, dim2=-1)


def newton(
    at: Iterate, gram: Tensor, linear: Tensor, scale: Tensor, smoothing: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    r"""Newton's step for mean and extra precision γ, and about twice the nats that are left to win.

    In ν and τ the ELBO is concave; its second derivatives are those of $\mathbb E|z|$,
    $c\,\bigl(\begin{smallmatrix}1 & -t\\-t & t^2\end{smallmatrix}\bigr)$ per latent with $t = \nu/\tau$ and
    $c = 2\varphi(t)/(\tau\lambda)$, and those of the quadratic term and the entropy. The latter are of τ by way of γ:
    $\tau\,\mathrm d\tau = -\frac12 Q\,\mathrm d\gamma$, where Q has the squares of all covariances.
    """
    size = linear.shape[-1]
    deviation = (at.variance + smoothing).sqrt()
    ratio = at.mean / deviation
    curvature = math.sqrt(2 / math.pi) * (-0.5 * ratio.square()).exp() / (deviation * scale)
    # Where rounding of WWᵀ would decide which way a direction is curved: one that W maps to zero, at large latents
    damping = torch.finfo(linear.dtype).eps ** 0.75 * gram.diagonal(dim1=-2, dim2=-1)
    slope = linear - at.mean @ gram.squeeze(1) - torch.erf(ratio / math.sqrt(2)) / scale
    squares = 0.5 * at.covariance.square()
    mixed = (ratio * curvature / deviation).unsqueeze(-1)
    own = ((ratio.square() * curvature - at.extra) / deviation.square()).unsqueeze(-1)
    identity = torch.eye(size, dtype=own.dtype, device=own.device)
    system = torch.cat(
        [
            torch.cat([gram + (curvature + damping).diag_embed(), mixed * squares], dim=-1),
            torch.cat([mixed.squeeze(-1).diag_embed(), identity + own * squares], dim=-1),
        ],
        dim=-2,
    )
    lacking = curvature - at.extra
    solution, _ = torch.linalg.solve_ex(system, torch.cat([slope, lacking], dim=-1).unsqueeze(-1))
    ahead, change = solution.squeeze(-1).split(size, dim=-1)
    missing = (slope * ahead).sum(-1) + (lacking * (squares @ change.unsqueeze(-1)).squeeze(-1)).sum(-1)
    # Negative only where rounding hides which way is up: the step is then to be checked, not to be trusted
    return ahead, change, missing.abs()
