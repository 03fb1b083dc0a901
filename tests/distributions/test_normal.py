from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from entropy_sums.distributions import FullNormal, Normal, cross_entropy

exact = settings(max_examples=12)


@exact
@given(data=st.data())
def test_a_diagonal_covariance_is_a_full_one(table, data):
    loc, log_std = data.draw(table[Normal].parameters(3, 4))
    diagonal, full = Normal(loc, log_std), FullNormal(loc, torch.diag_embed(log_std.exp()))
    values = diagonal.draw(5, torch.Generator().manual_seed(0))
    torch.testing.assert_close(values, full.draw(5, torch.Generator().manual_seed(0)))
    torch.testing.assert_close(diagonal.log_prob(values), full.log_prob(values))
    torch.testing.assert_close(diagonal.entropy(), full.entropy())
    other = Normal(*data.draw(table[Normal].parameters(3, 4)))
    torch.testing.assert_close(cross_entropy(other, diagonal), cross_entropy(other, full))
    torch.testing.assert_close(cross_entropy(diagonal, other), cross_entropy(full, other))


@exact
@given(data=st.data())
def test_full_covariance_and_its_determinant(table, data):
    loc, scale_tril = data.draw(table[FullNormal].parameters(3, 4))
    p = FullNormal(loc, scale_tril)
    torch.testing.assert_close(p.covariance, scale_tril @ scale_tril.mT)
    torch.testing.assert_close(p.log_determinant, 0.5 * torch.logdet(p.covariance))
    noise = torch.randn(5, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(p.whiten(p.reparametrise(noise)), noise)


def test_samples_carry_the_gradient_of_their_parameters():
    loc, log_std = torch.zeros(2, 3, requires_grad=True), torch.zeros(2, 1, requires_grad=True)
    noise = torch.randn(4, 2, 3, generator=torch.Generator().manual_seed(0))
    Normal(loc, log_std).reparametrise(noise).sum().backward()
    assert loc.grad is not None
    assert log_std.grad is not None
    torch.testing.assert_close(loc.grad, torch.full((2, 3), 4.0))
    torch.testing.assert_close(log_std.grad, noise.sum((0, 2)).unsqueeze(-1))


def test_coordinates_of_a_full_covariance_have_no_entropies_of_their_own():
    with pytest.raises(TypeError, match="coordinates of FullNormal are not independent"):
        FullNormal(torch.zeros(1, 2), torch.eye(2).expand(1, 2, 2)).entropies()


@pytest.mark.parametrize("covariances", [1, 4], ids=["shared", "of every point"])
def test_samples_of_full_normals_are_those_one_by_one(float64, covariances):
    source = torch.Generator().manual_seed(0)
    loc, raw = torch.randn(2, 4, 3, generator=source), torch.randn(2, covariances, 3, 3, generator=source)
    p = FullNormal(loc, raw.tril() + 4 * torch.eye(3))
    noise = torch.randn(5, 2, 4, 3, generator=source)
    samples = p.reparametrise(noise)
    torch.testing.assert_close(samples, torch.stack([p.reparametrise(part) for part in noise]))
    torch.testing.assert_close(p.log_prob(samples), torch.stack([p.log_prob(part) for part in samples]))
    torch.testing.assert_close(p.whiten(samples), noise)
