"""The update of a machine in float32 and nothing else: in place, 16 random bits for a unit, for this one size.

No autograd, no optimiser, no settings, nothing recorded; one generator for the whole pack, so that a run depends on its
company. What our own machines lose to it is what all that costs.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor


def epochs(points: Tensor, latents: int, batch: int, pack: int, rate: float) -> Iterator[float]:
    """Do one update of a pack after the other by persistent chains; yields its epochs of a single run."""
    generator = torch.Generator().manual_seed(0)
    number, dim = points.shape
    weight = 0.01 * torch.randn(pack, dim, latents, generator=generator)
    visible, hidden = torch.zeros(pack, 1, dim), torch.zeros(pack, 1, latents)
    chains, rows = torch.zeros(pack, batch, latents), torch.empty(pack * batch, dim)
    x, v = rows.view(pack, batch, dim), torch.empty(pack, batch, dim)
    on_x, on_v = torch.empty(2, pack, batch, latents)
    bits = [torch.empty(pack * batch * units // 4, dtype=torch.int64) for units in (dim, latents)]
    thresholds = [long.view(torch.uint16).view(pack, batch, -1) for long in bits]
    while True:
        torch.index_select(points, 0, torch.randint(number, (pack * batch,), generator=generator), out=rows)
        torch.baddbmm(visible, chains, weight.mT, out=v)
        for long in bits:
            long.random_(-(2**63), None, generator=generator)
        v.sigmoid_().mul_(2**16).sub_(thresholds[0]).gt_(0)
        torch.baddbmm(hidden, v, weight, out=on_v).sigmoid_()
        torch.mul(on_v, 2**16, out=chains).sub_(thresholds[1]).gt_(0)
        torch.baddbmm(hidden, x, weight, out=on_x).sigmoid_()
        weight.baddbmm_(x.mT, on_x, alpha=rate / batch).baddbmm_(v.mT, on_v, alpha=-rate / batch)
        hidden += rate * (on_x.mean(1, keepdim=True) - on_v.mean(1, keepdim=True))
        visible += rate * (x.mean(1, keepdim=True) - v.mean(1, keepdim=True))
        yield pack * batch / number
