"""Bound and Factor, the vocabulary that all models, traces and figures share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce

import torch
from torch import Tensor


class Factor:
    r"""Cross-entropy and expected entropy of one distribution $p_i$ of a model under the posterior.

    $$\mathrm{CE}_i = -\tfrac1N \sum_n \mathbb E_{q_n}[\log p_i], \qquad
      \mathcal H_i = \tfrac1N \sum_n \mathbb E_{q_n}[\mathcal H[p_i]]$$

    Both are in nats per data point, shape `(replica,)`. The entropy may be given as a function without
    arguments, which is called on first access: training needs the cross-entropy only.

    Example:
        >>> Factor(cross_entropy=torch.tensor([1.5]), entropy=torch.tensor([1.25])).gap
        tensor([-0.2500])
    """

    def __init__(self, cross_entropy: Tensor, entropy: Tensor | Callable[[], Tensor]) -> None:
        self.cross_entropy = cross_entropy
        self._entropy = entropy

    @cached_property
    def entropy(self) -> Tensor:
        """Expected entropy of the factor, in nats."""
        return self._entropy if isinstance(self._entropy, Tensor) else self._entropy()

    @property
    def gap(self) -> Tensor:
        """Contribution of this factor to ELBO minus entropy sum: entropy − cross-entropy, in nats."""
        return self.entropy - self.cross_entropy


@dataclass(frozen=True)
class Bound:
    r"""ELBO and entropy sum of a model, factor by factor.

    $$F = \mathcal H[q] - \sum_i \mathrm{CE}_i, \qquad E = \mathcal H[q] - \sum_i \mathcal H_i,
      \qquad F - E = \sum_i (\mathcal H_i - \mathrm{CE}_i)$$

    All values are in nats per data point, shape `(replica,)`. Damm et al. (AISTATS 2023) prove $F = E$ at
    every stationary point of a Gaussian VAE.

    Example:
        >>> prior = Factor(torch.tensor([2.0]), torch.tensor([2.0]))
        >>> observation = Factor(torch.tensor([1.5]), torch.tensor([1.25]))
        >>> bound = Bound(torch.tensor([0.5]), {"prior": prior, "observation": observation})
        >>> bound.elbo, bound.entropy_sum, bound.gap
        (tensor([-3.]), tensor([-2.7500]), tensor([-0.2500]))
    """

    posterior_entropy: Tensor
    factors: Mapping[str, Factor]

    @property
    def elbo(self) -> Tensor:
        """Posterior entropy minus all cross-entropies."""
        return self.posterior_entropy - total(factor.cross_entropy for factor in self.factors.values())

    @property
    def entropy_sum(self) -> Tensor:
        """Posterior entropy minus the entropies of all factors."""
        return self.posterior_entropy - total(factor.entropy for factor in self.factors.values())

    @property
    def gap(self) -> Tensor:
        """ELBO minus entropy sum, summed over factors so that no large terms cancel."""
        return total(factor.gap for factor in self.factors.values())


def total(terms: Iterable[Tensor]) -> Tensor:
    """Sum of tensors."""
    return reduce(torch.add, terms)
