import numpy as np
import pytest

from entropy_sums.analysis import cells
from entropy_sums.figures import entropies, style


@pytest.fixture(scope="module")
def pca(study):
    return entropies.draw(cells.narrow(study, "pca"))


def lines(ax, color):
    return [line for line in ax.lines if line.get_color() == color and line.get_marker() == "None"]


def test_a_panel_per_model_and_cell_with_a_line_per_entropy(pca, study):
    titles = [ax.get_title() for ax in pca.axes]
    assert titles[:2] == ["linear VAE\nlatent size 2", "linear VAE\nlatent size 4"]
    assert titles[4] == "VAE-1\nlatent size 2"
    runs = study["vae1"].to_dataset().sel(dataset="pca", latent_dim=2)
    wanted = {style.QUANTITIES["elbo"]: runs["elbo"], entropies.POSTERIOR: runs["posterior_entropy"]}
    wanted |= {style.FACTORS[name]: runs["entropy"].sel(factor=name) for name in ("prior", "observation")}
    for color, values in wanted.items():
        (line,) = lines(pca.axes[4], color)
        np.testing.assert_allclose(line.get_ydata(), np.median(values.transpose("seed", "step"), axis=0))


def test_ends_are_on_the_scale_and_what_is_beyond_it_is_marked(pca):
    bottom, top = pca.axes[4].get_ylim()
    drawn = [line for line in pca.axes[4].lines if line.get_marker() == "None"]
    assert all(bottom <= line.get_ydata()[-1] <= top for line in drawn)
    beyond = {line.get_color() for line in drawn if (line.get_ydata() < bottom).any() or (line.get_ydata() > top).any()}
    assert beyond == {line.get_color() for line in pca.axes[4].lines if line.get_marker() != "None"}


def test_labels(pca):
    assert [text.get_text() for text in pca.legends[0].get_texts()] == [
        *("ELBO", "entropy of the posterior", "of the prior", "of the observation"),
    ]
    assert pca.axes[0].get_ylabel() == "nats"
    assert pca.get_supxlabel() == "optimiser step"


def test_a_cell_without_runs_says_so(study):
    figure = entropies.draw(cells.narrow(study, "digits"))
    empty = [ax.get_title() for ax in figure.axes if [text.get_text() for text in ax.texts] == ["no finished run"]]
    assert empty == ["linear VAE\nlatent size 4", "VAE-0\nlatent size 4"]


def test_the_axis_ends_where_these_runs_do(study):
    short = study["vae1"].to_dataset().copy(deep=True)
    short["elbo"][{"dataset": 0, "step": slice(20, None)}] = np.nan
    tree = type(study).from_dict({"/": study.to_dataset(), "vae1": short})
    assert entropies.draw(cells.narrow(tree, "pca")).axes[0].get_xlim() == (0, short["step"][19])
