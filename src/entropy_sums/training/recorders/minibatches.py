"""ELBO and entropy sum of every training minibatch, for training on a stream of data."""

from __future__ import annotations

import torch

from entropy_sums.bound import Bound
from entropy_sums.training.evaluation import Record, as_numpy
from entropy_sums.training.recorders.base import Recorder, Subject

PREFIX = "batch_"


class Minibatches(Recorder):
    """ELBO and entropy sum of every step, `(replica, batch)`, kept on the model's device: no step waits for a copy."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self.watch = self._keep
        shape = subject.replicas[0].training.steps, self.model.replicas
        self.tensors = {
            f"{PREFIX}{name}": torch.full(shape, torch.nan, dtype=torch.float64, device=subject.data.device)
            for name in ("elbo", "entropy_sum")
        }

    @classmethod
    def applies(cls, subject: Subject) -> bool:
        return subject.settings.batches

    def _keep(self, step: int, bound: Bound) -> None:
        with torch.no_grad():
            for name, values in self.tensors.items():
                values[step] = getattr(bound, name.removeprefix(PREFIX))

    def at_end(self, step: int) -> Record:
        return {name: as_numpy(values.T) for name, values in self.tensors.items()}
