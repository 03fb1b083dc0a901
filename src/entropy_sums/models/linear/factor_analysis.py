"""Factor analysis with the exact posterior; with one variance it is probabilistic PCA."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from entropy_sums.bound import Bound, Factor
from entropy_sums.distributions import Family, FullNormal, Normal, cross_entropy
from entropy_sums.distributions.normal import cholesky
from entropy_sums.layers import per_replica
from entropy_sums.models.blueprint import Blueprint
from entropy_sums.models.components import StandardNormal, linear_marginal
from entropy_sums.models.model import Model

Points = Float[Tensor, "*replica points dim"]


class FactorAnalysis(Model):
    r"""Prior $\mathcal N(0, I)$, observation $\mathcal N(zW + b, \Psi)$ with $\Psi$ diagonal, or $\sigma^2 I$.

    $$q_n = \mathcal N\bigl((x_n - b)\Psi^{-1}W^\top\Sigma,\ \Sigma\bigr),\qquad \Sigma = (I + W\Psi^{-1}W^\top)^{-1}$$

    is the exact posterior, with the same covariance for all points, so that the ELBO is the log-likelihood. Neither
    bound nor training needs noise. The gradient does not pass through the posterior: it maximises the ELBO, so the
    derivative of the ELBO with respect to it is zero. EM is as in Rubin and Thayer (Psychometrika 1982). With
    one variance the model is the probabilistic PCA of Tipping and Bishop (1999).

    Example:
        >>> from entropy_sums.models import MODELS, build
        >>> model = build([MODELS["factor_analysis"]()] * 3, 4, [torch.Generator()] * 3)
        >>> x, noise = torch.zeros(5, 4), torch.empty(3, 5, 0)
        >>> (model.bound(x, noise).elbo - model.log_likelihood(x)).abs().max() < 1e-5
        tensor(True)
    """

    factors: ClassVar[tuple[str, ...]] = ("prior", "observation")
    variance_parameters = ("noise_bias",)

    def __init__(self, blueprint: Blueprint) -> None:
        s = blueprint.shared
        super().__init__(s.latent_dim, noise_dim=0)
        self.latent_prior = StandardNormal(s.latent_dim)
        self.linear = blueprint.linear(s.latent_dim, blueprint.observed_dim)
        size = {"scalar": 1, "diagonal": blueprint.observed_dim}[s.noise]
        # log σ_d
        self.noise_bias = nn.Parameter(per_replica(blueprint.packed("initial_std")).log().repeat(1, 1, size))

    def prior(self) -> Normal:
        """Prior N(0, I), batch shape `(1, 1)`."""
        return self.latent_prior()

    def observation(self, z: Tensor) -> Normal:
        """p(x given z) for z of shape `(replica, N, H)`."""
        return Normal(self.linear(z), self.noise_bias)

    @torch.no_grad()
    def posterior(self, x: Points) -> FullNormal:
        weight = self.linear.weight
        weighted = weight * self._precision
        identity = torch.eye(self.latent_dim, dtype=weight.dtype, device=weight.device)
        factor = cholesky(identity + weighted @ weight.mT)
        covariance = torch.cholesky_inverse(factor)
        mean = (x - self.linear.bias) @ weighted.mT @ covariance
        return FullNormal(mean, cholesky(covariance).unsqueeze(1))

    @property
    def _precision(self) -> Tensor:
        return (-2 * self.noise_bias).exp()

    def bound(self, x: Tensor, noise: Tensor, posterior: Family | None = None) -> Bound:
        q = posterior or self.posterior(x)
        assert isinstance(q, FullNormal)
        prior, observation = self.prior(), self.observation(q.mean)
        # The posterior covariance adds to the squared error along every dimension of the data
        output_variance = (q.scale_tril.squeeze(1).mT @ self.linear.weight).square().sum(1, keepdim=True)
        log_prob = observation.log_prob(x) - 0.5 * (output_variance * self._precision).sum(-1)
        return Bound(
            posterior_entropy=self.mean(q.entropy()),
            factors={
                "prior": Factor(self.mean(cross_entropy(q, prior)), lambda: self.mean(prior.entropy())),
                "observation": Factor(-self.mean(log_prob), lambda: self.mean(observation.entropy())),
            },
        )

    def latent_entropy(self, x: Points) -> Float[Tensor, "all latent"]:
        """Marginal entropy of each latent in nats, `(replica, H)`; the sum bounds the joint entropy from above."""
        variance = self.posterior(x).variance.mean(1)
        return Normal(variance, 0.5 * variance.log()).entropies().expand(self.replicas, self.latent_dim)

    def log_likelihood(self, x: Points) -> Float[Tensor, " all"]:
        marginal = linear_marginal(self.linear, (2 * self.noise_bias).exp())
        return self.mean(marginal.log_prob(x))

    @torch.no_grad()
    def maximise(self, x: Points) -> None:
        """Take one step of EM on the points x, in place, with the bias at its optimum, the mean of x."""
        center = x.double().mean(-2, keepdim=True)
        self.linear.bias.copy_(center.expand_as(self.linear.bias))
        y, q = x.double() - center, self.posterior(x)
        z, factor = q.mean.double(), q.scale_tril.squeeze(1).double()
        points = z.shape[1]
        second_moment = z.mT @ z / points + factor @ factor.mT
        products = z.mT @ y / points
        weight, _ = torch.linalg.solve_ex(second_moment, products)
        variance = y.square().mean(-2, keepdim=True) - (weight * products).sum(1, keepdim=True)
        if self.noise_bias.shape[-1] == 1:
            variance = variance.mean(-1, keepdim=True)
        self.linear.weight.copy_(weight)
        self.noise_bias.copy_(0.5 * variance.log())
