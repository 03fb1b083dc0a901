"""Objectives other than the ELBO. Each is a module from Bound to Bound, so that they can be chained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from entropy_sums.bound import Bound, Factor
from entropy_sums.distributions import Family, Normal, cross_entropy
from entropy_sums.layers import constant


class FreeBits(nn.Module):
    r"""Free bits: a latent with a KL divergence below $\lambda$ nats counts as $\lambda$ nats.

    $$F_\lambda = -\sum_h \max(\lambda, \mathrm{KL}_h) - \mathrm{CE}_\text{observation}$$

    $\mathrm{KL}_h$ is a mean over the given points, the minibatch in training. The increase of the KL is part of
    the cross-entropy of the prior. The entropies are those of the ELBO; $F_\lambda$ differs from their sum while a
    latent is below $\lambda$. Source: Kingma et al. (NeurIPS 2016, equation 15).

    Example:
        >>> q = Normal(torch.zeros(1, 4, 2), torch.zeros(1, 4, 2))
        >>> bound = Bound(q.entropy().mean(1), {"prior": Factor(q.entropy().mean(1), q.entropy().mean(1))})
        >>> bound.elbo - FreeBits(0.5)(bound, q, q).elbo
        tensor([1.], dtype=torch.float64)
    """

    def __init__(self, nats: float) -> None:
        super().__init__()
        self.nats = nats

    def forward(self, bound: Bound, posterior: Normal, prior: Normal) -> Bound:
        q, p = (Normal(r.loc.unsqueeze(-1), r.log_std.unsqueeze(-1)) for r in (posterior, prior))
        divergence = (cross_entropy(q, p) - q.entropy()).mean(1, dtype=torch.float64)
        missing = (self.nats - divergence).clamp(min=0).sum(-1)
        factor = bound.factors["prior"]
        raised = Factor(factor.cross_entropy + missing, lambda: factor.entropy)
        return replace(bound, factors={**bound.factors, "prior": raised})


class Beta(nn.Module):
    r"""Bound of a β-VAE.

    $$F_\beta = \beta(\mathcal H[q] - \mathrm{CE}_\text{prior}) - \mathrm{CE}_\text{observation}$$

    With `weighted` entropies the entropy sum is
    $\beta(\mathcal H[q] - \mathcal H_\text{prior}) - \mathcal H_\text{observation}$, which $F_\beta$ equals at
    stationary points: posterior entropy and both terms of the prior are multiplied by β. With `unweighted` entropies
    it is the entropy sum of the ELBO; the penalty $(\beta - 1) \mathrm{KL}$ is then part of the cross-entropy of the
    prior. Source: Higgins et al. (ICLR 2017).

    Example:
        >>> two, three, q = torch.tensor([2.0]), torch.tensor([3.0]), Normal(torch.zeros(1, 1, 1), torch.zeros(1, 1, 1))
        >>> bound = Bound(two / 2, {"prior": Factor(two, two - 0.5), "observation": Factor(three, three)})
        >>> for entropies in WEIGHTINGS:
        ...     changed = Beta([4.0], entropies)(bound, q, q)
        ...     changed.elbo, changed.entropy_sum
        (tensor([-7.]), tensor([-5.]))
        (tensor([-7.]), tensor([-3.5000]))
    """

    def __init__(self, betas: Sequence[float], entropies: str) -> None:
        super().__init__()
        self.beta, self.weight = constant(betas), WEIGHTINGS[entropies]

    def forward(self, bound: Bound, posterior: Family, prior: Family) -> Bound:
        return self.weight(bound, self.beta.flatten())


def _weighted(bound: Bound, beta: Tensor) -> Bound:
    prior = bound.factors["prior"]
    scaled = Factor(beta * prior.cross_entropy, lambda: beta * prior.entropy)
    return Bound(beta * bound.posterior_entropy, {**bound.factors, "prior": scaled})


def _unweighted(bound: Bound, beta: Tensor) -> Bound:
    prior = bound.factors["prior"]
    divergence = prior.cross_entropy - bound.posterior_entropy
    raised = Factor(prior.cross_entropy + (beta - 1) * divergence, lambda: prior.entropy)
    return replace(bound, factors={**bound.factors, "prior": raised})


WEIGHTINGS: dict[str, Callable[[Bound, Tensor], Bound]] = {"weighted": _weighted, "unweighted": _unweighted}
"""Setting `entropies` → function of a bound and β that weights the bound."""
