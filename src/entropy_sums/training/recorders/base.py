"""Base class of recorders, and the subject that they see."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from entropy_sums.bound import Bound
from entropy_sums.models.model import Model
from entropy_sums.training.evaluation import Evaluation, Record
from entropy_sums.training.randomness import Purpose
from entropy_sums.training.replica import Replica
from entropy_sums.training.settings import EvaluationSettings

HELDOUT = "heldout_"
"""Prefix of the names of quantities on held-out data."""


@dataclass(frozen=True)
class Subject:
    """Subject of a recorder: a model in training, the settings of its replicas, and the data that it is evaluated on.

    Attributes:
        evaluations: prefix of names → evaluation on these data; the empty prefix stands for the training data.
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
        """Settings of the evaluation."""
        return self.replicas[0].training.evaluation

    def samples(self, step: int) -> int:
        """Number of posterior samples per point in the record of a step."""
        last = step == self.replicas[0].training.steps
        return self.settings.last_samples if last else self.settings.samples

    @property
    def data(self) -> Tensor:
        """Training data `(N, D)`."""
        return self.evaluations[""].data


class Recorder(ABC):
    """Part of a trace, whose arrays have a leading replica axis.

    A new recorder is one class in a file of this package; `quantities` declares the meaning of its names.

    Attributes:
        tensors: tensors that a checkpoint keeps, by name; empty for most recorders.
        watch: function called with the step and the bound of every minibatch, before the update; None for no call.
    """

    def __init__(self, subject: Subject) -> None:
        self.subject, self.model = subject, subject.model
        self.tensors: Mapping[str, Tensor] = {}
        self.watch: Callable[[int, Bound], None] | None = None

    @classmethod
    @abstractmethod
    def applies(cls, subject: Subject) -> bool:
        """Whether the settings ask for these quantities and the model has them."""

    def at_step(self, step: int) -> Record:
        """Quantities of a recorded step; their names are the same at every recorded step."""
        return {}

    def at_end(self, step: int) -> Record:
        """Quantities that are recorded once, after the last step."""
        return {}

    def warnings(self, record: Record) -> Iterable[str]:
        """Lines for the log about what is wrong with these runs at the end.

        Args:
            record: quantities of `at_end`.
        """
        return ()

    def restore(self, saved: Mapping[str, Tensor]) -> None:
        """Restore the tensors from a checkpoint."""
        for name, tensor in self.tensors.items():
            tensor.copy_(saved[name])
