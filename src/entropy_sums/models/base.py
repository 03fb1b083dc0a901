"""Settings that models share. Light: imported by the workflow, so without torch."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Literal, NamedTuple

from pydantic import Field, PositiveFloat, PositiveInt

from entropy_sums.settings import Packed, Settings
from entropy_sums.supports import Support

Rate = Annotated[float, Field(ge=0, le=1)]

Activation = Literal["relu", "leaky_relu", "elu", "silu", "softplus", "tanh"]

VarianceHead = Literal["log_variance", "softplus", "leaky_relu"]

CLOSING = {"entropies": "weighted", "observation_entropy": "pseudo"}
"""Setting that says which entropies stand in the entropy sum → those that the objective meets at stationary points."""


class Look(NamedTuple):
    """How figures draw one model: colour and marker, as matplotlib names them."""

    color: str
    marker: str


class Ability(StrEnum):
    """What some models are able to do beside their bound; `models.abilities` says what it takes.

    The words go on after "needs …".
    """

    MAXIMISE = "a step of EM (`maximise`)"
    LANDSCAPE = "an objective that is one function all along a search (`landscape`)"
    WEIGHTS = "importance weights (`log_weights`)"
    ANNEALING = "a partition function that annealing brackets (`bracket`)"
    DICTIONARY = "a vector of the data space for each latent (`dictionary`)"
    INFORMED = "knowledge of the distribution of its data (`inform`)"
    PRIOR_WEIGHT = "a prior that training may weight (`prior_weight`)"
    BOUND = "an objective that is the bound of the points of a step (`objective`)"


class ModelSettings(Settings):
    """What all models have in common."""

    name: ClassVar[str]
    """What study files call it; not inherited."""
    implementation: ClassVar[str]
    """`module:name` of the code that builds it from a Blueprint."""
    label: ClassVar[str] = ""
    """What figures and tables call it, by default its name in words; not inherited."""
    look: ClassVar[Look | None] = None
    """Colour and marker in figures, by default chosen by its name among those that are left; not inherited."""
    support: ClassVar[Support] = "real"
    """What the observation is a distribution over; other data are refused."""

    latent_dim: PositiveInt = 2
    """Number H of latents: latent variables, hidden units, or components of a mixture."""
    initial_scale: Packed[PositiveFloat] = 1.0
    """Factor on the usual uniform initial weights."""

    @property
    def abilities(self) -> frozenset[Ability] | None:
        """What the model is able to do; None where a model does not declare it, and is asked once it is built."""
        return None

    def dimension_misfit(self, observed_dim: int) -> str | None:
        """Why there is no such model of data of this dimension, and what to do; None where there is one."""
        return None

    def truth_misfit(self, true_weights: tuple[int, int] | None) -> str | None:
        """Why the model cannot be trained on data with true weights of this shape (D, H), or without; None if it can.

        Args:
            true_weights: None where the data have none.
        """
        return None

    @property
    def ascends_elbo(self) -> bool:
        """Whether stationary points of training are those of the ELBO: there the certificates predict the gap."""
        return True

    @property
    def pretraining(self) -> int:
        """Steps at the start of training that ascend something else than what comes after them."""
        return 0

    @property
    def least_samples(self) -> int:
        """Posterior samples that every phase must have."""
        return 1

    def closing(self) -> ModelSettings:
        """The model with the same objective and the entropies that it meets at its stationary points.

        Example:
            >>> from entropy_sums.models.vae.settings import PoissonVAESettings
            >>> PoissonVAESettings(observation_entropy="true").closing().observation_entropy
            'pseudo'
        """
        fields = type(self).model_fields
        return self.model_copy(update={name: value for name, value in CLOSING.items() if name in fields})

    def weights(self, observed_dim: int) -> int:
        """Roughly how many multiplications a point costs in encoder and decoder, for a forecast: one per weight."""
        return 2 * observed_dim * self.latent_dim

    def sampled_dim(self, observed_dim: int) -> int:
        """How many of so many data dimensions each of several posterior samples costs as much as, for a forecast.

        Fewer than all say that samples are averaged where they are fewer: `vae.normal_decoder` asks.
        """
        return observed_dim

    def parameters(self, observed_dim: int) -> int:
        """Roughly how many numbers one run learns, for the same: as many, unless a weight serves more than once."""
        return self.weights(observed_dim)
