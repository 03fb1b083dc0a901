import json

import numpy as np
import pytest

from entropy_sums.analysis import cells
from entropy_sums.figures import panels, save, style
from example import example_tree


@pytest.fixture(scope="module")
def shown():
    """Linear VAE and VAE-1 on PCA; of the former one run diverged and one ended early."""
    return cells.panels(example_tree(), "figure_1")


@pytest.fixture(scope="module")
def figure(shown):
    return panels.draw(shown)


def settings(tree, **changed):
    """The same panels with other settings."""
    tree = tree.copy()
    for node in tree.children.values():
        node.attrs["settings"] = json.dumps(json.loads(node.attrs["settings"]) | changed)
    return tree


def line(ax, color):
    (found,) = [line for line in ax.lines if line.get_color() == color and line.get_marker() == "None"]
    return found


def test_a_column_per_panel_with_curves_error_and_deviation(figure):
    assert [ax.get_title() for ax in figure.axes[:2]] == ["a  linear VAE, PCA", "b  VAE-1, PCA"]
    assert [ax.get_ylabel() for ax in figure.axes[::2]] == ["nats", "error (%)", "signed (%)"]
    assert figure.get_supxlabel() == "epoch"


def test_panels_of_one_model_say_what_differs(shown):
    """On every axis that they do not share a value of."""
    tree = shown.copy()
    changed = json.dumps(json.loads(tree["1"].attrs["cell"]) | {"latent_dim": 4})
    tree["2"] = tree["1"].to_dataset().assign_attrs(panel="c", cell=changed)
    titles = [ax.get_title() for ax in panels.draw(tree).axes[:3]]
    assert titles == [
        "a  linear VAE, PCA\nlatent size 2",
        "b  VAE-1, PCA\nlatent size 2",
        "c  VAE-1, PCA\nlatent size 4",
    ]


def test_curves_are_medians_against_epochs(figure, shown):
    ds = shown["1"].to_dataset()
    for name in ("elbo", "entropy_sum"):
        curve = line(figure.axes[1], style.QUANTITIES[name])
        np.testing.assert_allclose(curve.get_ydata(), ds[name].median("seed"))
        np.testing.assert_allclose(curve.get_xdata(), example_tree()["vae1"]["step"] / 8)


def test_deviation_has_its_sign_and_the_spread_of_runs(shown):
    ax = panels.draw(settings(shown, smooth=0.0, rows=["deviation"])).axes[3]
    ds = shown["1"].to_dataset()
    percent = 100 * ds["gap"] / abs(ds["elbo"].isel(step=-1))
    np.testing.assert_allclose(line(ax, style.ERROR).get_ydata(), percent.mean("seed"))
    assert ax.get_ylim() == (-4, 4)
    vertices = ax.collections[0].get_paths()[0].vertices
    assert vertices[:, 1].max() == pytest.approx((percent.mean("seed") + percent.std("seed")).max().item())


def test_axes_are_as_published(shown):
    published = panels.draw(settings(shown, nats=[-9.0, 1.0], epochs=300.0, percent=15.0))
    assert published.axes[0].get_ylim() == (-9, 1)
    assert published.axes[2].get_ylim() == (0, 15)
    assert {ax.get_xlim() for ax in published.axes} == {(0, 300)}


def test_a_panel_without_a_finished_run_says_so(shown):
    empty = shown.copy()
    empty["0"] = empty["0"].to_dataset().isel(step=slice(0))
    assert [text.get_text() for text in panels.draw(empty).axes[0].texts] == ["no finished run"]
    assert "linear VAE, PCA: latent size 2, 0 runs" in panels.caption(empty)


def test_the_caption_counts_the_runs(shown):
    text = panels.caption(shown)
    assert (
        "a  linear VAE, PCA: latent size 2, 7 runs, 1 diverged and left out; b  VAE-1, PCA: latent size 2, 8 runs"
        in text
    )
    assert "moving average over 100 epochs" in text


def test_unknown_figures_name_the_known_ones():
    with pytest.raises(KeyError, match="it has figure_1"):
        cells.panels(example_tree(), "figure_2")


def test_the_note_of_a_study_is_on_every_figure(tmp_path, shown):
    figure = panels.draw(shown)
    height = figure.get_figheight()
    save.save(figure, tmp_path / "figure", "A caption.", "Reduced: fewer runs.")
    assert figure.texts[-1].get_text() == "Reduced: fewer runs."
    assert figure.get_figheight() == pytest.approx(height + save.NOTE)
    (label,) = [text for text in figure.texts if text.get_text() == "epoch"]
    figure.draw_without_rendering()
    assert label.get_window_extent().y0 >= figure.texts[-1].get_window_extent().y1
    assert (tmp_path / "figure.txt").read_text() == "A caption. Reduced: fewer runs.\n"
