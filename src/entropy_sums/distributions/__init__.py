"""Distributions over vectors, their entropies and cross-entropies, in nats."""

from entropy_sums.distributions.bernoulli import Bernoulli
from entropy_sums.distributions.cross_entropy import (
    CLOSED_FORMS,
    Estimate,
    cross_entropy,
    estimate_cross_entropy,
    register,
)
from entropy_sums.distributions.family import Family
from entropy_sums.distributions.normal import FullNormal, Normal

__all__ = [
    "CLOSED_FORMS",
    "Bernoulli",
    "Estimate",
    "Family",
    "FullNormal",
    "Normal",
    "cross_entropy",
    "estimate_cross_entropy",
    "register",
]
