"""Packed Adam against torch's own, one replica at a time."""

import pytest
import torch
from torch import nn

from entropy_sums.training.optimizer import PackedAdam


@pytest.mark.parametrize("rates", [[1e-2] * 4, [1e-2, 1e-2, 3e-3, 1e-1], [1e-1, 1e-2, 1e-1, 1e-2]])
@pytest.mark.parametrize("decay", [0.99, 0.999])
def test_each_replica_as_torch_adam(rates, decay):
    source = torch.Generator().manual_seed(0)
    start = [torch.randn(4, 3, 2, generator=source), torch.randn(4, 1, 2, generator=source)]
    target = torch.randn(4, 3, 2, generator=source)
    factors = [1.0, 0.7, 0.1]

    def loss(weight, bias, goal):
        return (weight * goal).sin().sum() + (bias**4).sum()

    packed = [nn.Parameter(t.clone()) for t in start]
    optimizer = PackedAdam(packed, rates, decay)
    for factor in factors:
        loss(*packed, target).backward()
        optimizer.step(factor)
        assert all(p.grad is None for p in packed)
    for r, rate in enumerate(rates):
        alone = [nn.Parameter(t[r].clone()) for t in start]
        adam = torch.optim.Adam(alone, lr=rate, betas=(0.9, decay))
        for factor in factors:
            adam.param_groups[0]["lr"] = rate * factor
            adam.zero_grad()
            loss(*alone, target[r]).backward()
            adam.step()
        for a, p in zip(alone, packed, strict=True):
            torch.testing.assert_close(a, p[r])


def test_state_is_live():
    parameter = nn.Parameter(torch.zeros(2, 3))
    optimizer = PackedAdam([parameter], [1e-2, 1e-3])
    parameter.grad = torch.ones(2, 3)
    optimizer.step(1.0)
    assert optimizer.first[0].eq(0.1).all()
    torch.testing.assert_close(optimizer.second[0], torch.full((2, 3), 1e-3))
