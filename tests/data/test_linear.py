"""Linear and nearly linear data, counts and a stream, against the distribution that they are said to come from."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import kstest

from datasets import MANY, draw
from entropy_sums.data import linear


def test_pca_has_the_mean_and_covariance_of_its_truth():
    arrays = draw("pca", train=MANY, noise=0.3)
    truth, points = arrays["truth"], arrays["train"]
    weights, offset = truth["weights"], truth["offset"]
    assert weights.shape == (10, 2)
    assert truth["noise"] == 0.3
    covariance = weights @ weights.T + 0.3**2 * np.eye(10)
    scale = np.diag(covariance)
    mean_error = np.sqrt(scale / MANY)
    covariance_error = np.sqrt((np.outer(scale, scale) + covariance**2) / MANY)
    assert (np.abs(points.mean(axis=0) - offset) < 5 * mean_error).all()
    assert (np.abs(np.cov(points.T) - covariance) < 5 * covariance_error).all()


def test_counts_have_the_mean_and_covariance_of_their_truth():
    """Of a Poisson with log-normal rates: E = m, Var = m + m²(e^s − 1), Cov_de = m_d m_e (e^(w_d·w_e) − 1)."""
    arrays = draw("counts", train=MANY, dim=4)
    weights, points = arrays["truth"]["weights"], arrays["train"]
    assert (points == points.round()).all()
    inner = weights @ weights.T
    mean = 3.0 * np.exp(np.diag(inner) / 2)
    covariance = np.diag(mean) + np.outer(mean, mean) * np.expm1(inner)
    assert (np.abs(points.mean(axis=0) - mean) < 5 * np.sqrt(np.diag(covariance) / MANY)).all()
    parts = np.array_split(points, 50)
    estimates = np.array([np.cov(part.T) for part in parts])
    error = estimates.std(axis=0) / np.sqrt(len(parts))
    assert (np.abs(estimates.mean(axis=0) - covariance) < 5 * error).all()


def test_pca_truth_is_uniform():
    truth = draw("pca", dim=500, true_latent_dim=20, train=2, test=2)["truth"]
    assert kstest(truth["weights"].ravel(), "uniform").pvalue > 1e-4
    assert kstest(truth["offset"], "uniform").pvalue > 1e-4


def test_ring_is_pca_data_with_latents_moved_to_the_ring():
    pca, ring = draw("pca", noise=0.0, true_latent_dim=3), draw("pca_ring", noise=0.0, true_latent_dim=3)
    weights, offset = pca["truth"]["weights"], pca["truth"]["offset"]
    latents = np.linalg.lstsq(weights, (pca["train"] - offset).T)[0].T
    on_ring = np.linalg.lstsq(weights, (ring["train"] - offset).T)[0].T
    length = np.linalg.norm(latents, axis=1, keepdims=True)
    np.testing.assert_allclose(on_ring, latents * (1 / 10 + 1 / length), atol=1e-10)
    assert "truth" not in ring


@given(arrays(float, (4, 3), elements=st.floats(0.1, 10) | st.floats(-10, -0.1)))
def test_ring_keeps_directions_and_has_radius_one_and_a_tenth(latents):
    length = np.linalg.norm(latents, axis=1)
    np.testing.assert_allclose(np.linalg.norm(linear.to_ring(latents), axis=1), 1 + length / 10)
    np.testing.assert_allclose(
        np.sum(linear.to_ring(latents) * latents, axis=1), (1 + length / 10) * length, rtol=1e-12
    )


@given(arrays(float, (4, 3), elements=st.floats(-3, 3)))
def test_manifold_dimensions_follow_their_pairs(latents):
    pairs = np.array([[0, 1], [2, 2]])
    points = linear.to_manifold(latents, pairs, 0.35)
    base = 0.35 * latents - 0.175
    np.testing.assert_allclose(points[:, :3], base)
    np.testing.assert_allclose(points[:, 3], 0.35 * np.cos(base[:, 0] ** 2 + base[:, 1] ** 2))
    np.testing.assert_allclose(points[:, 4], 0.35 * np.cos(2 * base[:, 2] ** 2))


def test_manifold_is_scaled_by_the_training_points_alone():
    arrays = draw("manifold", noise=0.0)
    np.testing.assert_allclose(arrays["train"].min(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(arrays["train"].max(axis=0), 1)
    assert arrays["test"].min() < 0
    standard = (arrays["train"][:, :10] - arrays["train"][:, :10].mean(axis=0)) / arrays["train"][:, :10].std(axis=0)
    assert kstest(standard.ravel(), "norm").pvalue > 1e-4


def test_stream_is_published_segments_in_their_order():
    arrays = draw("stream", segment=MANY, test=MANY)
    transform, scales, noise = (arrays["truth"][name] for name in ("transform", "scales", "noise"))
    np.testing.assert_allclose(transform @ transform.T, np.eye(10), atol=1e-12)
    assert noise == 0.1
    segments = [*arrays["train"].reshape(3, MANY, 10), arrays["test"]]
    for latents, points in zip((6, 2, 4, 4), segments, strict=True):
        expected = np.linspace(1, 5, 10) * (np.arange(10) < latents)
        # Each direction of the transform has its own scale, and none goes with another
        along = points @ transform / np.hypot(expected, 0.1)
        assert kstest(along.ravel(), "norm").pvalue > 1e-4
        assert np.abs(np.cov(along.T) - np.eye(10)).max() < 6 / np.sqrt(MANY / 2)
    np.testing.assert_array_equal(scales[1] > 0, np.arange(10) < 2)


def test_a_shorter_stream_is_the_beginning_of_a_longer_one():
    short, long = draw("stream", segment=20, segments=2), draw("stream", segment=20)
    np.testing.assert_array_equal(short["train"], long["train"][:40])
    assert not np.isin(long["test"], long["train"]).any()
