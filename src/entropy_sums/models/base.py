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
"""Setting of the entropies in the entropy sum → its value with which the gap closes at stationary points."""


class Look(NamedTuple):
    """Colour and marker of one model in figures, as matplotlib names them."""

    color: str
    marker: str


class Ability(StrEnum):
    """Abilities that some models have besides their bound; `models.abilities` defines what each requires.

    The values complete a sentence that begins with "needs …".
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
    """Settings common to all models."""

    name: ClassVar[str]
    """Name of the model in study files; not inherited."""
    implementation: ClassVar[str]
    """Location `module:name` of the code that builds the model from a Blueprint."""
    label: ClassVar[str] = ""
    """Label in figures and tables, by default the name in words; not inherited."""
    look: ClassVar[Look | None] = None
    """Colour and marker in figures, by default chosen by name among the unused ones; not inherited."""
    support: ClassVar[Support] = "real"
    """Support of the observation; data outside of it are refused."""

    latent_dim: PositiveInt = 2
    """Number H of latents: latent variables, hidden units, or components of a mixture."""
    initial_scale: Packed[PositiveFloat] = 1.0
    """Factor on the usual uniform initial weights."""

    @property
    def abilities(self) -> frozenset[Ability] | None:
        """Abilities of the model; None if it declares none, so that they are determined once it is built."""
        return None

    def dimension_misfit(self, observed_dim: int) -> str | None:
        """Reason why the model does not fit data of this dimension, and the remedy; None if it fits."""
        return None

    def truth_misfit(self, true_weights: tuple[int, int] | None) -> str | None:
        """Reason why the model cannot be trained on data with true weights of shape (D, H), or without; None if it can.

        Args:
            true_weights: shape (D, H); None if the data have no true weights.
        """
        return None

    @property
    def ascends_elbo(self) -> bool:
        """Whether training and ELBO have the same stationary points; there the certificates predict the gap."""
        return True

    @property
    def pretraining(self) -> int:
        """Number of steps at the start of training that ascend another objective than the later steps."""
        return 0

    @property
    def least_samples(self) -> int:
        """Smallest number of posterior samples in every phase."""
        return 1

    def closing(self) -> ModelSettings:
        """Settings with the same objective and the entropies with which the gap closes at stationary points.

        Example:
            >>> from entropy_sums.models.vae.settings import PoissonVAESettings
            >>> PoissonVAESettings(observation_entropy="true").closing().observation_entropy
            'pseudo'
        """
        fields = type(self).model_fields
        return self.model_copy(update={name: value for name, value in CLOSING.items() if name in fields})

    def multiplications(self, observed_dim: int) -> int:
        """Approximate number of multiplications per point in encoder and decoder, for a forecast: one per weight."""
        return 2 * observed_dim * self.latent_dim

    def sampled_dim(self, observed_dim: int) -> int:
        """Cost of each of several posterior samples, as a number of data dimensions, for a forecast.

        A number below `observed_dim` means that samples are averaged before the last layer (`vae.normal_decoder`).
        """
        return observed_dim

    def parameters(self, observed_dim: int) -> int:
        """Approximate number of parameters of one run, for a forecast: `weights`, unless weights are shared."""
        return self.multiplications(observed_dim)
