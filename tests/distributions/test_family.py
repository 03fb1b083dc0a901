"""Every family of the table against scipy, quadrature, torch and its own samples."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from entropy_sums.distributions import Coordinatewise, Family, Poisson

exact = settings(max_examples=12)
# Statistical checks see the same parameters in every run, so that they pass always or never.
statistical = settings(max_examples=5, derandomize=True)


def close(actual, expected, tolerance=1e-10):
    torch.testing.assert_close(
        torch.as_tensor(actual), torch.as_tensor(expected, dtype=torch.float64), rtol=tolerance, atol=tolerance
    )


@exact
@given(data=st.data())
def test_entropy_is_that_of_scipy(case, data):
    parameters = data.draw(case.dims().flatmap(case.parameters))
    close(case.family(*parameters).entropy(), np.sum(case.twin(parameters).entropy()))


@exact
@given(data=st.data())
def test_entropy_is_that_of_quadrature(case, data, exact_cross_entropy):
    parameters = data.draw(case.dims().flatmap(case.parameters))
    close(case.family(*parameters).entropy(), exact_cross_entropy(case, parameters, case, parameters))


@exact
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_densities_moments_and_entropy_are_those_of_torch(case, data, seed):
    parameters = data.draw(case.parameters(3, 4))
    ours, twin = case.family(*parameters), case.torch(*parameters)
    values = ours.draw(2, torch.Generator().manual_seed(seed))
    close(ours.log_prob(values), twin.log_prob(values))
    close(ours.mean, twin.mean)
    close(ours.variance, twin.variance)
    assert (ours.batch_shape, ours.event_shape) == (twin.batch_shape, twin.event_shape)
    if case.family is not Poisson:  # the one family whose entropy torch does not know
        close(ours.entropy(), twin.entropy())


@statistical
@given(data=st.data())
def test_entropy_is_the_mean_surprise_of_samples(case, data):
    p = case.family(*data.draw(case.parameters(3, 4)))
    surprise = -p.log_prob(p.draw(5_000, torch.Generator().manual_seed(1)))
    standard_error = surprise.std(0) / 5_000**0.5
    assert ((surprise.mean(0) - p.entropy()).abs() <= 5 * standard_error + 1e-12).all()


@exact
@given(data=st.data())
def test_entropies_add_up_where_coordinates_are_independent(case, data):
    p = case.family(*data.draw(case.shared_parameters()))
    if isinstance(p, Coordinatewise):
        assert p.entropies().expand(*p.batch_shape, p.dim).shape == p.batch_shape + p.event_shape
        close(p.entropies().sum(-1), p.entropy())
    else:
        with pytest.raises(TypeError, match=case.family.__name__):
            p.entropies()


@exact
@given(data=st.data())
def test_shared_parameters_mean_the_same_as_repeated_ones(case, data, unshared):
    parameters = data.draw(case.shared_parameters())
    shared, full = case.family(*parameters), case.family(*unshared(parameters))
    values = full.draw(2, torch.Generator().manual_seed(0))
    close(shared.log_prob(values).expand(2, 2, 3), full.log_prob(values))
    close(shared.mean.expand(full.mean.shape), full.mean)
    close(shared.variance.expand(full.mean.shape), full.variance)
    copies = full.dim // shared.dim
    close((copies * shared.entropy()).expand(2, 3), full.entropy())
    assert shared.draw(5, torch.Generator()).shape == (5, *shared.batch_shape, shared.dim)


@exact
@given(data=st.data())
def test_entropy_has_the_right_gradient(case, data):
    parameters = [parameter.requires_grad_() for parameter in data.draw(case.parameters(1, 2))]
    torch.autograd.gradcheck(lambda *given: case.family(*given).entropy(), parameters)


@statistical
@given(data=st.data())
def test_samples_follow_the_distribution_of_scipy(case, data):
    parameters = data.draw(case.dims().flatmap(case.parameters))
    samples = case.family(*parameters).draw(4_000, torch.Generator().manual_seed(2)).numpy()
    ranks = case.ranks(samples, case.twin(parameters), np.random.default_rng(3))
    assert all(kstest(coordinate, "uniform").pvalue > 1e-4 for coordinate in ranks.T)


@statistical
@given(data=st.data())
def test_samples_of_a_batch_have_the_means_of_its_points(case, data):
    p = case.family(*data.draw(case.parameters(2, 3, 4)))
    samples = p.draw(2_000, torch.Generator().manual_seed(4))
    assert ((samples.mean(0) - p.mean).abs() <= 5 * (p.variance / 2_000).sqrt()).all()


@exact
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_a_seed_fixes_the_draw_and_global_state_is_left_alone(case, data, seed):
    p = case.family(*data.draw(case.parameters(3, 4)))
    before = torch.random.get_rng_state()
    first, again = (p.draw(3, torch.Generator().manual_seed(seed)) for _ in range(2))
    assert torch.equal(first, again)
    assert torch.equal(before, torch.random.get_rng_state())


@exact
@given(data=st.data())
def test_float32_stays_float32_and_agrees_with_float64(case, data):
    parameters = [parameter.float() for parameter in data.draw(case.parameters(3, 4))]
    single, double = case.family(*parameters), case.family(*(parameter.double() for parameter in parameters))
    samples = single.draw(3, torch.Generator().manual_seed(5))
    assert {samples.dtype, single.log_prob(samples).dtype, single.entropy().dtype, single.mean.dtype} == {torch.float32}
    close(single.entropy().double(), double.entropy(), 2e-5)
    paired = double.draw(3, torch.Generator().manual_seed(5))
    torch.testing.assert_close(samples.double(), paired, rtol=1e-4, atol=1e-4)


def test_a_family_without_its_methods_cannot_be_made():
    class Half(Family):
        def entropy(self):
            return torch.zeros(())

    with pytest.raises(TypeError, match=r"draw.*log_prob"):
        Half(torch.Size((1, 1)))  # pyright: ignore[reportAbstractUsage]
