"""Schedules: the steps at which a trace is recorded, and epochs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate

import numpy as np

from entropy_sums.training.settings import TrainingSettings


def evaluation_steps(total: int, every: int, also: Iterable[int] = ()) -> list[int]:
    """Steps 0, 1, 2, 4, 8, … below `every`, then its multiples, those in `also`, and the last step.

    Example:
        >>> evaluation_steps(25, 10, also=[15])
        [0, 1, 2, 4, 8, 10, 15, 20, 25]
    """
    powers = {0, *(2**k for k in range(every.bit_length()) if 2**k < every)}
    return sorted(step for step in {*powers, *range(every, total, every), *also, total} if step <= total)


def epochs(training: TrainingSettings, points: int, steps: Sequence[int]) -> list[float]:
    """Number of epochs until each step: mean number of times that a point was seen. A full batch is one epoch.

    Args:
        points: number of training points.

    Example:
        >>> from entropy_sums.training.settings import PhaseSettings
        >>> phases = PhaseSettings(steps=20, batch_size=10), PhaseSettings(steps=2, batch_size="full")
        >>> epochs(TrainingSettings(phases=phases), 100, [0, 10, 20, 21])
        [0.0, 1.0, 2.0, 3.0]
    """
    ends = list(accumulate((phase.steps for phase in training.phases), initial=0))
    shares = [1.0 if phase.batch_size == "full" else phase.batch_size / points for phase in training.phases]
    passed = accumulate((share * phase.steps for share, phase in zip(shares, training.phases, strict=True)), initial=0)
    return np.interp(steps, ends, list(passed)).tolist()
