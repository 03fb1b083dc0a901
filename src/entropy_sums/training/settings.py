"""Settings of training. Light: imported by the workflow, so without numpy or torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    PrivateAttr,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from entropy_sums.settings import Packed, Settings
from entropy_sums.training.optimizers.base import Decay, Optimizer
from entropy_sums.training.optimizers.catalogue import OPTIMIZERS


def _known(name: str, info: Any) -> str:
    """Name of an optimiser, of this package or of a plugin of the study."""
    known = _optimizers(info)
    if name not in known:
        raise ValueError(f"{name!r} is no optimiser; choose {', '.join(known)}")
    return name


def _optimizers(info: Any) -> Mapping[str, type[Optimizer]]:
    """Optimisers of the catalogue of the study, or else of this package."""
    return OPTIMIZERS if info.context is None else info.context.optimizers


# Editors offer the optimisers of this package, and accept those of plugins
_NAMES = WithJsonSchema({"anyOf": [{"enum": list(OPTIMIZERS), "type": "string"}, {"type": "string"}]})
OptimizerName = Annotated[str, AfterValidator(_known), _NAMES]


class PhaseSettings(Settings):
    """One phase of training: stochastic gradient ascent on the ELBO."""

    steps: PositiveInt = 2000
    """Number of optimiser steps."""
    learning_rate: Packed[PositiveFloat] = 1e-3
    """Learning rate at the start of the phase."""
    variance_rate: Packed[PositiveFloat] = 1.0
    """Factor on the learning rate of free variance parameters, such as log σ² of VAE-1 and log α of VAE-2."""
    schedule: Literal["constant", "cosine", "linear"] = "constant"
    """Course of the learning rate: `constant`, or to zero as a `cosine` or `linear` function."""
    batch_size: PositiveInt | Literal["full"] = 100
    """Number of points per step; `full` takes the whole training set at every step."""
    order: Literal["shuffled", "given"] = "shuffled"
    """Order of the points: `shuffled` anew by each replica in every epoch, or `given` by the data for all replicas."""
    samples: PositiveInt = 1
    """Number of posterior samples per point and step."""
    optimizer: OptimizerName = "adam"
    """Optimiser."""
    iterations: PositiveInt = 200
    """Largest number of iterations of a run of `lbfgs`, which begins anew at every step."""
    history: PositiveInt = 200
    """Number of updates from which `lbfgs` estimates the curvature."""
    prior_weight: Packed[PositiveFloat] = 1.0
    """Weight of the prior in the training objective, H[q] − weight · CE of the prior − CE of the observation, for VAEs
    and sparse coding. Annealing begins with phases of other weights. The ELBO is recorded without the weight."""
    weight_decay: Packed[NonNegativeFloat] = 0.0
    """Weight decay λ on all learned parameters θ. The optimiser applies it as a penalty or decoupled from the gradient.
    The ELBO is recorded without the penalty."""
    second_moment_decay: Annotated[float, Field(gt=0, lt=1)] = 0.999
    """Decay rate of Adam's second moments. A rate of 0.99 forgets the large gradients of the start ten times sooner,
    which learned variances need in short trainings."""

    _kind: type[Optimizer] = PrivateAttr()

    @property
    def kind(self) -> type[Optimizer]:
        """The class of the optimiser."""
        return self._kind

    @property
    def passes(self) -> int:
        """Number of passes of a minibatch through the model in all steps, for a forecast."""
        return self.steps * self.kind.passes(self)

    @classmethod
    def descriptions(cls) -> dict[str, str]:
        """Setting → description; the description of the optimiser lists every choice."""
        found = super().descriptions()
        choices = (kind.description() for kind in OPTIMIZERS.values())
        return found | {"optimizer": "\n".join([found["optimizer"], *choices])}

    @model_validator(mode="after")
    def _as_the_optimizer_takes_them(self, info: Any):
        self._kind = kind = _optimizers(info)[self.optimizer]
        if kind.full_batch and self.batch_size != "full":
            raise ValueError(
                f"optimizer: {self.optimizer} {kind.full_batch}, here batch_size: {self.batch_size}; write batch_size: "
                "full"
            )
        if kind.decay is Decay.NONE and self.weight_decay:
            raise ValueError(
                f"optimizer: {self.optimizer} has no weight_decay, here {self.weight_decay}; write weight_decay: 0"
            )
        return self


class EvaluationSettings(Settings):
    """Times and accuracy of the recorded quantities."""

    every: PositiveInt = 200
    """Number of steps between evaluations; earlier ones are at steps 0, 1, 2, 4, 8, …."""
    certificate: bool = True
    """Record beside the gap the value that the certificate predicts, the derivative of the ELBO along v."""
    samples: Annotated[int, Field(ge=2)] = 4
    """Number of independent posterior samples per point, from which the standard errors follow."""
    final_samples: Annotated[int, Field(ge=2)] = 100
    """Number of independent posterior samples per point in the last record, at least `samples`. The noise floor of the
    final gap falls with its square root."""
    importance_samples: NonNegativeInt = 0
    """Number K of posterior samples per point of the importance-weighted bound on the log-likelihood. The bound is
    estimated `samples` times at the end of training. 0 leaves it out."""
    annealing_temperatures: NonNegativeInt = 0
    """Number of temperatures of forward and of reverse annealed importance sampling at the end of training, for models
    with a partition function. It estimates the log-likelihood, or the ELBO where the posterior is approximate. 0 leaves
    it out."""
    batches: bool = False
    """Record ELBO and entropy sum of the minibatch of every step, from the forward pass that trains on it."""
    subset_sizes: tuple[PositiveInt, ...] = ()
    """Sizes of random subsets of the held-out points, such as [10, 100, 1000]; none by default. ELBO and entropy sum
    are estimated from each subset at the end of training."""
    subset_estimates: Annotated[int, Field(ge=2)] = 10
    """Number of estimates per subset size, each from its own points and its own `samples` posterior samples."""

    @property
    def last_samples(self) -> int:
        """Number of posterior samples per point in the last record."""
        return max(self.samples, self.final_samples)

    @field_validator("subset_sizes")
    @classmethod
    def _increasing(cls, sizes: tuple[int, ...]) -> tuple[int, ...]:
        if list(sizes) != sorted(set(sizes)):
            raise ValueError(f"{list(sizes)} do not increase; write {sorted(set(sizes))}")
        return sizes


class TrainingSettings(Settings):
    """Training and evaluation of a model."""

    phases: Annotated[tuple[PhaseSettings, ...], Field(min_length=1)] = (PhaseSettings(),)
    """Phases, one after the other; a last one with `batch_size: full` polishes."""
    evaluation: EvaluationSettings = EvaluationSettings()
    """Times and accuracy of the recorded quantities, for all phases."""
    precision: Literal["float32", "float64"] = "float32"
    """Floating point type of parameters and data; random numbers are the same in both."""

    @property
    def steps(self) -> NonNegativeInt:
        """Number of optimiser steps of all phases."""
        return sum(phase.steps for phase in self.phases)
