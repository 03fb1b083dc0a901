"""Data drawn from mixtures of known components."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydantic import PositiveInt

from entropy_sums.data.base import Positive, VectorSettings
from entropy_sums.data.draw import in_parts
from entropy_sums.data.machines import Visible
from entropy_sums.data.truths import Truth, given_means, marginal


class MixtureOfSettings(VectorSettings):
    """Components of equal weight, whose dimensions are independent."""

    source = "generated"

    dim: PositiveInt = 5
    """Number D of data dimensions."""
    components: PositiveInt = 3
    """Number of components."""


class MixtureOfGaussians(MixtureOfSettings):
    """Normal components of one standard deviation."""

    name = "mixture_of_gaussians"
    label = "mixture of Gaussians"
    numbers = "real"

    noise: Positive = 0.5
    """Standard deviation of every component."""
    strength: Positive = 2.0
    """Standard deviation of the means."""

    def arrays(self, data_dir: Path, generator: np.random.Generator) -> dict:
        r"""Components of equal weight: $x_d \sim N(\mu_{kd}, \sigma^2)$, $\mu_{kd} \sim N(0, s^2)$.

        The means `means` μ (K, D) and the `noise` σ are returned as truth.

        Example:
            >>> self = MixtureOfGaussians(train=10, test=5)
            >>> self.arrays(Path(), np.random.default_rng(0))["truth"]["means"].shape
            (3, 5)
        """
        further = {"noise": np.array(self.noise)}
        return _mixture(self, generator, lambda z: z, lambda means, part: part.normal(means, self.noise), **further)

    @staticmethod
    def log_density(x: np.ndarray, truth: Truth) -> np.ndarray:
        return marginal(given_means(x, truth["means"], truth["noise"]))


class MixtureOfBernoullis(MixtureOfSettings):
    """Binary data: Bernoulli in every dimension."""

    name = "mixture_of_bernoullis"
    label = "mixture of Bernoullis"
    numbers = "binary"

    dim: PositiveInt = 16
    """Number D of data dimensions."""
    strength: Positive = 2.0
    """Standard deviation of the logits of the means."""

    def arrays(self, data_dir: Path, generator: np.random.Generator) -> dict:
        r"""Components of equal weight: $x_d \sim B(\mu_{kd})$, $\mathrm{logit}\,\mu_{kd} \sim N(0, s^2)$.

        The means `means` μ (K, D) are returned as truth.

        Example:
            >>> self = MixtureOfBernoullis(train=10, test=5)
            >>> self.arrays(Path(), np.random.default_rng(0))["train"].shape
            (10, 16)
        """
        from scipy.special import expit

        return _mixture(self, generator, expit, lambda means, part: (part.random(means.shape) < means).astype(float))

    @staticmethod
    def log_density(x: np.ndarray, truth: Truth) -> np.ndarray:
        from scipy.special import xlog1py, xlogy

        means = truth["means"]
        # Large logits round to means of one
        return marginal((xlogy(x[:, None], means) + xlog1py(1 - x[:, None], -means)).sum(axis=2))


class MixtureOfPoissons(MixtureOfSettings):
    """Counts: Poisson in every dimension."""

    name = "mixture_of_poissons"
    label = "mixture of Poissons"
    numbers = "counts"

    rate: Positive = 5.0
    """Median of the rates."""
    strength: Positive = 1.0
    """Standard deviation of the logarithms of the rates."""

    def arrays(self, data_dir: Path, generator: np.random.Generator) -> dict:
        r"""Components of equal weight: $x_d \sim \mathrm{Poisson}(\mu_{kd})$, $\log(\mu_{kd} / r) \sim N(0, s^2)$.

        The means `means` μ (K, D) are returned as truth.

        Example:
            >>> self = MixtureOfPoissons(train=10, test=5)
            >>> self.arrays(Path(), np.random.default_rng(0))["train"].shape
            (10, 5)
        """
        return _mixture(
            self, generator, lambda z: self.rate * np.exp(z), lambda means, part: part.poisson(means).astype(float)
        )

    @staticmethod
    def log_density(x: np.ndarray, truth: Truth) -> np.ndarray:
        from scipy.special import gammaln

        means = truth["means"]
        return marginal(x @ np.log(means).T - means.sum(axis=1) - gammaln(x + 1).sum(axis=1, keepdims=True))


class MixtureOfGammas(MixtureOfSettings):
    """Positive data: Gamma in every dimension."""

    name = "mixture_of_gammas"
    numbers = "positive"

    shape_parameter: Positive = 2.0
    """Shape of every component; 1 makes them exponential."""
    strength: Positive = 1.0
    """Standard deviation of the logarithms of the means."""

    def arrays(self, data_dir: Path, generator: np.random.Generator) -> dict:
        r"""Equal components: $x_d \sim \mathrm{Gamma}(\alpha, \alpha/\mu_{kd})$, $\log\mu_{kd} \sim N(0, s^2)$.

        The means `means` μ (K, D) and the `shape` α, 1 for exponential components, are returned as truth.

        Example:
            >>> arrays = MixtureOfGammas(train=10, test=5).arrays(Path(), np.random.default_rng(0))
            >>> arrays["train"].shape, bool((arrays["train"] > 0).all())
            ((10, 5), True)
        """
        shape = self.shape_parameter
        return _mixture(
            self, generator, np.exp, lambda means, part: part.gamma(shape, means / shape), shape=np.array(shape)
        )

    @staticmethod
    def log_density(x: np.ndarray, truth: Truth) -> np.ndarray:
        from scipy.special import gammaln, xlogy

        shape, rates = truth["shape"], truth["shape"] / truth["means"]
        constant = (shape * np.log(rates) - gammaln(shape)).sum(axis=1)
        return marginal(constant - x @ rates.T + xlogy(shape - 1, x).sum(axis=1, keepdims=True))


Mixture = MixtureOfGaussians | MixtureOfBernoullis | MixtureOfPoissons | MixtureOfGammas


def _mixture(
    settings: Mixture,
    generator: np.random.Generator,
    means_of: Callable[[np.ndarray], np.ndarray],
    given: Visible,
    **further: np.ndarray,
) -> dict:
    """Components of equal weight, their means a function of normal numbers of standard deviation `strength`."""
    truth, points = generator.spawn(2)
    means = means_of(truth.normal(0, settings.strength, (settings.components, settings.dim)))

    def drawn(count: int, part: np.random.Generator) -> np.ndarray:
        return given(means[part.integers(settings.components, size=count)], part)

    return in_parts(settings, points, drawn, {"means": means, **further})
