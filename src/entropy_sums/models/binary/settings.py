"""Settings of belief networks and Boltzmann machines. Light: without torch."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, ClassVar, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from entropy_sums.models.base import Ability, Activation, Look, ModelSettings
from entropy_sums.settings import Packed

ENUMERABLE_LATENTS = 12
"""Largest number of binary latents for exact sums over all states: 4096 states."""

ENUMERABLE_UNITS = 16
"""Largest number of units of a Boltzmann machine layer whose states are enumerated."""


class BeliefNetworkSettings(ModelSettings):
    """Settings common to all belief networks: layers of `latent_dim` binary latents, Bernoulli observation."""

    support = "binary"
    depth: PositiveInt = 1
    """Number of layers of latents."""
    encoder_width: PositiveInt = 50
    """Number of units per deterministic hidden layer of the inference network of every layer of latents."""
    encoder_depth: NonNegativeInt = 1
    """Number of deterministic hidden layers of every inference network."""
    decoder_width: PositiveInt = 50
    """Number of units per deterministic hidden layer between two layers of latents, and before the observation."""
    decoder_depth: NonNegativeInt = 0
    """Number of deterministic hidden layers of every conditional of the model; 0 makes its logits linear."""
    activation: Activation = "relu"
    """Nonlinearity of all deterministic hidden layers."""
    estimator: Literal["disarm", "reinforce", "vimco", "wake_sleep", "enumeration"] = "disarm"
    """Gradient estimator in training. `enumeration` is exact, also in traces, up to 12 latents. `reinforce` and `vimco`
    need `samples: 2` or more; `vimco` ascends the importance-weighted bound. `wake_sleep` has the gradient of the ELBO
    for the model only, and fits the inference networks to samples of the model."""

    @model_validator(mode="after")
    def _enumerable(self):
        latents = self.directed * self.latent_dim
        if self.estimator == "enumeration" and latents > ENUMERABLE_LATENTS:
            raise ValueError(
                f"estimator: enumeration sums over all states of at most {ENUMERABLE_LATENTS} latents, and directed "
                f"layers × latent_dim is {latents}; lower one of them, or choose estimator: disarm"
            )
        return self

    @property
    def abilities(self) -> frozenset[Ability]:
        return frozenset({Ability.BOUND if self.estimator == "enumeration" else Ability.WEIGHTS})

    @property
    def directed(self) -> int:
        """Number of directed layers, each with an inference network."""
        return self.depth

    @property
    def ascends_elbo(self) -> bool:
        """Whether training ascends the ELBO; `wake_sleep` does so in the model parameters, which certificates need."""
        return super().ascends_elbo and self.estimator != "vimco"

    @property
    def least_samples(self) -> int:
        """Smallest number of samples in every phase; a leave-one-out baseline needs two."""
        return 2 if self.estimator in ("reinforce", "vimco") else 1

    def multiplications(self, observed_dim: int) -> int:
        sizes = [observed_dim, *[self.latent_dim] * self.directed]
        encoder, decoder = [self.encoder_width] * self.encoder_depth, [self.decoder_width] * self.decoder_depth
        networks = [network for a, b in pairwise(sizes) for network in ([a, *encoder, b], [b, *decoder, a])]
        return sum(a * b for network in networks for a, b in pairwise(network))


class SBNSettings(BeliefNetworkSettings):
    """Sigmoid belief network: layers of binary latents for binary data."""

    name = "sbn"
    implementation = "entropy_sums.models.binary.sbn:sbn"
    label = "SBN"
    look = Look("#882255", "P")

    prior: Literal["learned", "uniform", "fixed"] = "learned"
    """Prior of the highest layer; with `fixed`, the negative control, its gap does not close."""
    prior_mean: Packed[Annotated[float, Field(gt=0, lt=1)]] = 0.2
    """Probability of a one in a `fixed` prior."""


class BoltzmannSettings(ModelSettings):
    """Settings common to all Boltzmann machines: gradient of the likelihood, chains and annealing."""

    countable: ClassVar[bool] = True
    """Whether visible units have finitely many states."""

    gradient: Literal["exact", "cd", "pcd", "parallel_tempering"] = "pcd"
    """Gradient of the log-likelihood: `exact` over all states of a layer of at most 16 units, or estimated with chains
    of `gibbs_steps` steps. `cd` begins the chains at the data; `pcd` continues persistent chains. `parallel_tempering`
    continues persistent chains at several temperatures that swap their states: they mix better, at a cost proportional
    to the number of temperatures."""
    gibbs_steps: PositiveInt = 1
    """Number of Gibbs steps k per update of CD-k, PCD-k and parallel tempering."""
    ladder: Annotated[int, Field(ge=2)] = 10
    """Number of temperatures of parallel tempering, at equal distances from the model to independent units."""
    chains: Annotated[int, Field(ge=2)] = 100
    """Number of persistent chains, and of annealed chains if no layer is small enough to enumerate."""
    temperatures: PositiveInt = 1000
    """Number of temperatures of annealed importance sampling, used if no layer is small enough to enumerate."""
    centred: bool = True
    """Whether visible and hidden units are centred at their means, which improves the conditioning of the gradient."""

    @property
    def abilities(self) -> frozenset[Ability]:
        return frozenset({Ability.ANNEALING})

    def dimension_misfit(self, observed_dim: int) -> str | None:
        """Reason why the exact gradient is impossible, as no layer is small enough; None if it is possible."""
        sides = self._sides(observed_dim)
        smallest = min(sides) if self.countable else sides[1]
        if self.gradient != "exact" or smallest <= ENUMERABLE_UNITS:
            return None
        return (
            f"gradient: exact goes through all states of a layer, of at most {ENUMERABLE_UNITS} units; here latent_dim "
            f"is {self.latent_dim}, and layers have {sides[0]} and {sides[1]} units: set gradient: pcd or a smaller "
            "latent_dim"
        )

    @property
    def ascends_elbo(self) -> bool:
        return self.gradient != "cd"

    @property
    def levels(self) -> int:
        """Number of temperatures with persistent chains."""
        return self.ladder if self.gradient == "parallel_tempering" else 1

    def multiplications(self, observed_dim: int) -> int:
        visible, hidden = self._sides(observed_dim)
        # The states of a layer cost as much as this number of batches of 100 points
        states = 2 ** min(visible, hidden) // 100
        steps = states if self.gradient == "exact" else self.gibbs_steps * self.levels
        return (1 + steps) * visible * hidden

    def _sides(self, observed_dim: int) -> tuple[int, int]:
        """Numbers of units of the two connected layers."""
        return observed_dim, self.latent_dim


class RBMSettings(BoltzmannSettings):
    """Restricted Boltzmann machine for binary data."""

    name = "rbm"
    implementation = "entropy_sums.models.binary.rbm:rbm"
    label = "RBM"
    look = Look("#332288", "p")
    support = "binary"


class GaussianRBMSettings(BoltzmannSettings):
    """Restricted Boltzmann machine with normal visible units of learned variances."""

    name = "gaussian_rbm"
    implementation = "entropy_sums.models.binary.rbm:gaussian_rbm"
    label = "Gaussian RBM"
    look = Look("#999933", "h")
    countable = False


class DBNSettings(BeliefNetworkSettings, BoltzmannSettings):
    """Deep belief network: the two highest layers are a restricted Boltzmann machine, directed layers lie below."""

    name = "dbn"
    implementation = "entropy_sums.models.binary.dbn:dbn"
    label = "DBN"
    look = Look("#009E73", ">")

    depth: Annotated[int, Field(ge=2)] = 2
    """Number of layers of latents, including both layers of the Boltzmann machine."""
    encoder_depth: NonNegativeInt = 0
    """Number of deterministic hidden layers of every inference network; 0 makes its logits linear."""
    pretraining_steps: NonNegativeInt = 0
    """Number of pretraining steps per layer, from the lowest layer up to the Boltzmann machine. A directed layer learns
    by CD-k, with the same weights in both directions. 0 means no pretraining."""

    @model_validator(mode="after")
    def _together(self):
        if self.estimator == "enumeration" and self.gradient != "exact":
            raise ValueError(
                f"estimator: enumeration has no use for gradient: {self.gradient}, as all states are at hand; write "
                "gradient: exact"
            )
        if self.pretraining_steps and (self.encoder_depth or self.decoder_depth or self.estimator == "enumeration"):
            raise ValueError(
                f"pretraining_steps: {self.pretraining_steps} wants layers that are Boltzmann machines, and samples; "
                "write encoder_depth: 0 and decoder_depth: 0, and not estimator: enumeration"
            )
        if self.gradient == "exact" and self.latent_dim > ENUMERABLE_UNITS:
            raise ValueError(
                f"gradient: exact goes through all states of a layer, of at most {ENUMERABLE_UNITS} units; here "
                f"latent_dim is {self.latent_dim}: lower it, or set gradient: pcd"
            )
        return self

    @property
    def abilities(self) -> frozenset[Ability]:
        """Abilities of a belief network, and annealing unless states are enumerated."""
        return super().abilities | ({Ability.ANNEALING} if self.estimator != "enumeration" else set())

    @property
    def directed(self) -> int:
        return self.depth - 1

    @property
    def pretraining(self) -> int:
        return self.depth * self.pretraining_steps

    def multiplications(self, observed_dim: int) -> int:
        return BeliefNetworkSettings.multiplications(self, observed_dim) + BoltzmannSettings.multiplications(
            self, self.latent_dim
        )


MEAN_FIELD_STEPS = 10
"""Typical number of updates until a mean-field posterior has converged."""


class DBMSettings(BoltzmannSettings):
    """Deep Boltzmann machine for binary data, layers of `latent_dim` hidden units, mean-field posterior."""

    name = "dbm"
    implementation = "entropy_sums.models.binary.dbm:DBM"
    label = "DBM"
    look = Look("#0072B2", "h")
    support = "binary"

    depth: Annotated[int, Field(ge=2)] = 2
    """Number of hidden layers."""
    tolerance: PositiveFloat = 1e-5
    """Largest change of a mean between two updates at which the posterior counts as converged."""
    mean_field_steps: PositiveInt = 100
    """Largest number of updates of the posterior per point; without convergence the bound is looser."""
    pretraining_steps: NonNegativeInt = 0
    """Number of pretraining steps of each layer and the next one, from the lowest ones up, as machines that learn by
    CD-1. 0 means no pretraining."""

    @property
    def abilities(self) -> frozenset[Ability]:
        return super().abilities | {Ability.WEIGHTS}

    @property
    def pretraining(self) -> int:
        return self.depth * self.pretraining_steps

    def multiplications(self, observed_dim: int) -> int:
        between, hidden = self._sides(0)
        return super().multiplications(observed_dim) + 2 * MEAN_FIELD_STEPS * between * hidden

    def _sides(self, observed_dim: int) -> tuple[int, int]:
        return observed_dim + self.depth // 2 * self.latent_dim, (self.depth + 1) // 2 * self.latent_dim
