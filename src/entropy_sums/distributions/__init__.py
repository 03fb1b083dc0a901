"""Distributions over vectors, their entropies and cross-entropies, in nats."""

from entropy_sums.distributions import closed_forms  # noqa: F401 -- importing it registers them
from entropy_sums.distributions.bernoulli import Bernoulli
from entropy_sums.distributions.categorical import Categorical
from entropy_sums.distributions.cross_entropy import (
    CLOSED_FORMS,
    Estimate,
    cross_entropy,
    estimate_cross_entropy,
    register,
)
from entropy_sums.distributions.family import Coordinatewise, Family
from entropy_sums.distributions.gamma import Exponential, Gamma
from entropy_sums.distributions.laplace import Laplace
from entropy_sums.distributions.normal import FullNormal, Normal
from entropy_sums.distributions.poisson import Poisson

__all__ = [
    "CLOSED_FORMS",
    "Bernoulli",
    "Categorical",
    "Coordinatewise",
    "Estimate",
    "Exponential",
    "Family",
    "FullNormal",
    "Gamma",
    "Laplace",
    "Normal",
    "Poisson",
    "cross_entropy",
    "estimate_cross_entropy",
    "register",
]
