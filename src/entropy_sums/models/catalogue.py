"""The models of this package by name."""

from __future__ import annotations

from entropy_sums.models.base import ModelSettings
from entropy_sums.models.binary.settings import DBMSettings, DBNSettings, GaussianRBMSettings, RBMSettings, SBNSettings
from entropy_sums.models.linear.settings import FactorAnalysisSettings, SparseCodingSettings
from entropy_sums.models.mixtures.settings import (
    BernoulliMixtureSettings,
    ExponentialMixtureSettings,
    GammaMixtureSettings,
    GaussianMixtureSettings,
    PoissonMixtureSettings,
)
from entropy_sums.models.vae.settings import (
    BernoulliVAESettings,
    ConvVAESettings,
    LinearVAESettings,
    PoissonVAESettings,
    VAE0Settings,
    VAE1Settings,
    VAE2Settings,
    VAE3Settings,
)

MODELS: dict[str, type[ModelSettings]] = {
    "linear_vae": LinearVAESettings,
    "vae0": VAE0Settings,
    "vae1": VAE1Settings,
    "vae2": VAE2Settings,
    "vae3": VAE3Settings,
    "conv_vae": ConvVAESettings,
    "bernoulli_vae": BernoulliVAESettings,
    "poisson_vae": PoissonVAESettings,
    "gaussian_mixture": GaussianMixtureSettings,
    "poisson_mixture": PoissonMixtureSettings,
    "bernoulli_mixture": BernoulliMixtureSettings,
    "exponential_mixture": ExponentialMixtureSettings,
    "gamma_mixture": GammaMixtureSettings,
    "factor_analysis": FactorAnalysisSettings,
    "sparse_coding": SparseCodingSettings,
    "sbn": SBNSettings,
    "rbm": RBMSettings,
    "gaussian_rbm": GaussianRBMSettings,
    "dbn": DBNSettings,
    "dbm": DBMSettings,
}
