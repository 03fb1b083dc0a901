"""Interface of a model to training, traces and certificates; the Bound of a prior, a posterior and an observation."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from entropy_sums.bound import Bound, Factor
from entropy_sums.distributions import CLOSED_FORMS, Family, FullNormal, Normal, cross_entropy
from entropy_sums.distributions.family import repeated
from entropy_sums.models.directions import Direction, candidates

TOTAL = "total"
"""Name that stands for the sum of all factors; no factor may have it."""


class Model(nn.Module, ABC):
    """A generative model with a variational bound; all parameters have a leading replica axis.

    Attributes:
        factors: names of the factors of the bound, in order.
        evolving: names of buffers `(replica, …)` that training changes, such as persistent chains.
        noise_dim: number of standard normal numbers per posterior sample for `bound` and `objective`; 0 for none.
    """

    factors: ClassVar[tuple[str, ...]]
    evolving: ClassVar[tuple[str, ...]] = ()

    def __init__(self, latent_dim: int, noise_dim: int) -> None:
        super().__init__()
        self.latent_dim, self.noise_dim = latent_dim, noise_dim

    @property
    def replicas(self) -> int:
        """Number of replicas."""
        return len(next(self.parameters()))

    def learned(self) -> dict[str, nn.Parameter]:
        """Parameters that training changes, by name."""
        return {name: parameter for name, parameter in self.named_parameters() if parameter.requires_grad}

    @property
    def variances(self) -> set[str]:
        """Names of the parameters that are free variances, as the modules declare them in `variance_parameters`."""
        return {
            f"{path}.{name}" if path else name
            for path, module in self.named_modules()
            for name in getattr(type(module), "variance_parameters", ())
        }

    def directions(self) -> list[Direction]:
        """Candidate directions of a certificate; a model with a known direction may declare fewer.

        Example:
            >>> from entropy_sums.models import MODELS, build
            >>> model = build([MODELS["linear_vae"]()], 3, [torch.Generator()])
            >>> [str(direction) for direction in model.directions()][:4]
            ['shift of encoder.spread[0]', 'shift of encoder.spread[1]', 'encoder.mean.weight', 'shift of ...']
        """
        return candidates(self)

    @abstractmethod
    def posterior(self, x: Float[Tensor, "*replica points dim"]) -> Family:
        """q(z given x) for x of shape `(N, D)` or `(replica, N, D)`: batch shape `(replica, N)`, event `(H,)`."""

    @abstractmethod
    def bound(
        self,
        x: Float[Tensor, "*replica points dim"],
        noise: Float[Tensor, "all rows noise"],
        posterior: Family | None = None,
    ) -> Bound:
        """Bound on the log-likelihood of x, estimated with S posterior samples per point.

        The gradient of its elbo is the gradient of the ELBO, or an unbiased estimate of it.

        Args:
            x: `(N, D)`, or `(replica, N, D)` where replicas see different points.
            noise: standard normal, `(replica, S·N, noise_dim)`, one sample of every point after the other.
            posterior: `self.posterior(x)`, if already computed.
        """

    def objective(self, x: Tensor, noise: Tensor) -> Tensor:
        """Objective of training, `(replica,)`: the ELBO, or a cheaper value whose gradient estimates that of the ELBO.

        Args:
            x, noise: as for `bound`.
        """
        return self.bound(x, noise).elbo

    def mean(self, value: Float[Tensor, "replica ..."]) -> Float[Tensor, " all"]:
        """Mean over all axes but the first, accumulated in float64, `(replica or 1, …)` → `(replica,)`."""
        return value.flatten(1).mean(1, dtype=torch.float64).expand(self.replicas)

    def latent_entropy(self, x: Float[Tensor, "*replica points dim"]) -> Float[Tensor, "all latent"]:
        """Mean posterior entropy of each latent in nats, `(replica, H)`."""
        return self.posterior(x).entropies().mean(1).expand(self.replicas, self.latent_dim)

    def constrain(self) -> None:
        """Restore constraints on the parameters in place, called after every update; most models have none."""

    def settle(self, x: Float[Tensor, "*replica points dim"], prior_weight: Tensor | None = None) -> None:
        """Set the parameters that have a closed form on the points of an update, after it; most models have none.

        Args:
            x: as for `bound`.
            prior_weight: weight of the prior in the objective, of each replica; by default 1.
        """

    def start(self, x: Float[Tensor, "points dim"], generators: Sequence[torch.Generator]) -> None:
        """Set the initial values that depend on the training points, once before training; most models have none.

        Args:
            x: all training points.
            generators: one per replica, on the CPU.
        """

    def log_likelihood(self, x: Tensor) -> Tensor | None:
        """Exact mean log-likelihood of x in nats, `(replica,)`, or None where the model has no closed form."""
        return None


M = TypeVar("M", bound=Model)


def factors_of(model: Model, bound: Bound) -> list[Factor]:
    """Factors of a bound, matched by name, in the order of `model.factors`.

    Raises:
        ValueError: the names of `model.factors` are not those of the bound.

    Example:
        >>> from entropy_sums.models import MODELS, build
        >>> model = build([MODELS["linear_vae"]()], 5, [torch.Generator()])
        >>> bound = model.bound(torch.zeros(3, 5), torch.zeros(1, 3, 2))
        >>> prior, observation = factors_of(model, bound)
        >>> prior is bound.factors["prior"]
        True
        >>> factors_of(model, Bound(bound.posterior_entropy, {"prior": prior, "decoder": observation}))
        Traceback (most recent call last):
        ValueError: LinearVAE: `factors` and `bound` name different factors; the bound lacks observation and has \
        besides decoder; give each factor one name in both
    """
    names, keys = list(model.factors), list(bound.factors)
    missing, surplus = [name for name in names if name not in keys], [key for key in keys if key not in names]
    if missing or surplus:
        said = [f"lacks {', '.join(missing)}"] * bool(missing) + [f"has besides {', '.join(surplus)}"] * bool(surplus)
        raise ValueError(
            f"{type(model).__name__}: `factors` and `bound` name different factors; the bound {' and '.join(said)}; "
            "give each factor one name in both"
        )
    if repeated := sorted({name for name in names if names.count(name) > 1 or name == TOTAL}):
        raise ValueError(
            f"{type(model).__name__}: `factors` names {', '.join(repeated)} more than once, or uses {TOTAL!r}, which "
            "stands for the sum of all factors; give each factor a name of its own"
        )
    return [bound.factors[name] for name in names]


def copies(model: M, number: int, replica: int = 0) -> M:
    """New model with the given number of replicas, all copies of one replica of `model`.

    Example:
        >>> from entropy_sums.models import MODELS, build
        >>> model = build([MODELS["linear_vae"]()] * 2, 5, [torch.Generator()] * 2)
        >>> copies(model, 3).replicas
        3
    """
    return chosen(model, torch.full((number,), replica))


def chosen(model: M, replicas: Tensor) -> M:
    """New model whose replicas are copies of the given replicas of `model`, each as often as it is listed.

    Example:
        >>> from entropy_sums.models import MODELS, build
        >>> model = build([MODELS["linear_vae"]()] * 2, 5, [torch.Generator()] * 2)
        >>> chosen(model, torch.tensor([1, 0, 1])).replicas
        3
    """
    many = copy.deepcopy(model)
    for tensor in (*many.parameters(), *map(many.get_buffer, many.evolving)):
        tensor.data = tensor.data[replicas.to(tensor.device)]
    return many


class DirectedModel(Model):
    """A model with one layer of latents and a reparametrised normal posterior.

    A subclass implements `prior`, `posterior` and `observation`. Each returns a `Family`. The first axis is the
    replica, the last axis the latent or the data vector.
    """

    factors: ClassVar[tuple[str, ...]] = ("prior", "observation")

    def __init__(self, latent_dim: int, noise_dim: int | None = None) -> None:
        super().__init__(latent_dim, latent_dim if noise_dim is None else noise_dim)

    @property
    def sample_dim(self) -> int:
        return self.latent_dim

    @abstractmethod
    def prior(self) -> Family:
        """p(z), batch shape broadcastable to `(replica, N)`, event `(H,)`."""

    @abstractmethod
    def posterior(self, x: Tensor) -> Normal | FullNormal: ...

    @abstractmethod
    def observation(self, z: Tensor) -> Family:
        """p(x given z) for z of shape `(replica, N, H)`: batch shape `(replica, N)`, event `(D,)`."""

    def bound(self, x: Tensor, noise: Tensor, posterior: Normal | FullNormal | None = None) -> Bound:
        """Bound, estimated with S posterior samples per point.

        Posterior entropy and prior terms are closed forms. The observation terms are means over samples; so is the
        cross-entropy to the prior if no closed form is registered.
        """
        posterior, prior = posterior or self.posterior(x), self.prior()
        samples = _samples(posterior, x, noise)
        closed = (type(posterior), type(prior)) in CLOSED_FORMS
        prior_terms = cross_entropy(posterior, prior) if closed else -prior.log_prob(samples.flatten(1, 2))
        return Bound(
            posterior_entropy=self.mean(posterior.entropy()),
            factors={
                "prior": Factor(self.mean(prior_terms), lambda: self.mean(prior.entropy())),
                "observation": self.observation_factor(samples, x),
            },
        )

    def observation_factor(self, samples: Float[Tensor, "replica samples points latent"], x: Tensor) -> Factor:
        """Factor of p(x given z), from means over the posterior samples of all points."""
        observation, rounds = self.observation(samples.flatten(1, 2)), samples.shape[1]
        return Factor(
            -observation.mean_log_prob(x, rounds).expand(self.replicas),
            lambda: self.mean(self.observation_entropy(observation, repeated(x, rounds))),
        )

    def log_weights(self, x: Tensor, noise: Tensor, posterior: Normal | FullNormal | None = None) -> Tensor:
        """log p(x, z) − log q(z given x) in nats of S posterior samples per point, `(replica, S·N)`."""
        posterior = posterior or self.posterior(x)
        samples = _samples(posterior, x, noise)
        z, value = samples.flatten(1, 2), repeated(x, samples.shape[1])
        log_q = posterior.log_prob(samples.movedim(1, 0)).movedim(0, 1).flatten(1)
        return self.prior().log_prob(z) + self.observation(z).log_prob(value) - log_q

    def landscape(
        self,
        x: Float[Tensor, "*replica points dim"],
        noise: Float[Tensor, "all rows noise"],
        prior_weight: Float[Tensor, " all"] | None = None,
    ) -> Callable[[], Tensor]:
        r"""Objective of training on x, `(replica,)`, as a function that reads the parameters when it is called.

        $$\mathcal H[q] - w\, \mathrm{CE}_\text{prior} - \mathrm{CE}_\text{observation}$$

        Args:
            x, noise: as for `bound`.
            prior_weight: w of each replica; by default 1, the ELBO.
        """

        return lambda: weighted(self.bound(x, noise), prior_weight)

    def objective(self, x: Tensor, noise: Tensor) -> Tensor:
        return self.landscape(x, noise)()

    def observation_entropy(self, observation: Family, x: Tensor) -> Tensor:
        """Entropy term of p(x given z) in the entropy sum, broadcastable to `(replica, N)`."""
        return observation.entropy()


def weighted(bound: Bound, prior_weight: Float[Tensor, " all"] | None) -> Float[Tensor, " all"]:
    """Elbo with a weight on the cross-entropy of the prior, by default 1.

    Example:
        >>> nats = torch.tensor([2.0])
        >>> bound = Bound(0 * nats, {"prior": Factor(nats, nats)})
        >>> weighted(bound, None), weighted(bound, torch.tensor([3.0]))
        (tensor([-2.]), tensor([-6.]))
    """
    more = 0.0 if prior_weight is None else (prior_weight - 1) * bound.factors["prior"].cross_entropy
    return bound.elbo - more


def _samples(
    posterior: Normal | FullNormal, x: Tensor, noise: Tensor
) -> Float[Tensor, "replica samples points latent"]:
    """S posterior samples of every point."""
    points = x.shape[-2]
    first = noise.unflatten(1, (noise.shape[1] // points, points)).movedim(1, 0)
    return posterior.reparametrise(first).movedim(0, 1)
