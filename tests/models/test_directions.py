"""Candidate directions of certificates: which tensors move entry by entry, and models that declare their own."""

import pytest
import torch
from torch import nn

from catalogue import accepted, dim_of, supported
from entropy_sums.certificates.certificate import certify
from entropy_sums.models import MODELS, build
from entropy_sums.models.directions import Direction, candidates
from entropy_sums.models.vae.gaussian import LinearVAE

DIM = 5
SMALL = {"encoder_width": 6, "encoder_depth": 1, "decoder_width": 6, "decoder_depth": 1, "width": 2}

BY_ENTRY = {
    "linear_vae": ["encoder.spread", "decoder.spread"],
    "vae1": ["decoder.spread"],
    "vae2": ["latent_prior.log_std", "decoder.spread"],
    "conv_vae": ["decoder.mean.1.last.bias", "decoder.spread"],
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


def test_a_single_number_has_no_scale():
    """Of one visible unit the bias is moved by as much for any latent, and that is all that can happen to it."""
    model = build([MODELS["rbm"](latent_dim=3)], 1, [torch.Generator()])
    assert model.directions()[0] == Direction("visible.bias", "shift", 0)


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
