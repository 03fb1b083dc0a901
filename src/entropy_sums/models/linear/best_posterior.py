"""Search for the best normal posterior of every point."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from entropy_sums.distributions import Family, FullNormal, Laplace, Normal, cross_entropy
from entropy_sums.distributions.normal import cholesky

MOST_STEPS = 60
"""Largest number of steps in the search for the best posterior. Most models take 5 to 30 steps. A model with more
latents than dimensions and a small σ may take more; if the search stops early, the ELBO is a looser bound."""


class Iterate(NamedTuple):
    """State of the search for the best posterior of every point.

    Attributes:
        mean, extra: means of the latents, and the precisions that the prior adds, `(replica, N, H)`.
        covariance: covariance of the latents, `(replica, N, H, H)`.
        value: the ELBO without constants and without the prior, `(replica, N)`.
    """

    mean: Tensor
    extra: Tensor
    covariance: Tensor
    value: Tensor

    @property
    def variance(self) -> Tensor:
        """Variances of the latents."""
        return self.covariance.diagonal(dim1=-2, dim2=-1)


class Covariances(ABC):
    """Class of normal distributions in which the best posterior is sought."""

    @abstractmethod
    def of(self, gram: Tensor, extra: Tensor) -> tuple[Tensor, Tensor]:
        """Covariance of the latents and its log-determinant; NaN where there is none.

        Args:
            gram, extra: as in `Search` and `Iterate`.
        """

    @abstractmethod
    def family(self, at: Iterate) -> Normal | FullNormal:
        """Posterior of an iterate."""

    @abstractmethod
    def output_variance(self, posterior: Family, gram: Callable[[], Tensor]) -> Tensor:
        """Output variance as in `SparseCoding`.

        Args:
            gram: function that gives $WW^\top$, `(replica, H, H)`; independent latents need only its diagonal of ones.
        """


class Diagonal(Covariances):
    """All normals with independent latents."""

    def of(self, gram: Tensor, extra: Tensor) -> tuple[Tensor, Tensor]:
        precision = gram.diagonal(dim1=-2, dim2=-1) + extra
        return (1 / precision).diag_embed(), -precision.log().sum(-1)

    def family(self, at: Iterate) -> Normal:
        return Normal(at.mean, 0.5 * at.covariance.diagonal(dim1=-2, dim2=-1).log())

    def output_variance(self, posterior: Family, gram: Callable[[], Tensor]) -> Tensor:
        return independent_variance(posterior)


class Full(Covariances):
    """All normals, with any covariance."""

    def of(self, gram: Tensor, extra: Tensor) -> tuple[Tensor, Tensor]:
        factor = cholesky(gram + extra.diag_embed())
        return torch.cholesky_inverse(factor), -2 * factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def family(self, at: Iterate) -> FullNormal:
        return FullNormal(at.mean, cholesky(at.covariance))

    def output_variance(self, posterior: Family, gram: Callable[[], Tensor]) -> Tensor:
        assert isinstance(posterior, FullNormal)
        return (posterior.covariance * gram().unsqueeze(1)).sum((-2, -1))


def independent_variance(posterior: Family) -> Tensor:
    """Output variance of independent latents, whose rows of W have norm one."""
    return posterior.variance.sum(-1)


@dataclass(frozen=True)
class Search:
    r"""Maximisation of the ELBO of some points over their posteriors.

    The ELBO is concave in mean and covariance factor (Challis and Barber, JMLR 2013), so that there is one best
    posterior, for held-out points as well. Its precision is $WW^\top/\sigma^2 + \mathrm{diag}\,\gamma$ with
    $\gamma_h = 2\varphi(\nu_h/\tau_h)/(\tau_h\lambda_h)$; $\nu_h$ and $\tau_h$ are mean and standard deviation of
    latent h, and φ is the standard normal density. A diagonal posterior has the diagonal of this precision. It takes a
    search over 2H numbers: Newton's method in ν and τ, with steps that are halved where the ELBO would decrease,
    while a smoothing of |z| goes to zero.

    Attributes:
        covariances: covariances that the posterior may have.
        gram, linear: $WW^\top/\sigma^2$, `(replica, 1, H, H)`, and $xW^\top/\sigma^2$, `(replica, N, H)`.
        scale: λ, `(replica, 1, H)`.
    """

    covariances: Covariances
    gram: Tensor
    linear: Tensor
    scale: Tensor

    @torch.no_grad()
    def best(self, start: Iterate | None = None) -> Iterate:
        """Best posterior of every point; the search begins at `start`, by default with a normal prior."""
        rounding = torch.finfo(self.linear.dtype).eps
        if start is None:
            # A normal prior of similar variance gives a start in closed form; then the smoothing of |z| decreases
            extra = (0.5 / self.scale.square()).expand_as(self.linear)
            mean = torch.linalg.solve_ex(self.gram + extra.diag_embed(), self.linear.unsqueeze(-1))[0].squeeze(-1)
            smoothing = mean.square().amax(-1, keepdim=True)
        else:
            mean, extra = start.mean, start.extra
            smoothing = torch.zeros_like(mean[..., :1])
        at = self._iterate(mean, extra)
        step = torch.ones_like(smoothing)
        for _ in range(MOST_STEPS):
            ahead, change, missing = self._newton(at, smoothing)
            before = self._value(at, smoothing)
            scope = 1 + before.abs()
            if not ((missing > rounding * scope) | (smoothing.squeeze(-1) > 0)).any():
                break
            positive = torch.maximum(at.extra + step * change, at.extra / 10)
            new = self._iterate(at.mean + step * ahead, positive)
            # Full Newton steps need no check this near the optimum, where rounding hides the improvement
            better = (self._value(new, smoothing) >= before) | (missing < math.sqrt(rounding) * scope)
            at = Iterate(*(torch.where(_like(better, b), b, a) for a, b in zip(at, new, strict=True)))
            better, near = better.unsqueeze(-1), (missing < 1).unsqueeze(-1)
            step = torch.where(better, (2 * step).clamp(max=1), step / 2)
            smoothing = torch.where(better & near, smoothing / 4, smoothing)
            smoothing = smoothing * (smoothing > 0.01 * at.variance.amin(-1, keepdim=True))
        return at

    def attached(self, at: Iterate) -> Iterate:
        """Best posterior with its gradient with respect to the parameters."""
        at = self._iterate(at.mean, at.extra)
        ahead, change, _ = self._newton(at, torch.zeros_like(self.linear[..., :1]))
        return self._iterate(at.mean + ahead, at.extra + change)

    def _iterate(self, mean: Tensor, extra: Tensor) -> Iterate:
        covariance, log_determinant = self.covariances.of(self.gram, extra)
        variance = covariance.diagonal(dim1=-2, dim2=-1)
        # The trace of WWᵀ/σ² times the covariance is H − Σ extra · variance for both families
        normal = 0.5 * (log_determinant + (extra * variance).sum(-1))
        value = normal + (mean * (self.linear - 0.5 * mean @ self.gram.squeeze(1))).sum(-1)
        return Iterate(mean, extra, covariance, value)

    def _value(self, at: Iterate, smoothing: Tensor) -> Tensor:
        """ELBO without constants; variances in the prior term are larger by `smoothing`."""
        prior = Laplace(torch.zeros_like(self.scale), self.scale.log())
        return at.value - cross_entropy(Normal(at.mean, 0.5 * (at.variance + smoothing).log()), prior)

    def _newton(self, at: Iterate, smoothing: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        r"""Newton's step for mean and extra precision γ, and about twice the nats still missing from the optimum.

        The ELBO is concave in ν and τ. Its second derivatives have two parts. The part of $\mathbb E|z|$ is
        $c\,\bigl(\begin{smallmatrix}1 & -t\\-t & t^2\end{smallmatrix}\bigr)$ per latent with $t = \nu/\tau$ and
        $c = 2\varphi(t)/(\tau\lambda)$. The part of the quadratic term and the entropy depends on τ through
        γ: $\tau\,\mathrm d\tau = -\frac12 Q\,\mathrm d\gamma$, where Q has the squares of all covariances.
        """
        size = self.linear.shape[-1]
        deviation = (at.variance + smoothing).sqrt()
        ratio = at.mean / deviation
        curvature = math.sqrt(2 / math.pi) * (-0.5 * ratio.square()).exp() / (deviation * self.scale)
        # Otherwise rounding of WWᵀ would decide the curvature along directions that W maps to zero, at large latents
        damping = torch.finfo(self.linear.dtype).eps ** 0.75 * self.gram.diagonal(dim1=-2, dim2=-1)
        slope = self.linear - at.mean @ self.gram.squeeze(1) - torch.erf(ratio / math.sqrt(2)) / self.scale
        squares = 0.5 * at.covariance.square()
        mixed = (ratio * curvature / deviation).unsqueeze(-1)
        own = ((ratio.square() * curvature - at.extra) / deviation.square()).unsqueeze(-1)
        identity = torch.eye(size, dtype=own.dtype, device=own.device)
        system = torch.cat(
            [
                torch.cat([self.gram + (curvature + damping).diag_embed(), mixed * squares], dim=-1),
                torch.cat([mixed.squeeze(-1).diag_embed(), identity + own * squares], dim=-1),
            ],
            dim=-2,
        )
        lacking = curvature - at.extra
        solution, _ = torch.linalg.solve_ex(system, torch.cat([slope, lacking], dim=-1).unsqueeze(-1))
        ahead, change = solution.squeeze(-1).split(size, dim=-1)
        missing = (slope * ahead).sum(-1) + (lacking * (squares @ change.unsqueeze(-1)).squeeze(-1)).sum(-1)
        # Negative only where rounding hides the direction of ascent: such a step has to be checked
        return ahead, change, missing.abs()


def _like(condition: Tensor, value: Tensor) -> Tensor:
    return condition.reshape(*condition.shape, *[1] * (value.ndim - condition.ndim))
