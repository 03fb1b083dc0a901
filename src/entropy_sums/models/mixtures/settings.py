"""Settings of mixtures. Light: without torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat

from entropy_sums.models.base import Ability, Look, ModelSettings
from entropy_sums.settings import Packed


class MixtureSettings(ModelSettings):
    """Settings common to all mixtures, which have learned mixing weights and the exact posterior."""

    latent_dim: Annotated[int, Field(ge=2)] = 2
    """Number K of components."""
    start: Literal["kmeans++", "random"] = "kmeans++"
    """Components at the start. `kmeans++`: of clusters of the training points around centres that k-means++ draws among
    them, for data of any offset and scale. `random`: drawn around zero whatever the data are, with `initial_scale`."""

    @property
    def abilities(self) -> frozenset[Ability]:
        return frozenset({Ability.MAXIMISE})

    def multiplications(self, observed_dim: int) -> int:
        return observed_dim * self.latent_dim


class GaussianMixtureSettings(MixtureSettings):
    """Normal components; the likelihood is unbounded if one of them shrinks to a point."""

    name = "gaussian_mixture"
    implementation = "entropy_sums.models.mixtures.mixture:gaussian_mixture"
    label = "Gaussian mixture"
    look = Look("#0072B2", "*")

    covariance: Literal["scalar", "diagonal", "full"] = "diagonal"
    """Covariance of every component."""
    initial_std: Packed[PositiveFloat] = 1.0
    """Standard deviation of every component at the start, with `start: random`."""

    def multiplications(self, observed_dim: int) -> int:
        return self.latent_dim * observed_dim * (observed_dim + 1 if self.covariance == "full" else 2)


class PoissonMixtureSettings(MixtureSettings):
    """Poisson components for counts."""

    name = "poisson_mixture"
    implementation = "entropy_sums.models.mixtures.mixture:poisson_mixture"
    label = "Poisson mixture"
    look = Look("#E69F00", "*")
    support = "counts"

    observation_entropy: Literal["pseudo", "true"] = "pseudo"
    """Entropies of the Poisson in the entropy sum. With `pseudo` entropies and the mean log base measure, the gap
    closes at stationary points; with `true` entropies it does not."""


class BernoulliMixtureSettings(MixtureSettings):
    """Bernoulli components for binary data."""

    name = "bernoulli_mixture"
    implementation = "entropy_sums.models.mixtures.mixture:bernoulli_mixture"
    label = "Bernoulli mixture"
    look = Look("#CC79A7", "*")
    support = "binary"


class ExponentialMixtureSettings(MixtureSettings):
    """Exponential components for data that are not negative."""

    name = "exponential_mixture"
    implementation = "entropy_sums.models.mixtures.mixture:exponential_mixture"
    label = "exponential mixture"
    look = Look("#332288", "*")
    support = "nonnegative"


class GammaMixtureSettings(MixtureSettings):
    """Gamma components for positive data; the likelihood is unbounded if one of them shrinks to a point."""

    name = "gamma_mixture"
    implementation = "entropy_sums.models.mixtures.mixture:gamma_mixture"
    label = "gamma mixture"
    look = Look("#009E73", "*")
    support = "positive"

    def multiplications(self, observed_dim: int) -> int:
        return 2 * super().multiplications(observed_dim)
