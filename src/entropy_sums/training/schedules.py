"""When things happen: learning rates within a phase, steps at which a trace is recorded."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda done: 1.0,
    "linear": lambda done: 1 - done,
    "cosine": lambda done: 0.5 * (1 + math.cos(math.pi * done)),
}
"""Factor on the learning rate, given the part of the phase that is done, from 0 to 1."""


def evaluation_steps(total: int, every: int, also: Iterable[int] = ()) -> list[int]:
    """Steps 0, 1, 2, 4, 8, … below `every`, then its multiples, those in `also`, and the last step.

    Example:
        >>> evaluation_steps(25, 10, also=[15])
        [0, 1, 2, 4, 8, 10, 15, 20, 25]
    """
    powers = {0, *(2**k for k in range(every.bit_length()) if 2**k < every)}
    return sorted(step for step in {*powers, *range(every, total, every), *also, total} if step <= total)
