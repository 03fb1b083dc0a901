import numpy as np
import pytest

from entropy_sums.figures import elbo_scaling, style
from example import example_tree


@pytest.fixture
def swept():
    axes = {"dataset": ["pca"], "latent_dim": [4, 2, 16], "gradient": ["pcd", "exact"], "seed": range(6)}
    tree = example_tree(axes, ["rbm"], flaws=False)
    ds = tree["rbm"].to_dataset()
    for name, shift in (("forward_ais", 1.0), ("reverse_ais", -1.0)):
        ds[name] = ds["elbo"].isel(step=-1, drop=True) + shift
    return type(tree).from_dict({"/": tree.to_dataset(), "rbm": ds})


def test_a_panel_per_setting_with_numbers_and_the_base_series_alone(swept):
    (panel,) = elbo_scaling.panels(swept)
    assert (panel.model, panel.axis) == ("rbm", "latent_dim")
    expected = swept["rbm"]["elbo"].isel(dataset=0, step=-1).sel(gradient="pcd").sortby("latent_dim")
    np.testing.assert_allclose(panel.values["elbo"].transpose(*expected.dims), expected)


def test_medians_are_drawn_in_the_colours_of_their_quantities(swept):
    (ax,) = elbo_scaling.draw(swept).axes
    (panel,) = elbo_scaling.panels(swept)
    assert list(panel.values) == [name for name in style.QUANTITIES if name in panel.values]
    for line, (name, value) in zip(ax.lines, panel.values.items(), strict=True):
        np.testing.assert_allclose(line.get_xdata(), [2, 4, 16])
        np.testing.assert_allclose(line.get_ydata(), value.median("seed"))
        assert line.get_color() == style.QUANTITIES[name]


def test_few_runs_are_drawn_one_by_one(swept):
    few = type(swept).from_dict({"/": swept.to_dataset(), "rbm": swept["rbm"].to_dataset().isel(seed=slice(3))})
    (ax,) = elbo_scaling.draw(few).axes
    (panel,) = elbo_scaling.panels(few)
    drawn = [line.get_ydata() for line in ax.lines if line.get_marker() == "."]
    np.testing.assert_allclose(drawn[:3], panel.values["elbo"].transpose("seed", "latent_dim"))
    assert len(drawn) == 3 * len(panel.values)
    assert "95 % intervals between order statistics; of fewer than 5 runs" in elbo_scaling.caption(few)


def test_the_caption_says_how_to_read_annealing(swept):
    assert "both may lie on one side" in elbo_scaling.caption(swept)
    without = type(swept).from_dict(
        {"/": swept.to_dataset(), "rbm": swept["rbm"].to_dataset().drop_vars(["forward_ais", "reverse_ais"])}
    )
    assert "Annealing" not in elbo_scaling.caption(without)
