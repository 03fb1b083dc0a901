"""Candidate directions of certificates: which tensors move entry by entry, and models that declare their own."""

import numpy as np
import pytest
import torch
from torch import nn

from catalogue import accepted, dim_of, supported
from entropy_sums.bound import Bound, Factor
from entropy_sums.certificates.certificate import certify
from entropy_sums.distributions import Bernoulli, Normal
from entropy_sums.layers import Linear
from entropy_sums.models import MODELS, build
from entropy_sums.models.directions import Direction, candidates
from entropy_sums.models.model import Model
from entropy_sums.models.vae.gaussian import LinearVAE

DIM = 5
SMALL = {"encoder_width": 6, "encoder_depth": 1, "decoder_width": 6, "decoder_depth": 1, "width": 2}

BY_ENTRY = {
    "linear_vae": ["encoder.spread", "decoder.spread"],
    "vae1": ["decoder.spread"],
    "vae2": ["latent_prior.log_std", "decoder.spread"],
    "conv_vae": ["decoder.spread"],
    "sparse_coding": ["log_scale", "log_std"],
    "gaussian_rbm": ["visible.log_variance"],
}
"""Tensors of vectors outside of layers, or of a single number, as of one colour; of all other models none."""


def made(name, **settings):
    chosen = accepted(name, **SMALL | settings)
    return build([MODELS[name](**chosen)] * 2, dim_of(name, DIM), [torch.Generator()] * 2)


@pytest.mark.parametrize("name", MODELS)
def test_vectors_outside_of_layers_move_entry_by_entry_and_all_else_as_one(name):
    """In the order of the parameters."""
    model, expected = made(name), []
    for parameter, tensor in model.learned().items():
        if parameter in BY_ENTRY.get(name, []):
            expected += [Direction(parameter, "shift", entry) for entry in range(tensor[0].numel())]
        else:
            expected += [Direction(parameter, "radial"), Direction(parameter, "shift")]
    assert model.directions() == expected
    assert set(BY_ENTRY.get(name, [])) <= set(model.learned())


def test_a_single_number_of_a_layer_is_said_as_its_scale_or_its_shift_whichever_is_the_same_everywhere(float64):
    source = torch.Generator().manual_seed(0)
    machine = build([MODELS["rbm"](latent_dim=3)], 1, [source])
    assert machine.directions()[:2] == [Direction("visible.bias", "radial"), Direction("visible.bias", "shift")]
    vae = build([MODELS["vae1"](latent_dim=1, **accepted("vae1", **SMALL))], DIM, [source])
    found = certify(vae, torch.randn(80, DIM, generator=source), trials=3)
    assert "1 · shift of encoder.spread.bias" in found.direction_of("prior")
    assert not np.isnan(found.constants).any()


class Discriminator(Model):
    """p(label given features) of a network with one output: (weight, bias) · ∇F is its gap."""

    factors = ("label",)

    def __init__(self, width, sources, own):
        super().__init__(latent_dim=1, noise_dim=0)
        self.hidden, self.last = Linear(3, width, sources), own(width, 1, sources)

    def posterior(self, x):
        return Normal(torch.zeros(self.replicas, x.shape[-2], 1), torch.zeros(self.replicas, 1, 1))

    def bound(self, x, noise, posterior=None):
        p = Bernoulli(self.last(self.hidden(x[..., :3]).tanh()))
        zero = torch.zeros(self.replicas)
        return Bound(zero, {"label": Factor(-self.mean(p.log_prob(x[..., 3:])), lambda: self.mean(p.entropy()))})


class Undeclared(nn.Module):
    """A layer of a plugin that says nothing about its tensors."""

    def __init__(self, inputs, outputs, sources):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(len(sources), inputs, outputs, generator=sources[0]))
        self.bias = nn.Parameter(torch.randn(len(sources), 1, outputs, generator=sources[0]))

    def forward(self, x):
        return x @ self.weight + self.bias


@pytest.mark.parametrize("own", [Linear, Undeclared])
@pytest.mark.parametrize("width", [1, 6, 40])
def test_a_layer_with_one_output_moves_as_a_whole(own, width, float64):
    """As the last layer of a discriminator; entry by entry there would be as many directions as points."""
    source = torch.Generator().manual_seed(0)
    features = torch.randn(45, 3, generator=source)
    labels = (features.sum(1, keepdim=True) + torch.randn(45, 1, generator=source) > 0).double()
    found = certify(Discriminator(width, [source], own), torch.cat([features, labels], dim=1), reach=True)
    assert found.verdict() == "holds"
    assert found.direction_of() == "1 · last.weight, 1 · last.bias"


def test_a_module_says_which_of_its_vectors_move_as_one():
    class Module(nn.Module):
        def __init__(self):
            super().__init__()
            self.centre, self.scales = (nn.Parameter(torch.zeros(2, 1, 3)) for _ in range(2))

    whole = Module()
    whole.whole = ("centre",)
    assert [str(d) for d in candidates(whole)][:3] == ["centre", "shift of centre", "shift of scales[0]"]
    assert len(candidates(Module())) == 6


class Known(LinearVAE):
    """The direction of docs/theory.md, and nothing beside it."""

    def directions(self):
        moved = [("encoder.mean.weight", "radial"), ("encoder.mean.bias", "radial"), ("encoder.spread", "shift")]
        return [Direction(*d) for d in (*moved, ("decoder.mean.weight", "radial"), ("decoder.spread", "shift"))]


def test_a_model_may_declare_its_own_directions(float64, monkeypatch):
    monkeypatch.setattr("entropy_sums.models.vae.gaussian.LinearVAE", Known)
    model = made("linear_vae")
    x = supported("linear_vae", torch.randn(60, DIM, generator=torch.Generator().manual_seed(0)))
    certificate = certify(model, x, trials=2)
    assert certificate.directions == tuple(model.directions())
    assert certificate.residual() < 1e-10
    assert certificate.constants[-1].tolist() == [0.5, 0.5, 1, -0.5, -1]
