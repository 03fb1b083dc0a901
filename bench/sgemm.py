"""(d) What the machine can do: products of large square float32 matrices."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from networks import Network

SIZE = 2048


def flop(network: Network, seed: int) -> Iterator[int]:
    """Do one product after the other, the same for every network; yields the operations of each."""
    a, b = torch.randn(2, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))
    product = torch.empty_like(a)
    while True:
        torch.mm(a, b, out=product)
        yield 2 * SIZE**3
