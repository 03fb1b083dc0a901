"""Evaluation: chunks do not matter, standard errors are honest, the gradient norm is that of the full batch."""

import numpy as np
import pytest
import torch

from entropy_sums.distributions import Normal
from entropy_sums.layers import per_replica
from entropy_sums.models import MODELS, build
from entropy_sums.models.components import StandardNormal
from entropy_sums.models.vae.vae import VAE, network_decoder, network_encoder
from entropy_sums.training import evaluation
from entropy_sums.training.evaluation import Evaluation
from entropy_sums.training.pack import Pack
from entropy_sums.training.randomness import Purpose, generator
from entropy_sums.training.replica import Replica
from entropy_sums.training.settings import TrainingSettings

DATA = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))


def model(name="vae1", replicas=2):
    settings = MODELS[name]()
    return build([settings] * replicas, 4, [torch.Generator().manual_seed(r) for r in range(replicas)])


def test_chunks_do_not_matter(monkeypatch):
    whole = Evaluation(DATA, [0, 1], 2, Purpose.EVALUATION)(model(), 3, gradient=True)
    monkeypatch.setattr(evaluation, "ENTRIES_PER_CHUNK", 7 * 2 * 4)
    parts = Evaluation(DATA, [0, 1], 2, Purpose.EVALUATION)(model(), 3, gradient=True)
    for name in whole:
        np.testing.assert_allclose(whole[name], parts[name], rtol=1e-5, atol=1e-5, err_msg=name)


def test_standard_errors_are_honest():
    """Over many steps, that is fresh noise, values spread as their standard errors say."""
    evaluate, fixed = Evaluation(DATA, [0, 1], 8, Purpose.EVALUATION), model()
    records = [evaluate(fixed, step) for step in range(120)]
    for name in ("elbo", "gap"):
        spread = np.std([r[name] for r in records], axis=0, ddof=1)
        claimed = np.sqrt(np.mean([r[f"{name}_standard_error"] ** 2 for r in records], axis=0))
        np.testing.assert_allclose(spread, claimed, rtol=0.35)


def test_gradient_norm_by_hand():
    fixed = model("vae2")
    record = Evaluation(DATA, [0, 1], 2, Purpose.EVALUATION)(fixed, 5, gradient=True)
    elbo = torch.zeros(2)
    for sample in range(2):
        noise = torch.stack(
            [torch.empty(50, 2).normal_(generator=generator(s, Purpose.EVALUATION, 5, sample)) for s in (0, 1)]
        )
        elbo = elbo + fixed.bound(DATA, noise).elbo / 2
    gradients = torch.autograd.grad(elbo[1], list(fixed.parameters()))
    expected = sum(g.square().sum() for g in gradients).sqrt()
    np.testing.assert_allclose(record["gradient_norm"][1], expected.item(), rtol=1e-4)
    np.testing.assert_allclose(record["elbo"], elbo.detach(), rtol=1e-5)
    assert all(p.grad is None for p in fixed.parameters())


def test_more_estimates_are_added_to_the_first_ones():
    """The gradient stays that of the first S; the standard error falls with the square root of their number."""
    evaluate, fixed = Evaluation(DATA, [0, 1], 4, Purpose.EVALUATION), model()
    few, many = evaluate(fixed, 3, gradient=True), evaluate(fixed, 3, gradient=True, samples=402)
    np.testing.assert_array_equal(few["gradient_norm"], many["gradient_norm"])
    first = evaluate.estimates(fixed, 3)
    for alone, among in zip(first, evaluate.estimates(fixed, 3, number=402), strict=False):
        torch.testing.assert_close(alone["gap"], among["gap"])
    assert len(evaluate.estimates(fixed, 3, number=402)) == 402
    assert (many["gap_standard_error"] < 0.3 * few["gap_standard_error"] + 1e-12).all()


def test_only_the_last_record_has_more_samples():
    def trained(**settings):
        training = TrainingSettings.model_validate({"phases": [{"steps": 4, "batch_size": 10}], "evaluation": settings})
        pack = Pack([Replica(0, MODELS["vae1"](), training)], DATA.numpy(), DATA.numpy())
        return pack.run().records

    few, many = trained(samples=4, final_samples=4), trained(samples=4, final_samples=400)
    for record, more in zip(few[:-1], many[:-1], strict=True):
        np.testing.assert_array_equal(record["gap"], more["gap"])
    for name in ("gap_standard_error", "heldout_gap_standard_error"):
        assert many[-1][name] < 0.4 * few[-1][name]


def test_streams_differ():
    a = Evaluation(DATA, [0, 1], 2, Purpose.EVALUATION)(model(), 0)
    b = Evaluation(DATA, [0, 1], 2, Purpose.HELDOUT)(model(), 0)
    assert (a["elbo"] != b["elbo"]).all()


def test_log_likelihood_only_where_it_is_exact():
    assert "log_likelihood" in Evaluation(DATA, [0, 1], 2, Purpose.EVALUATION)(model("linear_vae"), 0)
    assert "log_likelihood" not in Evaluation(DATA, [0, 1], 2, Purpose.EVALUATION)(model("vae1"), 0)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_the_gap_that_a_penalty_leaves_is_predicted(optimizer, float64):
    """At a stationary point of elbo − (λ/2)‖θ‖², in full batches, the gap is λ v·θ."""
    settings = MODELS["linear_vae"](latent_dim=1, initial_std=0.5)
    phase = {"learning_rate": 5e-2, "schedule": "linear", "batch_size": "full", "samples": 5, "weight_decay": 0.03}
    if optimizer == "adam":
        phase["second_moment_decay"] = 0.99
    training = TrainingSettings(
        phases=[{"steps": 800, "optimizer": optimizer, **phase}],
        evaluation={"every": 800, "samples": 200},
        precision="float64",
    )
    points = np.random.default_rng(0).normal(size=(60, 3)) * [2.0, 1.0, 0.7]
    record = Pack([Replica(0, settings, training)], points, points).run().records[-1]
    gap = record["entropy"] - record["cross_entropy"]
    predicted = record["stationary_gap"]
    assert np.abs(predicted).max() > 0.01
    np.testing.assert_allclose(gap, predicted, atol=4 * record["gap_standard_error"].max() + 2e-3)
    np.testing.assert_allclose(gap, record["directional_derivative"], atol=1e-9)


@pytest.mark.parametrize(
    ("name", "settings", "tolerance"),
    [
        ("vae1", {"beta": 2.0, "entropies": "unweighted", "encoder_width": 8, "decoder_width": 8}, 2e-2),
        ("poisson_mixture", {"observation_entropy": "true"}, 1e-3),
    ],
)
def test_the_gap_that_other_entropies_leave_is_predicted(name, settings, tolerance, float64):
    """At a stationary point it is what they differ from those that close the gap; the theorem does not hold."""
    phase = {"steps": 1500, "learning_rate": 2e-2, "schedule": "cosine", "batch_size": "full", "samples": 2}
    training = TrainingSettings(phases=[phase], evaluation={"every": 1500, "samples": 200}, precision="float64")
    drawn = np.random.default_rng(0).normal(size=(40, 3)) * [6.0, 3.0, 0.7]
    data = np.floor(2 * abs(drawn)) if name == "poisson_mixture" else drawn
    record = Pack([Replica(0, MODELS[name](**settings), training)], data, data).run().records[-1]
    gap = record["entropy"] - record["cross_entropy"]
    predicted = record["stationary_gap"]
    failing = np.isnan(record["directional_derivative"])
    assert failing.sum() == 1
    assert np.abs(predicted[failing]) > 0.01
    np.testing.assert_allclose(gap, predicted, atol=4 * record["gap_standard_error"].max() + tolerance)
    if name == "vae1":
        prior = record["posterior_entropy"] - record["entropy"][:, 0]
        np.testing.assert_allclose(predicted[:, 0], prior, atol=1e-9)


def test_nothing_is_predicted_for_objectives_that_are_not_penalised_elbos():
    points = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    phases = [{"steps": 2, "optimizer": "adamw", "weight_decay": 0.1, "batch_size": 10}]
    decoupled = TrainingSettings(phases=phases, evaluation={"every": 2, "samples": 2})
    plain = TrainingSettings(phases=[{"steps": 2, "batch_size": 10}], evaluation={"every": 2, "samples": 2})
    for settings, training, expected in (
        (MODELS["vae1"](), plain, [[0.0, 0.0]]),
        (MODELS["vae0"](), plain, [[0.0, np.nan]]),
        (MODELS["vae1"](), decoupled, [[np.nan, np.nan]]),
        (MODELS["vae1"](dropout=0.1), plain, [[np.nan, np.nan]]),
    ):
        record = Pack([Replica(0, settings, training)], points, points).run().records[-1]
        np.testing.assert_array_equal(record["stationary_gap"], expected)


def floored(blueprint):
    """VAE-1 with log σ = max(s, −2)."""

    class Floored(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.mean = network_decoder(blueprint)
            self.s = torch.nn.Parameter(per_replica(blueprint.packed("initial_std")).log())

        def forward(self, z):
            return Normal(self.mean(z), self.s.clamp(min=-2.0))

    return VAE(blueprint, network_encoder(blueprint), StandardNormal(2), Floored())


def test_where_the_identity_fails_at_the_parameters_reached_no_gap_is_predicted(monkeypatch):
    """Below the floor the derivative is zero and the gap is not: no silent prediction of a gap that closes."""
    monkeypatch.setattr("entropy_sums.models.vae.gaussian.vae1", floored)
    phase = {"steps": 1, "learning_rate": 1e-6, "batch_size": 20}
    training = TrainingSettings(phases=[phase], evaluation={"every": 1, "samples": 2})
    settings = MODELS["vae1"](encoder_width=5, decoder_width=5)
    points = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    pack = Pack([Replica(seed, settings, training) for seed in range(2)], points, points)
    with torch.no_grad():
        pack.model.decoder.s[1] = -3.0
    trace = pack.run()
    last, residual = trace.records[-1], trace.at_end["certificate_residual"]
    gap = last["entropy"] - last["cross_entropy"]
    assert last["directional_derivative"][1, 1] == 0
    assert abs(gap[1, 1]) > 1
    np.testing.assert_array_equal(last["stationary_gap"], [[0, 0], [0, np.nan]])
    assert (residual[[0, 0, 1], [0, 1, 0]] < 1e-10).all()
    assert residual[1, 1] == pytest.approx(1)


def test_the_derivative_of_the_last_record_has_the_samples_of_its_gap(float64):
    """They are equal to rounding, though the norm of the gradient is of fewer samples."""
    training = TrainingSettings.model_validate(
        {
            "phases": [{"steps": 2, "batch_size": 10}],
            "evaluation": {"samples": 2, "final_samples": 7},
            "precision": "float64",
        }
    )
    points = np.random.default_rng(0).normal(size=(30, 3))
    for settings in (MODELS["vae1"](), MODELS["vae1"](beta=2.0, entropies="unweighted")):
        for record in Pack([Replica(0, settings, training)], points, points).run().records:
            along, gap = record["directional_derivative"], record["entropy"] - record["cross_entropy"]
            np.testing.assert_allclose(along, np.where(np.isnan(along), np.nan, gap), atol=1e-9)
            assert np.isfinite(record["stationary_gap"]).all()
