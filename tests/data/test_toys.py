"""Toy data: each against the curve that it is said to lie on."""

import numpy as np
from scipy.stats import chisquare, kstest

from datasets import MANY, draw


def test_ring_of_gaussians_has_equally_many_points_of_the_asked_noise_at_each_centre():
    settings = {"train": MANY, "components": 5, "noise": 0.05}
    points = draw("ring_of_gaussians", **settings)["train"]
    angles = 2 * np.pi * np.arange(5) / 5
    centres = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    nearest = np.linalg.norm(points[:, None] - centres, axis=2).argmin(axis=1)
    assert chisquare(np.bincount(nearest)).pvalue > 1e-4
    assert kstest((points - centres[nearest]).ravel(), "norm", (0, 0.05)).pvalue > 1e-4


def test_unit_scale_is_by_the_extremes_of_the_training_points():
    for name in ("circle", "ring_of_gaussians", "spiral"):
        plain, unit = (draw(name, train=50, test=20, scale=scale) for scale in ("none", "unit_columns"))
        low, high = plain["train"].min(axis=0), plain["train"].max(axis=0)
        for part in ("train", "test"):
            np.testing.assert_allclose(unit[part], (plain[part] - low) / (high - low), rtol=1e-12, atol=1e-12)


def test_circle_has_radius_one_and_a_uniform_angle():
    x, y = draw("circle", train=MANY, noise=0.0)["train"].T
    np.testing.assert_allclose(np.hypot(x, y), 1)
    assert kstest(np.arctan2(y, x), "uniform", (-np.pi, 2 * np.pi)).pvalue > 1e-4


def test_eight_is_the_lemniscate_of_gerono():
    x, y = draw("eight", train=MANY, noise=0.0)["train"].T
    np.testing.assert_allclose(y**2, x**2 - x**4, atol=1e-12)
    assert kstest(np.arccos(x), "uniform", (0, np.pi)).pvalue > 1e-4
    assert {(a, b) for a, b in zip(np.sign(x), np.sign(y), strict=True)} == {(1, 1), (1, -1), (-1, 1), (-1, -1)}


def test_swiss_roll_is_that_of_scikit_learn():
    from sklearn.datasets import make_swiss_roll

    theirs = make_swiss_roll(MANY, random_state=0)[0] / (4.5 * np.pi)
    ours = draw("swiss_roll", train=MANY, noise=0.0)["train"]
    for points in (ours, theirs):
        radius = 4.5 * np.pi * np.hypot(points[:, 0], points[:, 2])
        np.testing.assert_allclose(4.5 * np.pi * points[:, 0], radius * np.cos(radius), atol=1e-9)
    for dimension in range(3):
        assert kstest(ours[:, dimension], theirs[:, dimension]).pvalue > 1e-4


def test_cosine_has_one_and_a_half_periods():
    x, y = draw("cosine", train=MANY, noise=0.0)["train"].T
    np.testing.assert_allclose(y, np.cos(x))
    assert kstest(x, "uniform", (0, 3 * np.pi)).pvalue > 1e-4


def test_spiral_is_a_turn_of_a_helix():
    """Turned back, $(x - z, y, x + z) \\to (x, y, z)$: a circle of radius 2.5, of which z = 3t is the angle."""
    first, y, last = draw("spiral", train=MANY, noise=0.0)["train"].T
    x, z = (last + first) / 2, (last - first) / 2
    np.testing.assert_allclose(np.hypot(x, y), 2.5)
    np.testing.assert_allclose(np.arctan2(x, y) % (2 * np.pi), 2 * np.pi * z / 3, atol=1e-9)
    assert kstest(z, "uniform", (0, 3)).pvalue > 1e-4


def test_grid_of_gaussians_has_equally_many_points_of_the_asked_noise_at_each_centre():
    points = draw("grid_of_gaussians", train=MANY, side=3, noise=0.05)["train"]
    nearest = points.round()
    assert {*nearest.ravel()} == {-1, 0, 1}
    assert chisquare(np.unique(nearest, axis=0, return_counts=True)[1]).pvalue > 1e-4
    assert kstest((points - nearest).ravel(), "norm", (0, 0.05)).pvalue > 1e-4
