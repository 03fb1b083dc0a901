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
    """The name of an optimiser, of this package or of a plugin of the study."""
    known = _optimizers(info)
    if name not in known:
        raise ValueError(f"{name!r} is no optimiser; choose {', '.join(known)}")
    return name


def _optimizers(info: Any) -> Mapping[str, type[Optimizer]]:
    """Those of the catalogue of the study, where there is one."""
    return OPTIMIZERS if info.context is None else info.context.optimizers


# Editors offer ours, and take what a plugin may have
_NAMES = WithJsonSchema({"anyOf": [{"enum": list(OPTIMIZERS), "type": "string"}, {"type": "string"}]})
OptimizerName = Annotated[str, AfterValidator(_known), _NAMES]


class PhaseSettings(Settings):
    """One phase of training: stochastic gradient ascent on the ELBO."""

    steps: PositiveInt = 2000
    """Optimiser steps."""
    learning_rate: Packed[PositiveFloat] = 1e-3
    """Learning rate at the start of the phase."""
    schedule: Literal["constant", "cosine", "linear"] = "constant"
    """How the learning rate goes on: `constant`, or to zero as a `cosine` or `linear` function."""
    batch_size: PositiveInt | Literal["full"] = 100
    """Points per step; `full` takes the whole training set at every step."""
    order: Literal["shuffled", "given"] = "shuffled"
    """Each replica shuffles the points anew in every epoch, or all go through them as the data have them."""
    samples: PositiveInt = 1
    """Posterior samples per point and step."""
    optimizer: OptimizerName = "adam"
    """Optimiser."""
    iterations: PositiveInt = 200
    """Most iterations of a run of `lbfgs`, which begins anew at every step."""
    history: PositiveInt = 200
    """Updates from which `lbfgs` knows the curvature."""
    prior_weight: Packed[PositiveFloat] = 1.0
    """Weight of the prior in what training ascends, H[q] − weight · CE of the prior − CE of the observation, for VAEs
    and sparse coding: annealing has phases with other weights first. The elbo is recorded without it."""
    weight_decay: Packed[NonNegativeFloat] = 0.0
    """λ, on all learned parameters θ, as a penalty or apart from the gradient: the optimiser says how it acts. The elbo
    is recorded without a penalty."""
    second_moment_decay: Annotated[float, Field(gt=0, lt=1)] = 0.999
    """Decay rate of Adam's second moments; 0.99 forgets the large gradients of the start ten times sooner, which
    learned variances need in short trainings."""

    _kind: type[Optimizer] = PrivateAttr()

    @property
    def kind(self) -> type[Optimizer]:
        """The class of the optimiser."""
        return self._kind

    @property
    def passes(self) -> int:
        """Number of times that the points of a step go through the model in all steps, for a forecast."""
        return self.steps * self.kind.passes(self)

    @classmethod
    def descriptions(cls) -> dict[str, str]:
        """Setting → what it is; of the optimiser every choice by itself."""
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
    """When and how exactly a trace is recorded."""

    every: PositiveInt = 200
    """Steps between evaluations; before that at steps 0, 1, 2, 4, 8, …."""
    certificate: bool = True
    """Record beside the gap what the certificate of the model says it is, the derivative of the ELBO along v."""
    samples: Annotated[int, Field(ge=2)] = 4
    """Independent posterior samples per point, from which the standard errors follow."""
    importance_samples: NonNegativeInt = 0
    """Posterior samples K per point of the importance-weighted bound on the log-likelihood, which is estimated at the
    end of training as often as there are `samples`; 0 does without."""
    annealing_temperatures: NonNegativeInt = 0
    """Temperatures of forward and of reverse annealed importance sampling at the end of training, for models with a
    partition function: of the log-likelihood, or of the elbo where the posterior is approximate; 0 does without."""
    batches: bool = False
    """Record elbo and entropy sum of the minibatch of every step, from the forward pass that trains on it."""
    subset_sizes: tuple[PositiveInt, ...] = ()
    """Numbers of held-out points, such as [10, 100, 1000]: at the end of training elbo and entropy sum are estimated
    from random subsets of so many points; none by default."""
    subset_estimates: Annotated[int, Field(ge=2)] = 10
    """Estimates per number of points, each from points and `samples` posterior samples of its own."""

    @field_validator("subset_sizes")
    @classmethod
    def _increasing(cls, sizes: tuple[int, ...]) -> tuple[int, ...]:
        if list(sizes) != sorted(set(sizes)):
            raise ValueError(f"{list(sizes)} do not increase; write {sorted(set(sizes))}")
        return sizes


class TrainingSettings(Settings):
    """How a model is trained and observed."""

    phases: Annotated[tuple[PhaseSettings, ...], Field(min_length=1)] = (PhaseSettings(),)
    """Phases, one after the other; a last one with `batch_size: full` polishes."""
    evaluation: EvaluationSettings = EvaluationSettings()
    """When and how exactly the trace is recorded."""
    precision: Literal["float32", "float64"] = "float32"
    """Floating point type of parameters and data."""

    @property
    def steps(self) -> NonNegativeInt:
        """Optimiser steps of all phases."""
        return sum(phase.steps for phase in self.phases)
