"""Base class of optimisers. Light: planning reads their declarations, and torch is imported when a phase begins."""

from __future__ import annotations

import inspect
import math
import textwrap
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from entropy_sums.models.base import Ability

if TYPE_CHECKING:
    from torch import Tensor

    from entropy_sums.bound import Bound
    from entropy_sums.models.model import Model
    from entropy_sums.training.settings import PhaseSettings


WIDTH = 110
"""Width of a description, in characters."""


class Decay(StrEnum):
    """Action of the weight decay λ of a phase on the learned parameters θ."""

    PENALTY = "is a penalty: the objective is elbo − (λ/2)‖θ‖²"
    DECOUPLED = "shrinks θ at each step by λ times the learning rate"
    NONE = "is refused"


class Optimizer(ABC):
    """Optimiser of a phase, which updates the model of a pack step by step.

    A new optimiser is one class in a new file of this package; the first line of its docstring describes it.

    Args:
        model: model that is updated in place.
        phases: settings of the phase, one per replica; they differ in packed settings only.

    Attributes:
        name: name in study files.
        needs: abilities that a model must have.
        full_batch: reason why every step needs all points; None where minibatches are possible.
        ascends_bound: whether a step follows the gradient of the bound of its points.
        decay: action of weight decay.
        reads: settings of a phase that have an effect, beside `steps`; the others have none.
        phase: settings that all replicas share.
        parameters: learned parameters `(replica, …)`.
        moments: running moments by name, a tensor `(replica, …)` for each parameter.
        prior_weight: weight of the prior of each replica; None where all are 1.
    """

    name: ClassVar[str]
    needs: ClassVar[frozenset[Ability]] = frozenset()
    full_batch: ClassVar[str | None] = None
    ascends_bound: ClassVar[bool] = False
    decay: ClassVar[Decay] = Decay.NONE
    reads: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, model: Model, phases: Sequence[PhaseSettings]) -> None:
        import torch

        self.model, self.phase = model, phases[0]
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.moments: Mapping[str, list[Tensor]] = {}
        weights = [phase.prior_weight for phase in phases]
        weighted = any(weight != 1 for weight in weights)
        self.prior_weight = self.parameters[0].new_tensor(weights, dtype=torch.float64) if weighted else None

    @abstractmethod
    def step(self, x: Tensor, noise: Tensor, step: int, watch: Callable[[Bound], None] | None = None) -> None:
        """Update the model once.

        Args:
            x, noise: points and noise, as for `Model.bound`.
            step: number of the step within the phase, counted from 0.
            watch: function called with the bound of the points, before the update; only with `ascends_bound`.
        """

    def resume(self, steps: int) -> None:  # noqa: B027
        """Resume after a number of steps; parameters and moments are restored already."""

    @classmethod
    def passes(cls, phase: PhaseSettings) -> int:
        """Number of passes of a minibatch through the model per step, for a forecast: three for a gradient."""
        return 3

    @classmethod
    def penalty(cls, weight_decay: float) -> float:
        """Factor λ of the penalty (λ/2)‖θ‖² in the objective; NaN where weight decay is no penalty.

        Example:
            >>> from entropy_sums.training.optimizers.catalogue import OPTIMIZERS
            >>> [OPTIMIZERS[name].penalty(0.1) for name in ("sgd", "adamw")], OPTIMIZERS["adamw"].penalty(0.0)
            ([0.1, nan], 0.0)
        """
        return math.nan if weight_decay and cls.decay is Decay.DECOUPLED else weight_decay

    @classmethod
    def description(cls) -> str:
        r"""Description for the schema of study files: summary, requirements, and settings that have an effect.

        Example:
            >>> from entropy_sums.training.optimizers.em import EM
            >>> " ".join(EM.description().split()).partition("). ")[2]
            'Takes full batches, and models with a step of EM (`maximise`). Reads no setting but steps.'
        """
        summary = (inspect.getdoc(cls) or "").partition("\n\n")[0].replace("\n", " ")
        taken = [*(["full batches"] if cls.full_batch else []), *(f"models with {need}" for need in sorted(cls.needs))]
        takes = [f"Takes {', and '.join(taken)}."] if taken else []
        decay = [f"Weight decay {cls.decay}."] if cls.decay is not Decay.NONE else []
        reads = f"Reads {', '.join(sorted(cls.reads)) or 'no setting but steps'}."
        return textwrap.fill(
            " ".join([f"`{cls.name}`: {summary}", *takes, *decay, reads]), WIDTH, subsequent_indent="  "
        )
