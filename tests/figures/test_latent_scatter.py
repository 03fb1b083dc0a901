import numpy as np
import pytest

from entropy_sums.analysis import cells
from entropy_sums.figures import latent_scatter


def dots(ax):
    """Active and collapsed ones, those of other kinds left out."""
    return [line.get_xydata()[~np.isnan(line.get_xdata())] for line in ax.lines[:2]]


@pytest.fixture(scope="module")
def pca(study):
    return latent_scatter.draw(cells.narrow(study, "pca"))


def test_a_dot_per_latent_and_seed(pca, study):
    runs = study["vae1"].to_dataset().sel(dataset="pca", latent_dim=4)
    ax = pca.axes[6]
    active, collapsed = dots(ax)
    assert len(active) + len(collapsed) == 8 * 4
    entropy = runs["latent_entropy"].isel(step=-1)
    assert len(collapsed) == (entropy >= 1).sum()
    x, y = (runs[f"latent_{name}"].where(entropy >= 1).values.ravel() for name in ("variance", "square"))
    np.testing.assert_array_equal(collapsed, np.stack([x, y], 1)[~np.isnan(x)])


def test_the_line_of_the_prior(pca):
    np.testing.assert_array_equal(pca.axes[0].lines[2].get_xydata(), [[0, 1], [1, 0]])


def test_diverged_runs_have_none(pca):
    active, collapsed = dots(pca.axes[0])
    assert len(active) + len(collapsed) == 7 * 2


def test_wild_latents_are_on_the_scale(single):
    ds = single["vae1"].to_dataset().copy(deep=True)
    ds["latent_square"][..., 0] = 7.0
    ax = latent_scatter.draw(type(single).from_dict({"/": single.to_dataset(), "vae1": ds})).axes[0]
    assert ax.get_ylim()[1] > 7


def test_other_posteriors_say_so(single):
    ds = single["vae1"].to_dataset()
    without = ds.drop_vars([name for name in ds if name.startswith("latent_") and name != "latent_entropy"])
    figure = latent_scatter.draw(type(single).from_dict({"/": single.to_dataset(), "vae1": without}))
    assert "no normal posterior" in [text.get_text() for text in figure.axes[0].texts]
    blank = ds.map(lambda values: values.where(False) if values.dtype.kind == "f" else values, keep_attrs=True)
    empty = blank.assign(planned=ds["planned"])
    figure = latent_scatter.draw(type(single).from_dict({"/": single.to_dataset(), "vae1": empty}))
    assert "no finished run" in [text.get_text() for text in figure.axes[0].texts]
