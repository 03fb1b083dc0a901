"""Abilities that some models have besides a bound, and the methods that each requires."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from entropy_sums.ais import Estimate
from entropy_sums.distributions import Family
from entropy_sums.layers import Dropout
from entropy_sums.models.base import Ability


@runtime_checkable
class Maximising(Protocol):
    """A model that can be trained by EM."""

    def maximise(self, x: Float[Tensor, "*replica points dim"]) -> None:
        """Take one step of EM on the points x, in place; the ELBO of x does not decrease."""
        ...


@runtime_checkable
class WithLandscape(Protocol):
    """A model whose objective remains the same function of the parameters during a line search."""

    def landscape(
        self,
        x: Float[Tensor, "*replica points dim"],
        noise: Float[Tensor, "all rows noise"],
        prior_weight: Float[Tensor, " all"] | None = None,
    ) -> Callable[[], Tensor]:
        """Objective of training on x, `(replica,)`, as a function that reads the parameters when it is called.

        Args:
            x, noise: as for `Model.bound`.
            prior_weight: weight of the prior in the objective, of each replica; by default 1.
        """
        ...


@runtime_checkable
class Weighted(Protocol):
    """A model whose posterior samples have importance weights; their mean estimates the likelihood."""

    @property
    def sample_dim(self) -> int:
        """Number of standard normal numbers per posterior sample."""
        ...

    def log_weights(
        self,
        x: Float[Tensor, "*replica points dim"],
        noise: Float[Tensor, "all rows noise"],
        posterior: Family | None = None,
    ) -> Float[Tensor, "all rows"]:
        """log p(x, z) − log q(z given x) in nats of S posterior samples per point, `(replica, S·N)`.

        Args:
            x, posterior: as for `Model.bound`.
            noise: standard normal, `(replica, S·N, sample_dim)`, one sample of every point after the other.
        """
        ...


@runtime_checkable
class WithDictionary(Protocol):
    """A model with one vector in data space for each latent."""

    @property
    def dictionary(self) -> Float[Tensor, "all latent dim"]:
        """Contribution of each latent to the data, in units of its scale."""
        ...

    def posterior(self, x: Float[Tensor, "*replica points dim"]) -> Family:
        """Posterior of the latents, as in `Model.posterior`."""
        ...


@runtime_checkable
class WithComponents(Protocol):
    """A mixture, whose components share the responsibility for each point."""

    def responsibilities(self, x: Float[Tensor, "*replica points dim"]) -> Float[Tensor, "all points component"]:
        """Share that each component has in each point, `(replica, N, K)`."""
        ...


@runtime_checkable
class Informed(Protocol):
    """A model that can use knowledge of the distribution of its data."""

    def inform(self, truth: Mapping[str, np.ndarray]) -> None:
        """Take over the true values that the settings name, such as `weights` W (D, H).

        Raises:
            ValueError: the data have no such true value, or one of another size.
        """
        ...


@runtime_checkable
class Annealed(Protocol):
    """A model with a partition function that annealed importance sampling brackets.

    Attributes:
        exact_posterior: whether the elbo is the log-likelihood.
    """

    exact_posterior: ClassVar[bool]

    def partition_errors(self, noise: Float[Tensor, "all rows noise"]) -> Mapping[str, Float[Tensor, " all"]]:
        """Standard errors of `elbo`, `entropy_sum` and `gap` due to the partition function; empty if it is exact.

        Args:
            noise: the noise that the bound was computed with.
        """
        ...

    def bracket(self, noise: Float[Tensor, "all rows noise"], temperatures: int) -> tuple[Estimate, Estimate]:
        """log Z by forward and by reverse annealing with `temperatures` temperatures, with intervals over chains.

        Args:
            noise: standard normal, `(replica, 1 or more, noise_dim)`.
        """
        ...

    def unnormalised(
        self, x: Float[Tensor, "*replica points dim"], noise: Float[Tensor, "all rows noise"]
    ) -> Float[Tensor, "all points"]:
        """Elbo of every point without log Z, `(replica, N)`: elbo = mean of unnormalised − log Z.

        Args:
            x, noise: as for `Model.bound`.
        """
        ...


def _drops_units(model: nn.Module) -> bool:
    return any(bool(module.rate.any()) for module in model.modules() if isinstance(module, Dropout))


IMPLEMENTED: dict[Ability, Callable[[nn.Module], bool]] = {
    Ability.MAXIMISE: lambda model: isinstance(model, Maximising),
    Ability.LANDSCAPE: lambda model: isinstance(model, WithLandscape) and not _drops_units(model),
    Ability.WEIGHTS: lambda model: isinstance(model, Weighted),
    Ability.ANNEALING: lambda model: isinstance(model, Annealed),
    Ability.DICTIONARY: lambda model: isinstance(model, WithDictionary),
    Ability.INFORMED: lambda model: isinstance(model, Informed),
    Ability.PRIOR_WEIGHT: lambda model: isinstance(model, WithLandscape),
}
"""Ability → whether a model implements it. `BOUND` cannot be read off the methods, so it has to be declared."""


def abilities(model: nn.Module, declared: frozenset[Ability] | None) -> frozenset[Ability]:
    """Abilities of a model: those that it implements, and the declared ones that its methods do not show.

    Example:
        >>> import torch
        >>> from entropy_sums.models import MODELS, build
        >>> model = build([MODELS["gaussian_mixture"]()], 3, [torch.Generator()])
        >>> abilities(model, None) == {Ability.MAXIMISE}
        True
    """
    implemented = {ability for ability, holds in IMPLEMENTED.items() if holds(model)}
    return frozenset(implemented | ((declared or frozenset()) - IMPLEMENTED.keys()))
