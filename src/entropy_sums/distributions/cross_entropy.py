"""Cross-entropies in nats: closed forms registered per pair of families, Monte Carlo otherwise."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from entropy_sums.distributions.family import Family

ClosedForm = Callable[..., Tensor]
F = TypeVar("F", bound=ClosedForm)

CLOSED_FORMS: dict[tuple[type[Family], type[Family]], ClosedForm] = {}


def register(q: type[Family], p: type[Family]) -> Callable[[F], F]:
    """Register the closed form of the cross-entropy from family `q` to family `p` (a decorator)."""

    def keep(function: F) -> F:
        CLOSED_FORMS[q, p] = function
        return function

    return keep


def cross_entropy(q: Family, p: Family) -> Tensor:
    r"""$-\mathbb E_q[\log p]$ in closed form, in nats.

    Shape: broadcastable to the common batch shape of `q` and `p`.

    Raises:
        LookupError: no closed form is registered for this pair; use `estimate_cross_entropy`.

    Example:
        >>> from entropy_sums.distributions import Normal
        >>> q = Normal(torch.tensor([[1.0]]), torch.zeros(1, 1))
        >>> cross_entropy(q, Normal(torch.zeros(1, 1), torch.zeros(1, 1)))
        tensor([1.9189])
    """
    try:
        closed_form = CLOSED_FORMS[type(q), type(p)]
    except KeyError:
        raise LookupError(
            f"no closed form is registered for the cross-entropy from {type(q).__name__} to {type(p).__name__}; "
            "use estimate_cross_entropy(q, p, samples, generator)"
        ) from None
    return closed_form(q, p)


@dataclass(frozen=True)
class Estimate:
    """A value and its standard error, which is zero where the value is exact."""

    value: Tensor
    standard_error: Tensor


def estimate_cross_entropy(q: Family, p: Family, samples: int, generator: torch.Generator) -> Estimate:
    r"""$-\mathbb E_q[\log p]$: the closed form if one is registered, else the mean over `samples` draws.

    Raises:
        ValueError: fewer than two samples, too few for a standard error.

    Example:
        >>> from entropy_sums.distributions import Normal
        >>> q = Normal(torch.zeros(1, 1), torch.zeros(1, 1))
        >>> estimate_cross_entropy(q, q, 2, torch.Generator()).standard_error
        tensor([0.])
    """
    if samples < 2:
        raise ValueError(f"a standard error needs at least 2 samples, got {samples}")
    if (type(q), type(p)) in CLOSED_FORMS:
        value = cross_entropy(q, p)
        return Estimate(value, torch.zeros_like(value))
    values = -p.log_prob(q.draw(samples, generator))
    return Estimate(values.mean(0), values.std(0) / math.sqrt(samples))
