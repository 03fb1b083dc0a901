"""Minibatches: every point once per epoch, per replica its own order, any step at any time."""

import pytest
import torch

from entropy_sums.training.batches import Batches
from entropy_sums.training.settings import PhaseSettings

DATA = torch.arange(20.0).unsqueeze(1)


def batches(seeds, phase=0, **settings):
    return Batches(DATA, seeds, 3, phase, PhaseSettings(**settings))


def test_an_epoch_has_every_point_once():
    source = batches([0, 1], batch_size=5)
    epoch = torch.cat([source(step)[0] for step in range(4)], dim=1).squeeze(-1)
    assert epoch.shape == (2, 20)
    assert all(row.sort().values.equal(DATA.squeeze(1)) for row in epoch)
    assert not epoch[0].equal(epoch[1])


def test_an_incomplete_batch_is_left_out():
    source = batches([0], batch_size=8)
    epoch = torch.cat([source(step)[0] for step in range(2)], dim=1).flatten()
    assert len(epoch.unique()) == 16


def test_points_in_the_order_given_come_pass_after_pass_to_all_replicas():
    source, shuffled = batches([0, 1], batch_size=8, order="given"), batches([0, 1], batch_size=8)
    for step, first in enumerate([0, 8, 0, 8]):
        x, noise = source(step)
        assert x.equal(DATA[first : first + 8])
        assert noise.equal(shuffled(step)[1])


@pytest.mark.parametrize("size", [5, "full"])
def test_every_sample_of_a_point_has_noise_of_its_own(size):
    x, noise = batches([0, 1], batch_size=size, samples=3)(0)
    points = 20 if size == "full" else 5
    assert noise.shape == (2, 3 * points, 3)
    assert x.shape[-2] == points
    assert not noise[:, :points].equal(noise[:, points : 2 * points])


def test_any_step_at_any_time_and_in_any_company():
    one, other = batches([7], batch_size=5), batches([3, 7, 9], batch_size=5)
    later = [tuple(t[1:2].clone() for t in other(step)) for step in (0, 70, 700)]
    for step, (x, noise) in zip((700, 70, 0), reversed(later), strict=True):
        assert one(step)[0].equal(x)
        assert one(step)[1].equal(noise)


def test_phases_steps_and_blocks_differ():
    first, second = batches([0], batch_size=5), batches([0], phase=1, batch_size=5)
    noise = [first(0)[1].clone(), first(1)[1].clone(), first(64)[1].clone(), second(0)[1].clone()]
    assert all(not a.equal(b) for i, a in enumerate(noise) for b in noise[:i])


def test_noise_is_standard_normal():
    source = batches(list(range(50)), batch_size="full")
    noise = torch.cat([source(step)[1] for step in range(30)], dim=1)
    standard_error = noise.numel() ** -0.5
    assert noise.mean().abs() < 4 * standard_error
    assert (noise.var() - 1).abs() < 4 * 2**0.5 * standard_error
