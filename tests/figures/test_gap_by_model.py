import numpy as np
import pytest

from entropy_sums.figures import gap_by_model, style


@pytest.fixture(scope="module")
def figure(study):
    return gap_by_model.draw(study)


def test_a_map_per_latent_size(figure):
    assert [ax.get_title() for ax in figure.axes[:2]] == ["latent size 2", "latent size 4"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["linear VAE", "VAE-0", "VAE-1", "VAE-3"]
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["PCA", "digits"]
    assert figure.axes[-1].get_ylabel() == "final gap / ELBO (%)"


def test_values_are_medians_in_percent(figure, study):
    runs = study["vae3"].to_dataset().sel(dataset="digits", latent_dim=2).isel(step=-1)
    want = np.median(100 * abs(runs["gap"] / runs["elbo"]))
    assert figure.axes[0].images[0].get_array()[3, 1] == pytest.approx(want)
    assert figure.axes[0].texts[7].get_text() == style.percent(want)


def test_left_out_runs_show(figure):
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert [text.endswith("†") for text in texts] == [True, False, True, False, False, False, False, False]
    assert figure.axes[1].texts[1].get_text() == "–"
    assert figure.axes[1].images[0].get_array().mask[0, 1]


def test_scale_is_logarithmic_and_the_same_everywhere(figure, swept):
    for drawn in (figure, gap_by_model.draw(swept)):
        norm = drawn.axes[0].images[0].norm
        assert (type(norm).__name__, norm.vmin, norm.vmax) == ("LogNorm", 0.01, 100)


def test_a_further_axis_is_a_facet(swept):
    titles = [ax.get_title() for ax in gap_by_model.draw(swept).axes if ax.images]
    assert len(titles) == 6
    assert titles[1] == "latent size 2\nlearning rate 0.005"


def test_one_run(single):
    assert len(gap_by_model.draw(single).axes[0].texts) == 1


def test_maps_of_many_datasets_come_one_below_the_other(monkeypatch, study, figure):
    monkeypatch.setattr(gap_by_model, "WIDEST", 2.0)
    narrow = gap_by_model.draw(study)
    lefts, tops = zip(*((ax.get_position().x0, ax.get_position().y1) for ax in narrow.axes[:2]), strict=True)
    assert lefts[0] == pytest.approx(lefts[1])
    assert tops[0] > tops[1]
    assert narrow.get_figwidth() < figure.get_figwidth()
