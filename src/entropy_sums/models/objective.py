"""Objectives other than the ELBO, each a module from Bound to Bound, so that they can be put one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from torch import Tensor, nn

from entropy_sums.bound import Bound, Factor
from entropy_sums.layers import constant


class Beta(nn.Module):
    r"""The bound of a β-VAE.

    $$F_\beta = \beta(\mathcal H[q] - \mathrm{CE}_\text{prior}) - \mathrm{CE}_\text{observation}$$

    With `weighted` entropies the entropy sum is
    $\beta(\mathcal H[q] - \mathcal H_\text{prior}) - \mathcal H_\text{observation}$, which $F_\beta$ equals at
    stationary points: posterior entropy and both terms of the prior are β times what they were. With `unweighted`
    ones it is the entropy sum of the ELBO; what β takes from $F$, $(\beta - 1) \mathrm{KL}$, is then part of the
    cross-entropy of the prior. Source: Higgins et al. (ICLR 2017).

    Example:
        >>> from torch import tensor
        >>> prior, observation = Factor(tensor([2.0]), tensor([1.5])), Factor(tensor([3.0]), tensor([3.0]))
        >>> bound = Bound(tensor([1.0]), {"prior": prior, "observation": observation})
        >>> for entropies in WEIGHTINGS:
        ...     changed = Beta([4.0], entropies)(bound)
        ...     changed.elbo, changed.entropy_sum
        (tensor([-7.]), tensor([-5.]))
        (tensor([-7.]), tensor([-3.5000]))
    """

    def __init__(self, betas: Sequence[float], entropies: str) -> None:
        super().__init__()
        self.beta, self.weight = constant(betas), WEIGHTINGS[entropies]

    def forward(self, bound: Bound) -> Bound:
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
"""Which entropies the entropy sum has → the bound with that β."""
