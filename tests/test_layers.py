"""Layers with a replica axis against torch's own, one replica at a time."""

from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from entropy_sums.layers import (
    ACTIVATIONS,
    OUTPUTS,
    VARIANCE_HEADS,
    Dropout,
    Linear,
    Trunk,
    UnitNormLinear,
    drawing,
    head_of_std,
    log_std,
)
from entropy_sums.models.base import Activation, VarianceHead
from entropy_sums.models.vae.settings import GaussianSettings


def generators(count):
    return [torch.Generator().manual_seed(r) for r in range(count)]


def test_settings_know_all_activations_and_heads():
    assert set(get_args(Activation)) == set(ACTIVATIONS)
    assert set(get_args(VarianceHead)) == set(VARIANCE_HEADS)
    assert set(get_args(GaussianSettings.model_fields["output"].annotation)) == set(OUTPUTS)


@pytest.mark.parametrize("shape", [(5, 3), (4, 5, 3)])
def test_linear_is_torchs_for_each_replica(shape):
    layer = Linear(3, 2, generators(4))
    x = torch.randn(shape, generator=torch.Generator().manual_seed(9))
    for r, y in enumerate(layer(x)):
        own = x if x.dim() == 2 else x[r]
        torch.testing.assert_close(y, torch.nn.functional.linear(own, layer.weight[r].T, layer.bias[r, 0]))


def test_initial_weights_are_uniform_and_scaled():
    layer = Linear(100, 400, generators(2), scale=0.5)
    assert layer.weight.abs().max() <= 0.05
    assert layer.weight.detach().std() == pytest.approx(0.05 / 3**0.5, rel=0.01)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_differentiate(name):
    x = torch.randn(1, 6, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    trunk = Trunk([Linear(4, 3, generators(1)), Linear(3, 2, generators(1))], name).double()
    torch.autograd.gradcheck(
        lambda w: torch.func.functional_call(trunk, {"layers.0.weight": w}, x).sum(),
        trunk.layers[0].weight.detach().clone().requires_grad_(),
    )


@pytest.mark.parametrize("renormalise", [False, True])
def test_unit_norm(renormalise):
    layer = UnitNormLinear(3, 5, generators(2), renormalise=renormalise)
    with torch.no_grad():
        layer.weight.mul_(4)
    layer.constrain()
    assert layer.used_weight.norm(dim=2).allclose(torch.ones(2, 3))


@given(std=st.floats(1e-3, 1e3), kind=st.sampled_from(list(VARIANCE_HEADS)))
def test_heads_and_their_inverse(std, kind):
    assert log_std(head_of_std([std], kind), kind).exp().item() == pytest.approx(std, rel=1e-3)


RATES = (0.0, 0.2, 0.9, 1.0)


def test_dropout_keeps_the_share_and_the_mean_of_each_replica():
    dropout, x = Dropout(RATES), torch.ones(4, 500, 40)
    with drawing([dropout], generators(4)):
        dropped = dropout(x)
    assert dropped.eq(0).float().mean((1, 2)).tolist() == pytest.approx(RATES, abs=0.02)
    assert dropped[:3].mean((1, 2)).tolist() == pytest.approx([1, 1, 1], abs=0.06)
    assert dropout(x) is x


def test_a_replica_drops_the_same_alone_and_in_company():
    x = torch.rand(3, 6, 5, generator=torch.Generator().manual_seed(7))
    together, alone = Dropout([0.5] * 3), Dropout([0.5])
    with drawing([together], generators(3)):
        expected = together(x)[2:]
    with drawing([alone], [torch.Generator().manual_seed(2)]):
        assert alone(x[2:]).equal(expected)


def test_dropout_ends_with_an_error():
    dropout = Dropout([0.5])
    with pytest.raises(RuntimeError), drawing([dropout], generators(1)):
        raise RuntimeError
    assert not dropout.generators
