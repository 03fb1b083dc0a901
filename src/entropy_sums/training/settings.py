"""Settings of training. Light: imported by the workflow, so without numpy or torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from entropy_sums.settings import Packed, Settings

PROTOCOL = 1
"""Version of all code that computes numbers. Raise it with any change that alters a trace: runs are then redone."""


class PhaseSettings(Settings):
    """One phase of training: stochastic gradient ascent on the ELBO.

    Attributes:
        steps: optimiser steps.
        learning_rate: at the start of the phase.
        schedule: how the learning rate goes from there: `constant`, or to zero as a `cosine` or `linear` function.
        batch_size: points per step; `full` takes the whole training set at every step.
        samples: posterior samples per point and step.
        optimizer: `adam`, with the usual decay rates 0.9 and 0.999.
    """

    steps: PositiveInt = 2000
    learning_rate: Packed[PositiveFloat] = 1e-3
    schedule: Literal["constant", "cosine", "linear"] = "constant"
    batch_size: PositiveInt | Literal["full"] = 100
    samples: PositiveInt = 1
    optimizer: Literal["adam"] = "adam"


class EvaluationSettings(Settings):
    """When and how exactly a trace is recorded.

    Attributes:
        every: steps between evaluations; before that at steps 0, 1, 2, 4, 8, ….
        samples: independent posterior samples per point, from which the standard errors follow.
    """

    every: PositiveInt = 200
    samples: int = Field(4, ge=2)


class TrainingSettings(Settings):
    """How a model is trained and observed.

    Attributes:
        phases: one after the other; a last one with `batch_size: full` polishes.
        evaluation: when and how exactly the trace is recorded.
        precision: floating point type of parameters and data.
    """

    phases: tuple[PhaseSettings, ...] = Field((PhaseSettings(),), min_length=1)
    evaluation: EvaluationSettings = EvaluationSettings()
    precision: Literal["float32", "float64"] = "float32"

    @property
    def steps(self) -> NonNegativeInt:
        """Optimiser steps of all phases."""
        return sum(phase.steps for phase in self.phases)
