"""Settings of belief networks and Boltzmann machines. Light: without torch."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, ClassVar, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from entropy_sums.models.base import Ability, Activation, Look, ModelSettings
from entropy_sums.settings import Packed

ENUMERABLE_LATENTS = 12
"""Binary latents over all states of which is summed where exact values are asked for: 4096 states."""

ENUMERABLE_UNITS = 16
"""Most units of a layer of a Boltzmann machine all of whose states are gone through."""


class BeliefNetworkSettings(ModelSettings):
    """What all belief networks have in common: layers of `latent_dim` binary latents, Bernoulli observation."""

    support = "binary"
    depth: PositiveInt = 1
    """Number of layers of latents."""
    encoder_width: PositiveInt = 50
    """Units per deterministic hidden layer of the inference network of every layer of latents."""
    encoder_depth: NonNegativeInt = 1
    """Deterministic hidden layers of every inference network."""
    decoder_width: PositiveInt = 50
    """Units per deterministic hidden layer between two layers of latents, and before the observation."""
    decoder_depth: NonNegativeInt = 0
    """Deterministic hidden layers of every conditional of the model; 0 makes its logits linear."""
    activation: Activation = "relu"
    """Nonlinearity of all deterministic hidden layers."""
    estimator: Literal["disarm", "reinforce", "vimco", "wake_sleep", "enumeration"] = "disarm"
    """Of the gradient in training. `enumeration` is exact, in the trace too, up to 12 latents; `reinforce` and `vimco`
    need `samples: 2` or more, and `vimco` ascends the importance-weighted bound; `wake_sleep` has that of the ELBO for
    the model only, and fits the inference networks to what the model dreams."""

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
        """With `wake_sleep` those of the model's own parameters are, and along these the certificates go."""
        return super().ascends_elbo and self.estimator != "vimco"

    @property
    def least_samples(self) -> int:
        """Two for a baseline that leaves one out."""
        return 2 if self.estimator in ("reinforce", "vimco") else 1

    def weights(self, observed_dim: int) -> int:
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
    """Of the highest layer: with `fixed`, the negative control, its gap does not close."""
    prior_mean: Packed[Annotated[float, Field(gt=0, lt=1)]] = 0.2
    """Probability of a one in a `fixed` prior."""


class BoltzmannSettings(ModelSettings):
    """What all restricted Boltzmann machines have in common: how their likelihood is followed."""

    countable: ClassVar[bool] = True
    """Whether visible units have finitely many states."""

    gradient: Literal["exact", "cd", "pcd", "parallel_tempering"] = "pcd"
    """Of the log-likelihood: `exact` over all states of a layer of at most 16 units, or estimated with samples from
    chains of `gibbs_steps`: `cd` begins them at the data, `pcd` goes on with persistent ones, `parallel_tempering` with
    persistent ones at several temperatures that swap their states, which mix better and cost so many times more."""
    gibbs_steps: PositiveInt = 1
    """Gibbs steps k per update of CD-k, PCD-k and parallel tempering."""
    ladder: Annotated[int, Field(ge=2)] = 10
    """Temperatures of parallel tempering, at equal distances from the machine to the machine without its weights."""
    chains: Annotated[int, Field(ge=2)] = 100
    """Persistent chains, and chains of annealed importance sampling where no layer is small enough to enumerate."""
    temperatures: PositiveInt = 1000
    """Temperatures of annealed importance sampling, which traces need where no layer is small enough to enumerate."""
    centred: bool = True
    """Whether visible and hidden units are taken relative to their means, which makes the gradient better behaved."""

    @property
    def abilities(self) -> frozenset[Ability]:
        return frozenset({Ability.ANNEALING})

    def dimension_misfit(self, observed_dim: int) -> str | None:
        """The exact gradient needs a small layer."""
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
        """Temperatures that there are persistent chains at."""
        return self.ladder if self.gradient == "parallel_tempering" else 1

    def weights(self, observed_dim: int) -> int:
        visible, hidden = self._sides(observed_dim)
        # All states of a layer are as many points as so many batches of 100
        states = 2 ** min(visible, hidden) // 100
        steps = states if self.gradient == "exact" else self.gibbs_steps * self.levels
        return (1 + steps) * visible * hidden

    def _sides(self, observed_dim: int) -> tuple[int, int]:
        """Units of the two layers that the weights are between."""
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
    """Number of layers of latents, both layers of the Boltzmann machine among them."""
    encoder_depth: NonNegativeInt = 0
    """Deterministic hidden layers of every inference network; 0 makes its logits linear."""
    pretraining_steps: NonNegativeInt = 0
    """Steps at the start of training that every layer has to itself, from the lowest one up to the Boltzmann machine:
    a directed layer learns by CD-k, with the same weights in both directions. 0 does without."""

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
        """What is enumerated needs no annealing."""
        return super().abilities | ({Ability.ANNEALING} if self.estimator != "enumeration" else set())

    @property
    def directed(self) -> int:
        return self.depth - 1

    @property
    def pretraining(self) -> int:
        return self.depth * self.pretraining_steps

    def weights(self, observed_dim: int) -> int:
        return BeliefNetworkSettings.weights(self, observed_dim) + BoltzmannSettings.weights(self, self.latent_dim)


MEAN_FIELD_STEPS = 10
"""Updates after which a mean-field posterior has usually settled."""


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
    """The posterior has settled when no mean moves by more between two updates of its layers."""
    mean_field_steps: PositiveInt = 100
    """Most updates of the posterior per point; a posterior that has not settled by then loosens the bound."""
    pretraining_steps: NonNegativeInt = 0
    """Steps at the start of training that each layer and the next one have to themselves, from the lowest ones up,
    as machines that learn by CD-1. 0 does without."""

    @property
    def abilities(self) -> frozenset[Ability]:
        return super().abilities | {Ability.WEIGHTS}

    @property
    def pretraining(self) -> int:
        return self.depth * self.pretraining_steps

    def weights(self, observed_dim: int) -> int:
        between, hidden = self._sides(0)
        return super().weights(observed_dim) + 2 * MEAN_FIELD_STEPS * between * hidden

    def _sides(self, observed_dim: int) -> tuple[int, int]:
        return observed_dim + self.depth // 2 * self.latent_dim, (self.depth + 1) // 2 * self.latent_dim
