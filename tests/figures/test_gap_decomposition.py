import numpy as np
import pytest
from matplotlib.patches import Rectangle

from entropy_sums.analysis import cells
from entropy_sums.figures import gap_decomposition, style


def bars(ax, x):
    """Bars at a place, by colour."""
    found = [p for p in ax.patches if isinstance(p, Rectangle) and p.get_x() < x < p.get_x() + p.get_width()]
    return {style.mpl.colors.to_hex(bar.get_facecolor()).upper(): bar for bar in found}


def parts(ax, x):
    """Bars of the factors at a place, by colour."""
    return {color: bar for color, bar in bars(ax, x).items() if color in style.FACTORS.values()}


@pytest.fixture(scope="module")
def pca(study):
    return gap_decomposition.draw(cells.narrow(study, "pca"))


def test_bars_are_mean_gaps_of_factors_and_add_up_to_the_total(pca, study):
    runs = study["vae1"].to_dataset().sel(dataset="pca", latent_dim=4).isel(step=-1)
    want = (runs["entropy"] - runs["cross_entropy"]).mean("seed")
    drawn = parts(pca.axes[2], 1)
    for factor in want["factor"].values:
        assert drawn[style.FACTORS[factor]].get_height() == pytest.approx(want.sel(factor=factor).item())
    (dot,) = [line for line in pca.axes[2].lines if line.get_marker() == "o" and line.get_xdata()[0] == 1]
    assert dot.get_ydata()[0] == pytest.approx(sum(bar.get_height() for bar in drawn.values()))


def test_noise_is_two_standard_errors_of_the_mean_total_on_both_sides_of_zero(pca, study):
    runs = study["vae1"].to_dataset().sel(dataset="pca", latent_dim=4).isel(step=-1)
    errors = runs["gap_standard_error"].values
    (area,) = (bar for color, bar in bars(pca.axes[2], 1).items() if color == "#D9D9D9")
    assert area.get_height() == pytest.approx(4 * np.sqrt((errors**2).sum()) / errors.size)
    assert area.get_y() == pytest.approx(-area.get_height() / 2)


def test_parts_are_stacked_by_sign(single):
    ds = single["vae1"].to_dataset().copy(deep=True)
    ds["entropy"][:] = ds["cross_entropy"] + np.array([2.0, -3.0])
    ds["gap"][:] = -1.0
    drawn = parts(gap_decomposition.draw(type(single).from_dict({"/": single.to_dataset(), "vae1": ds})).axes[0], 0)
    up, down = drawn[style.FACTORS["prior"]], drawn[style.FACTORS["observation"]]
    assert (up.get_y(), up.get_height()) == pytest.approx((0, 2))
    assert (down.get_y(), down.get_height()) == pytest.approx((0, -3))


def test_few_runs_are_drawn_one_by_one(single):
    ax = gap_decomposition.draw(single).axes[0]
    drawn = [line.get_ydata().tolist() for line in ax.lines if line.get_marker() == "_"]
    assert drawn == [single["vae1"]["gap"].isel(dataset=0, latent_dim=0, step=-1).values.tolist()]
    assert "of fewer than 5 runs, dashes for the runs themselves" in gap_decomposition.caption(single)


def test_labels(pca):
    assert [ax.get_title() for ax in pca.axes] == ["linear VAE", "VAE-0", "VAE-1", "VAE-3"]
    assert pca.axes[0].get_ylabel() == "final gap (nats)"
    assert pca.get_supxlabel() == "latent size"
    assert [label.get_text() for label in pca.axes[0].get_xticklabels()] == ["2", "4"]


def test_a_diverged_run_does_not_show(pca):
    assert max(abs(bar.get_height()) for bar in parts(pca.axes[0], 0).values()) < 1


def test_a_cell_without_runs_says_so(study):
    figure = gap_decomposition.draw(cells.narrow(study, "digits"))
    assert [text.get_text() for text in figure.axes[0].texts] == ["no finished run"]


def test_a_further_axis_is_a_facet(swept):
    figure = gap_decomposition.draw(swept)
    assert len(figure.axes) == 3 * 2
    assert figure.axes[1].texts[-1].get_text() == "learning rate 0.001"


def test_unknown_factors_have_colours_of_their_own():
    colors = style.factor_colors(["prior", "layer_1", "layer_2", "observation"])
    assert len(set(colors.values())) == 4
