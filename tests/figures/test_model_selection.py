import numpy as np
import pytest

from entropy_sums.analysis import streams
from entropy_sums.figures import model_selection, style
from example import streaming


@pytest.fixture(scope="module")
def tree():
    return streaming()


@pytest.fixture(scope="module")
def drawn(tree):
    return model_selection.draw(tree)


def test_moving_averages_of_the_criterion(drawn, tree):
    """By hand: (H·D + 1) log B − 2 B L over the last 40 batches, with H = 4 and D = B = 10."""
    ds = tree["linearvae"].to_dataset().sel(dataset="stream", latent_dim=4)
    for ax, name in zip(drawn.axes, ("elbo", "entropy_sum"), strict=True):
        (line,) = [line for line in ax.lines if line.get_color() == style.shades([2, 4, 6])[4]]
        at = line.get_xdata()[100]
        bounds = ds[f"batch_{name}"].isel(batch=slice(at - 39, at + 1)).mean("batch")
        expected = np.median(41 * np.log(10) - 20 * bounds)
        np.testing.assert_allclose(line.get_ydata()[100], expected)


def test_borders_and_the_lowest_of_each_segment(drawn):
    for ax in drawn.axes:
        borders = [line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == "--"]
        assert borders == [400, 800]
        assert [text.get_text() for text in ax.texts][:3] == ["6", "2", "4"]
        assert ax.get_xlim() == (0, 1200)


def test_the_band_of_the_elbo_is_wider(drawn):
    """By the noise of one batch: 0.7 and 0.05 nats per point."""
    heights = [ax.collections[2].get_paths()[0].vertices[:, 1] for ax in drawn.axes]
    # A polygon goes along its lower edge and back along the upper one
    widths = [np.median(v[len(v) // 2 + 1 : -1][::-1] - v[1 : len(v) // 2]) for v in heights]
    assert widths[0] / widths[1] == pytest.approx(14, rel=0.3)


def test_a_latent_size_without_runs_has_no_line(tree):
    ds = tree["linearvae"].to_dataset().copy(deep=True)
    for name in streams.ESTIMATES:
        ds[f"batch_{name}"][{"latent_dim": 2}] = np.nan
    figure = model_selection.draw(type(tree).from_dict({"/": tree.to_dataset(), "linearvae": ds}))
    (line,) = [line for line in figure.axes[0].lines if line.get_color() == style.shades([2, 4, 6])[6]]
    assert np.isnan(line.get_ydata()).all()
    assert [text.get_text() for text in figure.axes[0].texts][:3] == ["4", "2", "4"]


@pytest.mark.parametrize("missing", ["batches", "segments", "order"])
def test_other_studies_say_so(tree, missing):
    ds = tree["linearvae"].to_dataset()
    shuffled = ds.attrs["training"].replace('"order": "given"', '"order": "shuffled"')
    changed = {
        "batches": ds.drop_vars([f"batch_{name}" for name in streams.ESTIMATES]),
        "segments": ds.assign_attrs(data='{"stream": {}}'),
        "order": ds.assign_attrs(training=shuffled),
    }[missing]
    figure = model_selection.draw(type(tree).from_dict({"/": tree.to_dataset(), "linearvae": changed}))
    assert [text.get_text() for ax in figure.axes for text in ax.texts] == ["no minibatches of data in segments"] * 2


def test_a_further_axis_is_a_row(tree):
    ds = tree["linearvae"].to_dataset()
    twice = ds.expand_dims(learning_rate=[0.001, 0.002], axis=2)
    figure = model_selection.draw(type(tree).from_dict({"/": tree.to_dataset(), "linearvae": twice}))
    assert len(figure.axes) == 4
    assert figure.axes[3].texts[-1].get_text() == "linear VAE\nlearning rate 0.002"
