"""Evaluation: chunks do not matter, standard errors are honest, the gradient norm is that of the full batch."""

import numpy as np
import torch

from entropy_sums.models import MODELS, build
from entropy_sums.training import evaluation
from entropy_sums.training.evaluation import Evaluation
from entropy_sums.training.randomness import Stream, generator

DATA = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))


def model(name="vae1", replicas=2):
    settings = MODELS[name]()
    return build([settings] * replicas, 4, [torch.Generator().manual_seed(r) for r in range(replicas)])


def test_chunks_do_not_matter(monkeypatch):
    whole = Evaluation(DATA, [0, 1], 2, Stream.EVALUATION)(model(), 3, gradient=True)
    monkeypatch.setattr(evaluation, "ENTRIES_PER_CHUNK", 7 * 2 * 4)
    parts = Evaluation(DATA, [0, 1], 2, Stream.EVALUATION)(model(), 3, gradient=True)
    for name in whole:
        np.testing.assert_allclose(whole[name], parts[name], rtol=1e-5, atol=1e-5, err_msg=name)


def test_standard_errors_are_honest():
    """Over many steps, that is fresh noise, values spread as their standard errors say."""
    evaluate, fixed = Evaluation(DATA, [0, 1], 8, Stream.EVALUATION), model()
    records = [evaluate(fixed, step) for step in range(120)]
    for name in ("elbo", "gap"):
        spread = np.std([r[name] for r in records], axis=0, ddof=1)
        claimed = np.sqrt(np.mean([r[f"{name}_standard_error"] ** 2 for r in records], axis=0))
        np.testing.assert_allclose(spread, claimed, rtol=0.35)


def test_gradient_norm_by_hand():
    fixed = model("vae2")
    record = Evaluation(DATA, [0, 1], 2, Stream.EVALUATION)(fixed, 5, gradient=True)
    elbo = torch.zeros(2)
    for sample in range(2):
        noise = torch.stack(
            [torch.empty(50, 2).normal_(generator=generator(s, Stream.EVALUATION, 5, sample)) for s in (0, 1)]
        )
        elbo = elbo + fixed.bound(DATA, noise).elbo / 2
    gradients = torch.autograd.grad(elbo[1], list(fixed.parameters()))
    expected = sum(g.square().sum() for g in gradients).sqrt()
    np.testing.assert_allclose(record["gradient_norm"][1], expected.item(), rtol=1e-4)
    np.testing.assert_allclose(record["elbo"], elbo.detach(), rtol=1e-5)
    assert all(p.grad is None for p in fixed.parameters())


def test_streams_differ():
    a = Evaluation(DATA, [0, 1], 2, Stream.EVALUATION)(model(), 0)
    b = Evaluation(DATA, [0, 1], 2, Stream.HELDOUT)(model(), 0)
    assert (a["elbo"] != b["elbo"]).all()


def test_log_likelihood_only_where_it_is_exact():
    assert "log_likelihood" in Evaluation(DATA, [0, 1], 2, Stream.EVALUATION)(model("linear_vae"), 0)
    assert "log_likelihood" not in Evaluation(DATA, [0, 1], 2, Stream.EVALUATION)(model("vae1"), 0)
