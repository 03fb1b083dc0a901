"""Swaps of parallel tempering against detailed balance, and machines that mix where Gibbs steps do not."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from entropy_sums.estimators import all_states
from entropy_sums.models import MODELS, build
from entropy_sums.models.binary.draws import Draws
from entropy_sums.models.binary.tempering import exchanged, ladder, log_ratios, moved

pytestmark = pytest.mark.usefixtures("float64")


def noise(seed=0, replicas=1):
    return torch.randn(replicas, 1, 2, generator=torch.Generator().manual_seed(seed))


@given(seed=st.integers(0, 10_000))
def test_swaps_are_in_detailed_balance(seed):
    """π(a, b) P(a, b → b, a) = π(b, a) P(b, a → a, b) for all pairs of states of two levels."""
    source = torch.Generator().manual_seed(seed)
    g, interaction = torch.rand(6, generator=source), 3 * torch.randn(6, generator=source)
    betas = torch.rand(2, generator=source)
    density = [(g.log() + beta * interaction) for beta in betas]
    for a, b in itertools.product(range(6), repeat=2):
        there, back = (
            log_ratios(interaction[list(pair)].reshape(1, 2, 1), betas).clamp(max=0).item() for pair in ((a, b), (b, a))
        )
        mass, swapped = density[0][a] + density[1][b], density[0][b] + density[1][a]
        assert (mass + there).item() == pytest.approx((swapped + back).item(), abs=1e-12)


def test_swaps_have_their_probability():
    """By the share of uniform numbers that are accepted."""
    interactions = torch.tensor([1.0, 2.5]).reshape(1, 2, 1).expand(1, 2, 1000)
    uniforms = ((torch.arange(1000) + 0.5) / 1000).reshape(1, 1, 1000)
    for order, expected in (([0, 1], 1.0), ([1, 0], torch.tensor(-0.6 * 1.5).exp().item())):
        origin = exchanged(interactions[:, order], torch.tensor([1.0, 0.4]), uniforms)
        assert (origin[0, 0] == 1).double().mean().item() == pytest.approx(expected, abs=1e-3)
        assert (origin.sum(1) == 1).all()


@given(seed=st.integers(0, 10_000), levels=st.integers(1, 5))
def test_a_sweep_rearranges_and_loses_nothing(seed, levels):
    source = torch.Generator().manual_seed(seed)
    interactions, states = (torch.randn(2, levels, 3, generator=source) for _ in range(2))
    uniforms = torch.rand(2, levels - 1, 3, generator=source)
    origin = exchanged(interactions, ladder(levels), uniforms)
    assert (origin.sort(1).values == torch.arange(levels).unsqueeze(-1)).all()
    after = moved(states.flatten(1).unsqueeze(-1), origin).unflatten(1, (levels, 3)).squeeze(-1)
    assert after.equal(states.gather(1, origin))
    assert ((origin - torch.arange(levels).unsqueeze(-1)).abs() <= 2).all()


def bimodal(gradient, replicas=1, chains=2000, **settings):
    """Two hidden units that pull all visible ones, to zeros or to ones: Gibbs steps do not pass between."""
    machine = build(
        [MODELS["rbm"](latent_dim=2, gradient=gradient, centred=False, chains=chains, **settings)] * replicas,
        4,
        [torch.Generator().manual_seed(seed) for seed in range(replicas)],
    )
    with torch.no_grad():
        machine.hidden.weight.fill_(6.0)
        machine.hidden.bias.fill_(-12.0)
        machine.visible.bias.fill_(-6.0)
        machine.chains.zero_()
    return machine


def distribution_of(machine):
    with torch.no_grad():
        return machine.visible_marginal(all_states(4, machine.chains))[0].softmax(-1)[0]


def pvalue(machine, v):
    """Of a chi-square test of visible vectors, the rare states together."""
    expected = len(v) * distribution_of(machine)
    seen = torch.bincount((v @ torch.tensor([1.0, 2, 4, 8])).long(), minlength=16).double()
    common = expected >= 5
    counts = [torch.cat([each[common], each[~common].sum()[None]]).numpy() for each in (seen, expected)]
    return chisquare(*counts).pvalue


def test_tempered_chains_follow_a_bimodal_distribution_and_others_do_not():
    tempered, plain = bimodal("parallel_tempering", ladder=8), bimodal("pcd")
    modes = distribution_of(plain)[[0, -1]]
    assert modes.min() > 0.2
    x = torch.zeros(1, 4)
    for step in range(60):
        tempered.exchange(Draws(noise(step)))
        plain.objective(x, noise(step))
    v = tempered.exchange(Draws(noise(60)))[0]
    assert pvalue(tempered, v) > 1e-3
    stuck = plain.gibbs(plain.chains, Draws(noise(60)))[0]
    assert pvalue(plain, stuck) < 1e-6
    assert stuck.mean() < 0.1


@pytest.mark.parametrize("name", ["rbm", "gaussian_rbm"])
@pytest.mark.parametrize("centred", [False, True])
def test_every_level_has_its_distribution(name, centred):
    """Mean interaction at β: the slope of log Z(β), by enumeration of the hidden units."""
    source = torch.Generator().manual_seed(3)
    settings = {"latent_dim": 3, "gradient": "parallel_tempering", "ladder": 3, "chains": 4000, "centred": centred}
    machine = build([MODELS[name](**settings)], 3, [source])
    with torch.no_grad():
        for parameter in machine.parameters():
            parameter.copy_(0.7 * torch.randn(parameter.shape, generator=source))
    h = all_states(3, machine.chains).unsqueeze(0)
    for step in range(20):
        machine.exchange(Draws(noise(step)))
    means = torch.cat([machine.chains, machine.hotter], 1).unflatten(1, (3, 4000)).mean(2)[0]
    for level, beta in enumerate(machine.betas.tolist()):
        with torch.no_grad():
            weight = machine.hidden.weight.clone()
            machine.hidden.weight.mul_(beta)
            expected = machine.hidden_marginal(h)[0].softmax(-1) @ h
            machine.hidden.weight.copy_(weight)
        mean = expected[0, 0]
        assert ((means[level] - mean).abs() < 4.5 * (mean * (1 - mean) / 4000).sqrt()).all()


def test_the_gradient_of_tempered_chains_is_the_exact_one():
    """On average over copies, each with chains of its own."""
    machine = bimodal("parallel_tempering", replicas=60, chains=100, ladder=8)
    x = (torch.rand(50, 4, generator=torch.Generator().manual_seed(1)) < 0.5).double()

    def gradients(value):
        found = torch.autograd.grad(value.sum(), list(machine.parameters()))
        return torch.cat([gradient.flatten(1) for gradient in found], dim=1)

    exact = gradients(machine.bound(x, noise(replicas=60)).elbo)[0]
    for step in range(60):
        machine.exchange(Draws(noise(step, replicas=60)))
    found = gradients(machine.objective(x, noise(60, replicas=60)))
    assert ((found.mean(0) - exact).abs() < 4.5 * found.std(0) / 60**0.5).all()


def test_all_levels_are_kept():
    """In what a checkpoint saves; without tempering there are none besides."""
    tempered, plain = bimodal("parallel_tempering", ladder=3, chains=5), bimodal("pcd", chains=5)
    assert (tempered.hotter.shape, plain.hotter.shape) == ((1, 10, 2), (1, 0, 2))
    before = tempered.hotter.clone()
    tempered.objective(torch.zeros(2, 4), noise())
    assert not tempered.hotter.equal(before)
    assert "hotter" in tempered.evolving


def test_a_forecast_knows_what_levels_take():
    settings = MODELS["rbm"](latent_dim=3, gradient="parallel_tempering", ladder=5, gibbs_steps=2)
    assert settings.multiplications(10) == 11 * 30
