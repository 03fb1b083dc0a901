"""The bound at every recorded step, on training and held-out data, and the gap that certificates predict."""

from __future__ import annotations

from itertools import accumulate

import numpy as np
import torch

from entropy_sums.certificates import packing
from entropy_sums.certificates.certificate import Certificate, certify
from entropy_sums.models import build
from entropy_sums.models.model import Model
from entropy_sums.training.evaluation import Evaluation, Record
from entropy_sums.training.randomness import Purpose, generator
from entropy_sums.training.recorders.base import HELDOUT, Recorder, Subject

CERTIFICATE_TRIALS = 2
"""Number of trials, enough to tell which coefficients depend on the parameters; `entropy-sums certify` tries more."""


class TrainingBound(Recorder):
    """The bound on the training data, the norm of its gradient, and the gap that certificates predict."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self._certificate = closing = None
        if subject.settings.certificate:
            packing.check_build([r.model for r in subject.replicas], subject.data.shape[1], self._generators)
            self._certificate = certify(self.model, subject.data, trials=CERTIFICATE_TRIALS)
            closing = self._closing()
        plain = subject.evaluations[""]
        self._evaluate = Evaluation(plain.data, plain.seeds, plain.samples, plain.purpose, self._certificate, closing)

    @classmethod
    def applies(cls, subject: Subject) -> bool:
        return True

    def at_step(self, step: int) -> Record:
        return self._evaluate(
            self.model, step, gradient=True, penalties=self.penalties(step), samples=self.subject.samples(step)
        )

    def at_end(self, step: int) -> Record:
        """Fresh residuals of the certificates at the parameters that training ended at."""
        if self._certificate is None:
            return {}
        return {"certificate_residual": self._certificate.residuals_at(self.model, self.subject.data)}

    def penalties(self, step: int) -> np.ndarray:
        """Penalty λ of each replica in the phase that ends or continues at a step; NaN without a penalised ELBO."""
        replicas = self.subject.replicas
        ends = accumulate(phase.steps for phase in replicas[0].training.phases)
        position = next(i for i, end in enumerate(ends) if step <= end)
        phases = [replica.training.phases[position] for replica in replicas]
        other = np.array([phase.prior_weight != 1 for phase in phases])
        other |= np.array([not replica.model.ascends_elbo for replica in replicas])
        other |= np.array([step < replica.model.pretraining for replica in replicas])
        return np.where(other, np.nan, [p.kind.penalty(p.weight_decay) for p in phases])

    def _closing(self) -> tuple[Model, Certificate] | None:
        """The model with the entropies that close the gap at stationary points; None if the model has them itself."""
        replicas, data = self.subject.replicas, self.subject.data
        settings = [replica.model.closing() for replica in replicas]
        if settings == [replica.model for replica in replicas]:
            return None
        model = build(settings, data.shape[1], self._generators()).to(data)
        model.load_state_dict(self.model.state_dict())
        return model, certify(model, data, trials=CERTIFICATE_TRIALS)

    def _generators(self) -> list[torch.Generator]:
        """Generators of the initial weights of the replicas."""
        return [generator(replica.seed, Purpose.PARAMETERS) for replica in self.subject.replicas]


class HeldoutBound(Recorder):
    """The bound on held-out data."""

    @classmethod
    def applies(cls, subject: Subject) -> bool:
        return True

    def at_step(self, step: int) -> Record:
        record = self.subject.evaluations[HELDOUT](self.model, step, samples=self.subject.samples(step))
        del record["latent_entropy"]
        return {f"{HELDOUT}{name}": value for name, value in record.items()}
