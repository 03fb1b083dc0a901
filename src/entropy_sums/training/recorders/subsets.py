"""The bound from few held-out points at the end of training."""

from __future__ import annotations

import torch
from torch import Tensor

from entropy_sums.training.evaluation import Evaluation, Record, as_numpy
from entropy_sums.training.randomness import Purpose, generator
from entropy_sums.training.recorders.base import HELDOUT, Recorder, Subject

VALUES = ("elbo", "entropy_sum", "posterior_entropy", "cross_entropy", "entropy")


class Subsets(Recorder):
    """The bound estimated from random subsets of the held-out points, `(replica, subset, estimate)` and factors.

    Every replica draws its points without replacement. The draw depends only on seed, size and number of the estimate:
    further sizes and estimates leave the others unchanged. Source: Damm et al. (AISTATS 2023), table 1.
    """

    @classmethod
    def applies(cls, subject: Subject) -> bool:
        return bool(subject.settings.subset_sizes)

    def at_end(self, step: int) -> Record:
        settings = self.subject.settings
        with torch.no_grad():
            sizes = [
                [self._estimate(size, number) for number in range(settings.subset_estimates)]
                for size in settings.subset_sizes
            ]
        return {
            f"subset_{name}": as_numpy(torch.stack([torch.stack([e[name] for e in size], 1) for size in sizes], 1))
            for name in VALUES
        }

    def _estimate(self, size: int, number: int) -> dict[str, Tensor]:
        """One estimate, the mean over posterior samples."""
        heldout = self.subject.evaluations[HELDOUT]
        data = heldout.data
        sources = [generator(seed, Purpose.SUBSETS, size, number, device=data.device) for seed in heldout.seeds]
        chosen = torch.stack([torch.randperm(len(data), generator=s, device=data.device)[:size] for s in sources])
        evaluation = Evaluation(data, heldout.seeds, heldout.samples, Purpose.SUBSETS, chosen=chosen)
        estimates = evaluation.estimates(self.model, size, number)
        return {name: torch.stack([estimate[name] for estimate in estimates]).mean(0) for name in VALUES}
