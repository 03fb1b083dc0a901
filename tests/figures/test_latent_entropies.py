import numpy as np
import pytest

from entropy_sums.analysis import cells
from entropy_sums.figures import latent_entropies
from entropy_sums.figures.style import MODELS


def marks(ax, model):
    return [line for line in ax.lines if line.get_marker() == MODELS[model].marker]


@pytest.fixture(scope="module")
def pca(study):
    return latent_entropies.draw(cells.narrow(study, "pca"))


def test_sorted_within_each_run_before_the_median(single):
    ds = single["vae1"].to_dataset()
    ds = ds.reindex(seed=[0, 1], fill_value=0).copy(deep=True)
    ds["diverged_at"][:] = np.nan
    ds["latent_entropy"][:, :, 0, -1] = [0.1, 1.3, 0.5, 0.2]
    ds["latent_entropy"][:, :, 1, -1] = [1.1, 0.2, 0.1, 0.3]
    figure = latent_entropies.draw(type(single).from_dict({"/": single.to_dataset(), "vae1": ds}))
    (line,) = marks(figure.axes[0], "vae1")
    np.testing.assert_allclose(line.get_ydata(), [1.2, 0.4, 0.2, 0.1])
    np.testing.assert_allclose(line.get_xdata(), [1, 2, 3, 4])


def test_only_the_latents_that_a_run_has(pca):
    assert len(marks(pca.axes[0], "vae1")[0].get_ydata()) == 2
    assert len(marks(pca.axes[1], "vae1")[0].get_ydata()) == 4


def test_lines_of_prior_and_collapse(pca):
    heights = sorted(line.get_ydata()[0] for line in pca.axes[0].lines if line.get_marker() == "None")
    assert heights == pytest.approx([1.0, 1.419], abs=1e-3)


def test_labels(pca):
    assert [ax.get_title() for ax in pca.axes] == ["latent size 2", "latent size 4"]
    assert pca.axes[0].get_ylabel() == "entropy (nats)"


def test_a_cell_without_runs_says_so(study):
    figure = latent_entropies.draw(cells.narrow(study, "digits"))
    assert [text.get_text() for text in figure.axes[1].texts] == ["no finished run: linear VAE, VAE-0"]


def test_a_further_axis_is_a_facet(swept):
    assert len(latent_entropies.draw(swept).axes) == 6
