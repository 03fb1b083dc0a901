import numpy as np
import pytest

from entropy_sums.figures import gap_versus_gradient
from entropy_sums.figures.style import Look, model_looks


@pytest.fixture(scope="module")
def figure(study):
    return gap_versus_gradient.draw(study)


def test_facets_and_labels(figure):
    assert [ax.get_title() for ax in figure.axes] == ["PCA", "digits", "", ""]
    assert figure.axes[0].get_ylabel() == "|gap| (nats)"
    assert "nats per unit of parameter" in figure.get_supxlabel()
    assert {ax.get_xscale() for ax in figure.axes} | {ax.get_yscale() for ax in figure.axes} == {"log"}


def test_every_step_of_every_run_that_did_not_diverge_is_a_point(figure, study):
    pale, clear = figure.axes[0].collections[4:6]
    runs = study["vae1"].to_dataset().sel(dataset="pca", latent_dim=2)
    points = np.concatenate([pale.get_offsets(), clear.get_offsets()])
    want = np.stack([runs["gradient_norm"].values.ravel(), abs(runs["gap"].values.ravel())], axis=1)
    np.testing.assert_allclose(np.sort(points, axis=0), np.sort(want, axis=0))
    diverged = np.concatenate([c.get_offsets() for c in figure.axes[0].collections[:2]])
    # Eight runs of 40 steps, less the diverged one and the last ten steps of the one that ended early
    assert len(diverged) == 7 * 40 - 10


def test_pale_points_are_those_within_the_noise(figure, study):
    runs = study["vae1"].to_dataset().sel(dataset="pca", latent_dim=2)
    noisy = (abs(runs["gap"]) < 2 * runs["gap_standard_error"]).sum().item()
    pale, clear = figure.axes[0].collections[4:6]
    assert len(pale.get_offsets()) == noisy > 0
    assert pale.get_alpha() < clear.get_alpha()


def test_guide_has_slope_one_and_passes_through_proportional_points(single):
    ds = single["vae1"].to_dataset().copy(deep=True)
    ds["gap"][:] = -0.3 * ds["gradient_norm"]
    ds["gap_standard_error"][:] = 0
    figure = gap_versus_gradient.draw(type(single).from_dict({"/": single.to_dataset(), "vae1": ds}))
    (guide,) = figure.axes[0].lines
    (x1, y1), (x2, y2) = guide.get_xy1(), guide.get_xy2()
    assert y1 / x1 == pytest.approx(0.3)
    assert y2 / x2 == pytest.approx(0.3)
    assert "slope 1" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_further_axis_is_a_facet(swept):
    figure = gap_versus_gradient.draw(swept)
    assert len(figure.axes) == 6
    assert figure.axes[1].texts[0].get_text() == "latent size 2\nlearning rate 0.005"


def test_a_cell_without_runs_says_so(study):
    alone = study.filter(lambda node: node.name != "vae1" and node.name != "vae3")
    assert gap_versus_gradient.draw(alone).axes[3].texts[0].get_text() == "no finished run"


def test_known_models_keep_their_look():
    assert model_looks(["vae1", "linearvae"]) == {"vae1": Look("#0072B2", "o"), "linearvae": Look("#000000", "D")}
