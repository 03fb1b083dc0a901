"""Random numbers that do not depend on the precision of training: drawn in single precision, then cast.

torch draws other numbers in float64 than in float32 from the same generator. With these functions float32 and float64
are paired: they see the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def normal(into: Tensor, generator: torch.Generator) -> Tensor:
    """Fill a tensor with standard normal numbers, and return it.

    Example:
        >>> single, double = (torch.empty(20, dtype=t) for t in (torch.float32, torch.float64))
        >>> _ = normal(double, torch.Generator().manual_seed(0))
        >>> normal(single, torch.Generator().manual_seed(0)).double().equal(double)
        True
    """
    return _cast(Tensor.normal_, into, generator)


def uniform(into: Tensor, generator: torch.Generator) -> Tensor:
    """Fill a tensor with uniform numbers from 0 to below 1, and return it."""
    return _cast(Tensor.uniform_, into, generator)


def exponential(into: Tensor, generator: torch.Generator) -> Tensor:
    """Fill a tensor with exponential numbers of mean 1, and return it."""
    return _cast(Tensor.exponential_, into, generator)


def _cast(draw: Callable[..., Tensor], into: Tensor, generator: torch.Generator) -> Tensor:
    if into.dtype == torch.float32:
        return draw(into, generator=generator)
    return into.copy_(draw(torch.empty_like(into, dtype=torch.float32), generator=generator))
