import numpy as np
import pytest
import xarray as xr

from entropy_sums.analysis import cells
from entropy_sums.figures import dictionary
from example import example_tree

WEIGHTS = np.random.default_rng(0).normal(size=(4, 9))


@pytest.fixture
def coded():
    """Sparse coding in a tree with two latent sizes; the first seed of the first has diverged."""
    axes = {"dataset": ["pca"], "latent_dim": [2, 4], "seed": [0, 1]}
    tree = example_tree(axes, ["sparsecoding", "vae1"], flaws=False)
    ds = tree["sparsecoding"].to_dataset()
    weights = np.full((1, 2, 2, 4, 9), np.nan)
    weights[0, 0, :, :2], weights[0, 1] = [WEIGHTS[:2], 2 * WEIGHTS[:2]], [3 * WEIGHTS, 4 * WEIGHTS]
    ds = ds.assign(weights=(["dataset", "latent_dim", "seed", "latent", "pixel"], weights))
    ds["diverged_at"][0, 0, 0] = 64
    return xr.DataTree.from_dict({"/": tree.to_dataset(), "sparsecoding": ds, "vae1": tree["vae1"].to_dataset()})


def test_a_panel_per_cell_with_the_first_sound_seed(coded):
    figure = dictionary.draw(coded)
    assert [ax.get_title() for ax in figure.axes] == [f"latent size {h}" for h in (2, 4)]
    for ax, wanted in zip(figure.axes, (2 * WEIGHTS[:2], 3 * WEIGHTS), strict=True):
        (image,) = ax.get_images()
        np.testing.assert_allclose(image.get_array().filled(np.nan), dictionary.mosaic(wanted))
        assert image.get_clim() == pytest.approx((-abs(wanted).max(), abs(wanted).max()))
        assert image.get_cmap()(0.5)[:3] == pytest.approx((0.97, 0.97, 0.97), abs=0.01), "white is zero"


def test_the_largest_is_first_and_its_largest_pixel_positive():
    picture = dictionary.mosaic(np.array([[0, 0.5, 0, 0], [0, 0, -3, 1], [2, 0, 0, 0]]))
    pictures = [picture[1:3, left : left + 2] for left in (1, 4, 7)]
    np.testing.assert_array_equal(pictures, [[[0, 0], [3, -1]], [[2, 0], [0, 0]], [[0, 0.5], [0, 0]]])
    assert np.isnan(picture[[0, 3]]).all()
    assert np.isnan(picture[:, ::3]).all()


def test_what_is_no_square_is_a_row():
    picture = dictionary.mosaic(np.arange(1.0, 7).reshape(2, 3))
    np.testing.assert_array_equal(picture[1::2, 1:-1], [[4, 5, 6], [1, 2, 3]])


def test_a_cell_without_sound_runs_says_so(coded):
    ds = coded["sparsecoding"].to_dataset().copy(deep=True)
    ds["diverged_at"][0, 0] = 64
    figure = dictionary.draw(xr.DataTree.from_dict({"/": coded.to_dataset(), "sparsecoding": ds}))
    assert [[text.get_text() for text in ax.texts] for ax in figure.axes] == [["no finished run"], []]


def test_caption_says_what_the_sign_is(coded):
    text = dictionary.caption(cells.narrow(coded, "pca"))
    assert "sign of a latent is arbitrary" in text
    assert "Panels: latent size (2, 4)." in text
