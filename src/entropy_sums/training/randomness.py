"""Randomness as a function of seed, purpose and position: nothing to save, the same alone and in a pack."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import torch


class Purpose(IntEnum):
    """Purpose of random numbers; for one seed, numbers for different purposes are independent."""

    PARAMETERS = 0
    BATCHES = 1
    NOISE = 2
    EVALUATION = 3
    HELDOUT = 4
    DROPOUT = 5
    LIKELIHOOD = 6
    SUBSETS = 7
    START = 8


def generator(seed: int, purpose: Purpose, *position: int, device: str | torch.device = "cpu") -> torch.Generator:
    """Generator that depends on nothing but its arguments.

    `position` counts within a purpose (phase, block, …): a resumed run draws the same numbers as an undisturbed one.

    Example:
        >>> first = torch.rand(2, generator=generator(0, Purpose.NOISE, 7))
        >>> first.equal(torch.rand(2, generator=generator(0, Purpose.NOISE, 7)))
        True
    """
    sequence = np.random.SeedSequence(entropy=seed, spawn_key=(int(purpose), *position))
    state = int(sequence.generate_state(1, np.uint64)[0])
    return torch.Generator(device=device).manual_seed(state >> 1)
