"""The norm of all learned parameters."""

from __future__ import annotations

import torch

from entropy_sums.training.evaluation import Record, as_numpy
from entropy_sums.training.recorders.base import Recorder, Subject


class ParameterNorm(Recorder):
    """Euclidean norm of all learned parameters at the end, `(replica,)`."""

    @classmethod
    def applies(cls, subject: Subject) -> bool:
        return True

    def at_end(self, step: int) -> Record:
        squares = [p.detach().double().flatten(1).square().sum(1) for p in self.model.learned().values()]
        return {"parameter_norm": as_numpy(torch.stack(squares).sum(0).sqrt())}
