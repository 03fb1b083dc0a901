"""What a recorder is, and what it sees."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from entropy_sums.bound import Bound
from entropy_sums.models.model import Model
from entropy_sums.training.evaluation import Evaluation, Record
from entropy_sums.training.randomness import Purpose
from entropy_sums.training.replica import Replica
from entropy_sums.training.settings import EvaluationSettings

HELDOUT = "heldout_"
"""Prefix of the names of what is recorded of held-out data."""


@dataclass(frozen=True)
class Subject:
    """What is recorded: a model in training, the settings of its replicas, and the data that it is evaluated on.

    Attributes:
        evaluations: prefix of names → the bound on these data; no prefix stands for the training data.
    """

    model: Model
    replicas: Sequence[Replica]
    evaluations: Mapping[str, Evaluation]

    @classmethod
    def on(cls, model: Model, replicas: Sequence[Replica], train: Tensor, test: Tensor) -> Subject:
        """A model evaluated on training data `(N, D)` and held-out data `(M, D)`."""
        seeds, samples = [replica.seed for replica in replicas], replicas[0].training.evaluation.samples
        evaluations = {
            "": Evaluation(train, seeds, samples, Purpose.EVALUATION),
            HELDOUT: Evaluation(test, seeds, samples, Purpose.HELDOUT),
        }
        return cls(model, replicas, evaluations)

    @property
    def settings(self) -> EvaluationSettings:
        """What is to be recorded."""
        return self.replicas[0].training.evaluation

    @property
    def data(self) -> Tensor:
        """Training data `(N, D)`."""
        return self.evaluations[""].data


class Recorder(ABC):
    """A part of what a trace records, all of it with a leading replica axis.

    A new recorder is one class in a file of this package; `quantities` says what its names mean.

    Attributes:
        tensors: what a checkpoint keeps of it by name; most have nothing.
        watch: is called with the step and the bound of every minibatch, before the update; None does without.
    """

    def __init__(self, subject: Subject) -> None:
        self.subject, self.model = subject, subject.model
        self.tensors: Mapping[str, Tensor] = {}
        self.watch: Callable[[int, Bound], None] | None = None

    @classmethod
    @abstractmethod
    def applies(cls, subject: Subject) -> bool:
        """Whether the settings ask for it and the model has it."""

    def at_step(self, step: int) -> Record:
        """Quantities of a recorded step; the same names at all of them."""
        return {}

    def at_end(self, step: int) -> Record:
        """Quantities that are recorded once, after the last step."""
        return {}

    def restore(self, saved: Mapping[str, Tensor]) -> None:
        """Take up the tensors of a checkpoint."""
        for name, tensor in self.tensors.items():
            tensor.copy_(saved[name])
