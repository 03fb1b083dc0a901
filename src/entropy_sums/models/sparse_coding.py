"""Sparse coding: Laplace latents, a linear decoder with columns of norm one, normal noise of one learned variance."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize

from entropy_sums.bound import Bound, Factor
from entropy_sums.distributions import Family, FullNormal, Laplace, Normal, cross_entropy
from entropy_sums.distributions.normal import cholesky
from entropy_sums.layers import Trunk, per_replica
from entropy_sums.models.components import Blueprint, NormalHeads
from entropy_sums.models.model import Model

Points = Float[Tensor, "*replica points dim"]

MOST_STEPS = 100
"""Of the search for the best posterior; it takes 10 to 30, and where it is cut short the ELBO is a looser bound."""


class SparseCoding(Model):
    r"""Prior $\prod_h \mathrm{Laplace}(z_h; 0, \lambda_h)$, observation $\mathcal N(zW, \sigma^2 I)$.

    $$F = \tfrac1N \sum_n \mathcal H[q_n] - \sum_h \Bigl(\frac{\mathbb E|z_h|}{\lambda_h} + \log 2\lambda_h\Bigr)
      - \frac{\mathbb E\lVert x - zW \rVert^2}{2\sigma^2} - \frac D2 \log 2\pi\sigma^2$$
    $$E = \tfrac1N \sum_n \mathcal H[q_n] - \sum_h \log 2e\lambda_h - \frac D2 \log 2\pi e\sigma^2$$

    in nats. Both expectations have closed forms for a normal posterior, so that nothing is sampled and no noise is
    wanted. The gap of the prior is $\sum_h (1 - \mathbb E|z_h| / \lambda_h)$, minus the gradient along the log scales,
    that of the observation $\frac D2 (1 - \mathrm{MSE}/\sigma^2)$. Rows of W, what one latent sends to the data, have
    norm one: a scale of it would be redundant beside λ. Source: Velychko, Damm, Fischer and Lücke (AISTATS 2024).

    Example:
        >>> from entropy_sums.models import MODELS, build
        >>> model = build([MODELS["sparse_coding"](posterior="full")] * 3, 4, [torch.Generator()] * 3)
        >>> model.bound(torch.zeros(5, 4), torch.empty(3, 5, 0)).elbo.shape
        torch.Size([3])
    """

    factors: ClassVar[tuple[str, ...]] = ("prior", "observation")

    def __init__(self, blueprint: Blueprint) -> None:
        s = blueprint.shared
        super().__init__(len(blueprint.replicas), s.latent_dim, noise_dim=0)
        self.weight = nn.Parameter(blueprint.linear(s.latent_dim, blueprint.observed_dim).weight.detach())
        self.constrain()
        log_scale = per_replica(blueprint.packed("prior_scale")).log().repeat(1, 1, s.latent_dim)
        self.log_scale = nn.Parameter(log_scale, requires_grad=s.prior == "learned")
        self.log_std = nn.Parameter(per_replica(blueprint.packed("initial_std")).log())

    @property
    def unit_weight(self) -> Float[Tensor, "replica latent dim"]:
        """W. Divided by their norms, its rows have gradients along the sphere, which vanish at an optimum on it."""
        return normalize(self.weight, dim=2)

    @torch.no_grad()
    def constrain(self) -> None:
        """Stored weights of norm one, too: a step of one size then turns them by the same angle all along."""
        self.weight.copy_(self.unit_weight)

    def prior(self) -> Laplace:
        """Batch shape `(replica, 1)`, event `(H,)`."""
        return Laplace(torch.zeros_like(self.log_scale), self.log_scale)

    def observation(self, z: Float[Tensor, "replica points latent"]) -> Normal:
        """p(x given z), batch shape `(replica, N)`, event `(D,)`."""
        return Normal(z @ self.unit_weight, self.log_std)

    @abstractmethod
    def posterior(self, x: Points) -> Normal | FullNormal: ...

    @abstractmethod
    def spread(self, posterior: Family) -> Float[Tensor, "replica points"]:
        r"""$\mathbb E\lVert(z - \mathbb E z) W\rVert^2$, what the posterior covariance adds to the squared error."""

    def bound(self, x: Tensor, noise: Tensor, posterior: Family | None = None) -> Bound:
        q = posterior or self.posterior(x)
        prior, observation = self.prior(), self.observation(q.mean)
        log_prob = observation.log_prob(x) - 0.5 * self.spread(q) * (-2 * self.log_std.squeeze(-1)).exp()
        return Bound(
            posterior_entropy=self.mean(q.entropy()),
            factors={
                "prior": Factor(self.mean(cross_entropy(marginals(q), prior)), lambda: self.mean(prior.entropy())),
                "observation": Factor(-self.mean(log_prob), lambda: self.mean(observation.entropy())),
            },
        )

    def latent_entropy(self, x: Points) -> Float[Tensor, "all latent"]:
        """Entropy of each latent by itself in nats, `(replica, H)`: together they have less where they correlate."""
        return marginals(self.posterior(x)).entropies().mean(1)


def marginals(posterior: Family) -> Normal:
    """Each latent by itself."""
    return Normal(posterior.mean, 0.5 * posterior.variance.log())


class Amortised(SparseCoding):
    """With means and variances of the latents from a network."""

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint)
        s = blueprint.shared
        sizes = [blueprint.observed_dim] + [s.encoder_width] * s.encoder_depth
        self.encoder = NormalHeads(blueprint, Trunk(blueprint.layers(sizes), s.activation), sizes[-1], s.latent_dim)

    def posterior(self, x: Points) -> Normal:
        return self.encoder(x)

    def spread(self, posterior: Family) -> Tensor:
        return _spread_apart(posterior)


class Iterate(NamedTuple):
    """Where the search for the best posterior is, for every point by itself.

    Attributes:
        mean, extra: of the latents; what the prior adds to their precisions, `(replica, N, H)`.
        factor: Cholesky factor of the precision, `(replica, N, H, H)`.
        variance: of the latents, `(replica, N, H)`.
        value: the ELBO but for constants, `(replica, N)`.
    """

    mean: Tensor
    extra: Tensor
    factor: Tensor
    variance: Tensor
    value: Tensor


class Best(SparseCoding):
    r"""With the normal posterior that maximises the ELBO, found anew for every point.

    The ELBO is concave in mean and covariance factor (Challis and Barber, JMLR 2013), so that there is one best
    posterior, for held-out points as well. It has the precision
    $WW^\top/\sigma^2 + \mathrm{diag}\,\gamma$ with $\gamma_h = 2\varphi(\nu_h/\tau_h)/(\tau_h\lambda_h)$, where
    $\nu_h$, $\tau_h$ are mean and deviation of latent h and φ the standard normal density, so that 2H numbers are
    searched for: by natural gradients (Khan and Rue, JMLR 2023), with a step that is halved where it would lose.
    As the gradient along the posterior is zero there, none passes through it.
    """

    @torch.no_grad()
    def posterior(self, x: Points) -> Normal | FullNormal:
        weight, precision, inverse_scale = self.unit_weight, (-2 * self.log_std).exp(), (-self.log_scale).exp()
        gram, linear = weight @ weight.mT * precision, x @ weight.mT * precision
        at = self._start(gram, linear, inverse_scale)
        step = torch.ones_like(at.mean[..., :1])
        rounding = torch.finfo(linear.dtype).eps
        for _ in range(MOST_STEPS):
            deviation = at.variance.sqrt()
            ratio = at.mean / deviation
            slope = linear - at.mean @ gram - torch.erf(ratio / math.sqrt(2)) * inverse_scale
            curvature = math.sqrt(2 / math.pi) * (-0.5 * ratio.square()).exp() / deviation * inverse_scale
            ahead = torch.cholesky_solve(slope.unsqueeze(-1), at.factor).squeeze(-1)
            change = curvature - at.extra
            # About twice the nats that are left to win
            missing = (slope * ahead).sum(-1) + (change * at.variance).square().sum(-1)
            if not (missing > rounding).any():
                break
            new = self._iterate(at.mean + step * ahead, at.extra + step * change, gram, linear)
            better = new.value >= at.value - 10 * rounding * (1 + at.value.abs())
            at = Iterate(*(torch.where(_like(better, b), b, a) for a, b in zip(at, new, strict=True)))
            step = torch.where(better.unsqueeze(-1), (2 * step).clamp(max=1), step / 2)
        return self._family(at)

    def _start(self, gram: Tensor, linear: Tensor, inverse_scale: Tensor) -> Iterate:
        """Latents of mean zero, about as precise as without the others."""
        precision = gram.diagonal(dim1=-2, dim2=-1).unsqueeze(1) + inverse_scale.square()
        extra = math.sqrt(2 / math.pi) * precision.sqrt() * inverse_scale
        return self._iterate(torch.zeros_like(linear), extra.expand_as(linear), gram, linear)

    def _iterate(self, mean: Tensor, extra: Tensor, gram: Tensor, linear: Tensor) -> Iterate:
        precision = gram.unsqueeze(1) + extra.diag_embed()
        factor = cholesky(precision)
        variance, log_determinant = self._covariance(precision, factor)
        # The trace of WWᵀ/σ² times the covariance is H − Σ extra · variance for both families
        normal = 0.5 * (log_determinant + (extra * variance).sum(-1))
        quadratic = (mean * (linear - 0.5 * mean @ gram)).sum(-1)
        laplace = cross_entropy(Normal(mean, 0.5 * variance.log()), self.prior())
        return Iterate(mean, extra, factor, variance, normal + quadratic - laplace)

    @abstractmethod
    def _covariance(self, precision: Tensor, factor: Tensor) -> tuple[Tensor, Tensor]:
        """Variances of the latents and log-determinant of their covariance."""

    @abstractmethod
    def _family(self, at: Iterate) -> Normal | FullNormal: ...


class BestDiagonal(Best):
    """Of all normals with independent latents."""

    def _covariance(self, precision: Tensor, factor: Tensor) -> tuple[Tensor, Tensor]:
        variance = 1 / precision.diagonal(dim1=-2, dim2=-1)
        return variance, variance.log().sum(-1)

    def _family(self, at: Iterate) -> Normal:
        return Normal(at.mean, 0.5 * at.variance.log())

    def spread(self, posterior: Family) -> Tensor:
        return _spread_apart(posterior)


class BestFull(Best):
    """Of all normals, whatever their covariance."""

    def _covariance(self, precision: Tensor, factor: Tensor) -> tuple[Tensor, Tensor]:
        log_determinant = -2 * factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return torch.cholesky_inverse(factor).diagonal(dim1=-2, dim2=-1), log_determinant

    def _family(self, at: Iterate) -> FullNormal:
        return FullNormal(at.mean, cholesky(torch.cholesky_inverse(at.factor)))

    def spread(self, posterior: Family) -> Tensor:
        assert isinstance(posterior, FullNormal)
        gram = (self.unit_weight @ self.unit_weight.mT).unsqueeze(1)
        return (posterior.covariance * gram).sum((-2, -1))


POSTERIORS: dict[str, Callable[[Blueprint], SparseCoding]] = {
    "amortised": Amortised,
    "diagonal": BestDiagonal,
    "full": BestFull,
}
"""Posterior → the model with it."""


def sparse_coding(blueprint: Blueprint) -> SparseCoding:
    """Sparse coding with an amortised posterior, or with the best one of every point."""
    return POSTERIORS[blueprint.shared.posterior](blueprint)


def _spread_apart(posterior: Family) -> Tensor:
    """Of latents that are independent: what each sends to the data has norm one."""
    return posterior.variance.sum(-1)


def _like(condition: Tensor, value: Tensor) -> Tensor:
    return condition.reshape(*condition.shape, *[1] * (value.ndim - condition.ndim))
