from __future__ import annotations

import pytest
import torch

from entropy_sums.distributions import Bernoulli, Categorical


def test_samples_are_one_hot():
    logits = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0))
    samples = Categorical(logits).draw(7, torch.Generator().manual_seed(1))
    assert samples.shape == (7, 2, 3, 5)
    assert set(samples.unique().tolist()) == {0.0, 1.0}
    assert (samples.sum(-1) == 1).all()


def test_logits_count_up_to_a_constant():
    logits = torch.randn(3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(Categorical(logits).entropy(), Categorical(logits + 1000).entropy())


def test_two_classes_are_a_bernoulli():
    logits = torch.linspace(-100, 100, 41, dtype=torch.float64).unsqueeze(-1)
    both = Categorical(torch.cat([logits, torch.zeros_like(logits)], dim=-1))
    torch.testing.assert_close(both.entropy(), Bernoulli(logits).entropy(), rtol=1e-12, atol=1e-15)


def test_a_certain_class_has_a_finite_gradient():
    logits = torch.tensor([[1000.0, 0.0, -1000.0]], requires_grad=True)
    entropy = Categorical(logits).entropy()
    entropy.sum().backward()
    assert entropy.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_a_single_class_is_refused():
    with pytest.raises(ValueError, match=r"shape \(3, 1\).*at least 2 classes"):
        Categorical(torch.zeros(3, 1))
