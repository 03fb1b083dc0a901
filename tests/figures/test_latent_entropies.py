import numpy as np
import pytest

from entropy_sums.analysis import cells
from entropy_sums.figures import latent_entropies
from entropy_sums.figures.style import model_looks


def marks(ax, model):
    (line,) = [line for line in ax.lines if line.get_marker() == model_looks([model])[model].marker]
    return line


def heights(ax):
    return [bar.get_height() for bar in ax.patches]


@pytest.fixture(scope="module")
def pca(study):
    return latent_entropies.draw(cells.narrow(study, "pca"))


@pytest.fixture
def two(single):
    """Two runs of four latents whose entropies cross: the ranks are those of the end."""
    ds = single["vae1"].to_dataset()
    ds = ds.reindex(seed=[0, 1], fill_value=0).copy(deep=True)
    ds["diverged_at"][:] = np.nan
    ds["planned"][:] = 1
    ds["latent_entropy"][:, :, :, :] = [1.4, 1.4, 1.4, 0.9]
    ds["latent_entropy"][:, :, 0, -1] = [0.1, 1.3, 0.5, 0.2]
    ds["latent_entropy"][:, :, 1, -1] = [1.1, 0.2, 0.1, 0.3]
    ds["latent_spread"][:, :, 0] = [0.9, 0.0, 0.02, 0.009]
    ds["latent_spread"][:, :, 1] = [0.9, 0.8, 0.7, 0.6]
    return latent_entropies.draw(type(single).from_dict({"/": single.to_dataset(), "vae1": ds}))


def test_ranked_within_each_run_before_the_median(two):
    line = marks(two.axes[2], "vae1")
    np.testing.assert_allclose(line.get_ydata(), [1.2, 0.4, 0.2, 0.1])
    np.testing.assert_allclose(line.get_xdata(), [1, 2, 3, 4])
    np.testing.assert_allclose(heights(two.axes[2]), [1.2, 0.4, 0.2, 0.1])
    whiskers = two.axes[2].collections[0].get_segments()
    np.testing.assert_allclose([part[:, 1] for part in whiskers][:2], [[1.15, 1.25], [0.35, 0.45]])


def test_curves_follow_the_latents_that_they_end_with(two):
    curves = [line.get_ydata() for line in two.axes[0].lines[2:]]
    np.testing.assert_allclose([curve[-1] for curve in curves], [1.2, 0.4, 0.2, 0.1])
    np.testing.assert_allclose([curve[0] for curve in curves], [1.4, 1.15, 1.15, 1.4])


def test_active_latents_by_both_conventions(two):
    """Entropy below one nat: one of four at first, then three in either run; spread above 0.01: two and four."""
    by_entropy, by_spread = two.axes[1].lines
    np.testing.assert_allclose(by_entropy.get_ydata()[[0, -1]], [1, 3])
    np.testing.assert_allclose(by_spread.get_ydata(), [3])


def test_without_moments_there_is_no_mark(single):
    ds = single["vae1"].to_dataset().drop_vars("latent_spread")
    figure = latent_entropies.draw(type(single).from_dict({"/": single.to_dataset(), "vae1": ds}))
    assert len(figure.axes[1].lines) == 1


def test_only_the_latents_that_a_run_has(pca):
    assert len(marks(pca.axes[2], "vae1").get_ydata()) == 2
    assert len(marks(pca.axes[5], "vae1").get_ydata()) == 4


def test_lines_of_prior_and_collapse(pca):
    for ax in (pca.axes[0], pca.axes[2]):
        assert [line.get_ydata()[0] for line in ax.lines[:2]] == pytest.approx([1.419, 1.0], abs=1e-3)


def test_labels(pca):
    assert [ax.texts[0].get_text() for ax in (pca.axes[2], pca.axes[5])] == ["latent size 2", "latent size 4"]
    assert [ax.get_ylabel() for ax in pca.axes[:3]] == ["entropy (nats)", "number", "entropy (nats)"]


def test_a_cell_without_runs_says_so(study):
    figure = latent_entropies.draw(cells.narrow(study, "digits"))
    assert "no finished run: linear VAE, VAE-0" in [text.get_text() for text in figure.axes[5].texts]


def test_a_further_axis_is_a_facet(swept):
    assert len(latent_entropies.draw(swept).axes) == 6 * 3
