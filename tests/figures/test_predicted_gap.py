import numpy as np
import pytest

from entropy_sums.analysis import cells
from entropy_sums.figures import predicted_gap
from example import example_tree


@pytest.fixture
def pca():
    return cells.narrow(example_tree(flaws=False), "pca")


def test_a_row_has_the_median_and_its_prediction(pca):
    found = {row.label: row for row in predicted_gap.rows(pca)}
    row, control = found["VAE-1, latent size 4"], found["VAE-0, latent size 4"]
    final = pca["vae1"]["gap"].sel(dataset="pca", latent_dim=4).isel(step=-1)
    assert row.gap == pytest.approx(final.median().item())
    assert row.low < row.gap < row.high
    assert (row.predicted, row.certified) == (0.0, True)
    assert np.isnan(control.predicted)
    assert not control.certified


def test_noise_is_two_standard_errors_on_both_sides_of_the_prediction(pca):
    ds = pca["vae1"].to_dataset().copy(deep=True)
    ds["stationary_gap"][:] = 0.25
    tree = type(pca).from_dict({"/": pca.to_dataset(), "vae1": ds})
    found = predicted_gap.rows(tree)
    errors = ds["gap_standard_error"].isel(dataset=0, step=-1).values
    areas = predicted_gap.draw(tree).axes[0].patches
    assert len(areas) == len(found) == len(errors)
    for row, area, own in zip(found, areas, errors, strict=True):
        assert area.get_width() == pytest.approx(4 * np.sqrt((own**2).sum()) / own.size)
        assert area.get_x() + area.get_width() / 2 == pytest.approx(row.predicted) == pytest.approx(0.5)


def test_a_penalty_moves_the_prediction(pca):
    ds = pca["vae1"].to_dataset().copy(deep=True)
    ds["stationary_gap"][:] = 0.25
    assert predicted_gap._row("a", ds.isel(dataset=0, latent_dim=0)).predicted == pytest.approx(0.5)


def test_labels_name_what_differs_from_most_cells():
    plain = {"dataset": "pca", "beta": 1.0, "head": "a"}
    found = [("vae1", plain | own) for own in ({}, {}, {"beta": 2.0}, {"head": "b"})]
    assert predicted_gap._distinct(found) == [{}, {}, {"beta": 2.0}, {"head": "b"}]


def test_cells_without_runs_are_left_out(study):
    narrowed = cells.narrow(study, "digits")
    labels = [row.label for row in predicted_gap.rows(narrowed)]
    assert "linear VAE, latent size 4" not in labels
    assert len(labels) == len(set(labels)) > 3


def test_every_row_is_drawn(pca):
    (ax,) = predicted_gap.draw(pca).axes
    measured = [np.asarray(line.get_xdata())[0] for line in ax.lines if line.get_marker() == "o"]
    assert measured == pytest.approx([row.gap for row in predicted_gap.rows(pca)])


def test_few_runs_are_drawn_one_by_one():
    tree = cells.narrow(example_tree({"dataset": ["pca"], "latent_dim": [2], "seed": range(4)}, flaws=False), "pca")
    (ax,) = predicted_gap.draw(tree).axes
    drawn = [sorted(line.get_xdata()) for line in ax.lines if line.get_marker() == "|"]
    gaps = tree["linearvae"]["gap"].isel(dataset=0, latent_dim=0, step=-1)
    assert drawn[0] == pytest.approx(sorted(gaps.values))
    assert np.isnan([row.low for row in predicted_gap.rows(tree)]).all()


def test_the_caption_says_how_well_they_agree(pca):
    assert "Of 8 conditions 6 have a prediction; the largest distance to it is" in predicted_gap.caption(pca)
