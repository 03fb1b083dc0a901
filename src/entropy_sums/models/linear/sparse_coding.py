"""Sparse coding: Laplace latents, a linear decoder with columns of norm one, normal noise with one learned variance."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize

from entropy_sums.bound import Bound, Factor
from entropy_sums.distributions import Family, FullNormal, Laplace, Normal, cross_entropy
from entropy_sums.distributions.closed_forms import mean_distance
from entropy_sums.layers import Trunk, constant, per_replica
from entropy_sums.models.blueprint import Blueprint
from entropy_sums.models.components import NormalHeads
from entropy_sums.models.linear.best_posterior import Covariances, Diagonal, Full, Iterate, Search, independent_variance
from entropy_sums.models.model import DirectedModel, weighted

Points = Float[Tensor, "*replica points dim"]


class SparseCoding(DirectedModel):
    r"""Prior $\prod_h \mathrm{Laplace}(z_h; 0, \lambda_h)$, observation $\mathcal N(zW, \sigma^2 I)$.

    $$F = \tfrac1N \sum_n \mathcal H[q_n] - \sum_h \Bigl(\frac{\mathbb E|z_h|}{\lambda_h} + \log 2\lambda_h\Bigr)
      - \frac{\mathbb E\lVert x - zW \rVert^2}{2\sigma^2} - \frac D2 \log 2\pi\sigma^2$$
    $$E = \tfrac1N \sum_n \mathcal H[q_n] - \sum_h \log 2e\lambda_h - \frac D2 \log 2\pi e\sigma^2$$

    in nats. Both expectations have closed forms for a normal posterior, so that no noise is sampled. The gap of the
    prior is $\sum_h (1 - \mathbb E|z_h| / \lambda_h)$, minus the gradient along the log scales. The gap of the
    observation is $\frac D2 (1 - \mathrm{MSE}/\sigma^2)$. The rows of W, one per latent, have norm one: another norm
    would be redundant besides λ. Source: Velychko, Damm, Fischer and Lücke (AISTATS 2024).

    With `objective: entropy`, training ascends the entropy sum of that paper,

    $$\tfrac1N \sum_n \mathcal H[q_n] - \sum_h \log(2e\, \mathbb E|z_h|) - \frac D2 \log(2\pi e\, \mathrm{MSE}),$$

    with the optimal $\lambda_h = \mathbb E|z_h|$ and $\sigma^2 = \mathrm{MSE}$ of the given points; the stored σ and λ
    follow. With an amortised posterior on full batches, ELBO and entropy sum are therefore equal by construction on
    these points, and their gap is uninformative. Traces measure the gap on the whole training set, which is informative
    with minibatches, and on held-out points. The sum is not a mean over points, hence biased on few points. A best
    posterior is searched again for the σ and λ that follow, so that its gap closes at the optimum only.

    Example:
        >>> from entropy_sums.models import MODELS, build
        >>> model = build([MODELS["sparse_coding"](posterior="full")] * 3, 4, [torch.Generator()] * 3)
        >>> model.bound(torch.zeros(5, 4), torch.empty(3, 5, 0)).elbo.shape
        torch.Size([3])
    """

    variance_parameters = ("log_std", "log_scale")

    def __init__(self, blueprint: Blueprint) -> None:
        s = blueprint.shared
        # The bound has closed forms
        super().__init__(s.latent_dim, noise_dim=0)
        self.weight = nn.Parameter(blueprint.linear(s.latent_dim, blueprint.observed_dim).weight.detach())
        self.constrain()
        log_scale = per_replica(blueprint.packed("prior_scale")).log().repeat(1, 1, s.latent_dim)
        self.log_scale = nn.Parameter(log_scale, requires_grad=s.prior == "learned")
        self.log_std = nn.Parameter(per_replica(blueprint.packed("initial_std")).log())
        self.settings, self.kind, self.known = s, s.objective, s.dictionary == "true"
        self.averaging = constant(blueprint.packed("averaging"))
        self.weight.requires_grad_(not self.known)

    def inform(self, truth: Mapping[str, np.ndarray]) -> None:
        """Hold W at the true `weights` (D, H) with normalised columns, if the settings say so."""
        if not self.known:
            return
        found = truth.get("weights")
        if reason := self.settings.truth_misfit(None if found is None else found.shape):
            raise ValueError(reason)
        with torch.no_grad():
            self.weight.copy_(torch.as_tensor(truth["weights"].T))
        self.constrain()

    @property
    def dictionary(self) -> Float[Tensor, "all latent dim"]:
        """Contribution of each latent to the data, in units of its scale: λ_h times row h of W."""
        return self.log_scale.mT.exp() * self.unit_weight

    @property
    def unit_weight(self) -> Float[Tensor, "replica latent dim"]:
        """Weights W with normalised rows: their gradients lie along the sphere and vanish at an optimum on it."""
        return normalize(self.weight, dim=2)

    @torch.no_grad()
    def constrain(self) -> None:
        """Normalise the stored weights, too: steps of equal size then always turn them by the same angle."""
        self.weight.copy_(self.unit_weight)

    def prior(self) -> Laplace:
        """Prior p(z), batch shape `(replica, 1)`, event `(H,)`."""
        return Laplace(torch.zeros_like(self.log_scale), self.log_scale)

    def observation(self, z: Float[Tensor, "replica points latent"]) -> Normal:
        """p(x given z), batch shape `(replica, N)`, event `(D,)`."""
        return Normal(z @ self.unit_weight, self.log_std)

    @abstractmethod
    def posterior(self, x: Points) -> Normal | FullNormal: ...

    @abstractmethod
    def output_variance(self, posterior: Family) -> Float[Tensor, "replica points"]:
        r"""Variance of the output $\mathbb E\lVert(z - \mathbb E z) W\rVert^2$ due to the posterior covariance."""

    def bound(self, x: Tensor, noise: Tensor, posterior: Family | None = None) -> Bound:
        q = posterior or self.posterior(x)
        prior, observation = self.prior(), self.observation(q.mean)
        log_prob = observation.log_prob(x) - 0.5 * self.output_variance(q) * (-2 * self.log_std.squeeze(-1)).exp()
        return Bound(
            posterior_entropy=self.mean(q.entropy()),
            factors={
                "prior": Factor(self.mean(cross_entropy(marginals(q), prior)), lambda: self.mean(prior.entropy())),
                "observation": Factor(-self.mean(log_prob), lambda: self.mean(observation.entropy())),
            },
        )

    def landscape(self, x: Tensor, noise: Tensor, prior_weight: Tensor | None = None) -> Callable[[], Tensor]:
        weight = self._weight(prior_weight)
        find = self.ascending(x, weight)
        return lambda: OBJECTIVES[self.kind](self, x, noise, find(), weight.flatten())

    def _weight(self, prior_weight: Tensor | None) -> Float[Tensor, "all 1 1"]:
        """Weight of the prior in the precision of the parameters; by default 1."""
        return torch.ones_like(self.log_std) if prior_weight is None else prior_weight[:, None, None].to(self.log_std)

    @abstractmethod
    def ascending(self, x: Points, prior_weight: Tensor) -> Callable[[], Normal | FullNormal]:
        """Posterior in training as a function of the parameters, for weights of the prior `(replica, 1, 1)`."""

    def solved(self, x: Points, posterior: Family) -> tuple[Tensor, Tensor]:
        r"""$\lambda_h = \mathbb E|z_h|$ and $\sigma^2 = \mathrm{MSE}$ of these points, which maximise the ELBO.

        In float64, `(replica, 1, H)` and `(replica, 1, 1)`.
        """
        error = (x - posterior.mean @ self.unit_weight).square().sum(-1) + self.output_variance(posterior)
        scale = mean_distance(marginals(posterior)).mean(1, keepdim=True, dtype=torch.float64)
        return scale, error.mean(1, dtype=torch.float64)[:, None, None] / x.shape[-1]

    @torch.no_grad()
    def settle(self, x: Tensor, prior_weight: Tensor | None = None) -> None:
        """Move σ² and λ to the optimum on these points, fully or as running averages, with `objective: entropy`."""
        if self.kind != "entropy":
            return
        scale, variance = self.solved(x, self.ascending(x, self._weight(prior_weight))())
        keep = self.averaging.to(scale)
        self.log_scale.copy_((keep * self.log_scale.double().exp() + (1 - keep) * scale).log())
        self.log_std.copy_(0.5 * (keep * (2 * self.log_std.double()).exp() + (1 - keep) * variance).log())

    def latent_entropy(self, x: Points) -> Float[Tensor, "all latent"]:
        """Marginal entropy of each latent in nats, `(replica, H)`; the sum bounds the joint entropy from above."""
        return marginals(self.posterior(x)).entropies().mean(1)


def marginals(posterior: Family) -> Normal:
    """Marginal distributions of the latents."""
    return Normal(posterior.mean, 0.5 * posterior.variance.log())


class Amortised(SparseCoding):
    """Sparse coding with an amortised posterior: a network outputs means and variances of the latents."""

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint)
        s = blueprint.shared
        sizes = [blueprint.observed_dim] + [s.encoder_width] * s.encoder_depth
        self.encoder = NormalHeads(blueprint, Trunk(blueprint.layers(sizes), s.activation), sizes[-1], s.latent_dim)

    def posterior(self, x: Points) -> Normal:
        return self.encoder(x)

    def ascending(self, x: Points, prior_weight: Tensor) -> Callable[[], Normal]:
        return lambda: self.posterior(x)

    def output_variance(self, posterior: Family) -> Tensor:
        return independent_variance(posterior)


class Best(SparseCoding):
    """Sparse coding with the normal posterior that maximises the ELBO, found for every point as in best_posterior.py.

    The derivative of the ELBO with respect to this posterior is zero, so no gradient passes through it. The derivative
    of the entropy objective is zero only if σ and λ are optimal for this posterior as well. With this objective the
    gradient passes through one more Newton step, which has the gradient of its limit by the implicit function theorem.
    """

    def __init__(self, blueprint: Blueprint, covariances: Covariances) -> None:
        super().__init__(blueprint)
        self.covariances = covariances

    def posterior(self, x: Points) -> Normal | FullNormal:
        return self.covariances.family(self._search(x, self.log_scale.exp()).best())

    def ascending(self, x: Points, prior_weight: Tensor) -> Callable[[], Normal | FullNormal]:
        """Posterior in training; a search begins where the last one ended, as steps between calls are small."""
        last: Iterate | None = None

        def find() -> Normal | FullNormal:
            nonlocal last
            search = self._search(x, self.log_scale.exp() / prior_weight)
            last = search.best(last)
            return self.covariances.family(last if self.kind == "elbo" else search.attached(last))

        return find

    def output_variance(self, posterior: Family) -> Tensor:
        return self.covariances.output_variance(posterior, lambda: self.unit_weight @ self.unit_weight.mT)

    def _search(self, x: Points, scale: Tensor) -> Search:
        weight, precision = self.unit_weight, (-2 * self.log_std).exp()
        gram = (weight @ weight.mT * precision).unsqueeze(1)
        return Search(self.covariances, gram, x @ weight.mT * precision, scale)


def _elbo(model: SparseCoding, x: Tensor, noise: Tensor, posterior: Family, prior_weight: Tensor) -> Tensor:
    return weighted(model.bound(x, noise, posterior), prior_weight)


def _entropy(model: SparseCoding, x: Tensor, noise: Tensor, posterior: Family, prior_weight: Tensor) -> Tensor:
    scale, variance = model.solved(x, posterior)
    zero = torch.zeros_like(scale)
    prior = Laplace(zero, scale.log()).entropy()
    observation = x.shape[-1] * Normal(zero[..., :1], 0.5 * variance.log()).entropy()
    return model.mean(posterior.entropy()) - (prior_weight * prior.squeeze(1) + observation.squeeze(1))


OBJECTIVES: dict[str, Callable[[SparseCoding, Tensor, Tensor, Family, Tensor], Tensor]] = {
    "elbo": _elbo,
    "entropy": _entropy,
}
"""Name of an objective → its value for a posterior and a weight of the prior per replica."""

POSTERIORS: dict[str, Callable[[Blueprint], SparseCoding]] = {
    "amortised": Amortised,
    "diagonal": partial(Best, covariances=Diagonal()),
    "full": partial(Best, covariances=Full()),
}
"""Kind of posterior → the model with this posterior."""


def sparse_coding(blueprint: Blueprint) -> SparseCoding:
    """Sparse coding with an amortised posterior, or with the best one of every point."""
    return POSTERIORS[blueprint.shared.posterior](blueprint)
