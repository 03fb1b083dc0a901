import json

import numpy as np
import pytest

from entropy_sums.analysis import cells
from entropy_sums.figures import convergence, style
from example import example_tree


@pytest.fixture(scope="module")
def pca():
    """Two schedules, two latent sizes."""
    axes = {"dataset": ["pca"], "schedule": ["cosine", "constant"], "latent_dim": [2, 4], "seed": range(4)}
    return example_tree(axes, ["linearvae", "vae0", "vae1"], flaws=False)


@pytest.fixture(scope="module")
def figure(pca):
    return convergence.draw(pca)


def test_a_column_per_model(figure):
    assert [ax.get_title() for ax in figure.axes[:3]] == ["linear VAE", "VAE-0", "VAE-1"]
    assert [ax.get_ylabel() for ax in figure.axes[::3]] == list(convergence.Y_LABELS)
    assert [ax.get_xlabel() for ax in figure.axes[1::3]] == list(convergence.X_LABELS)


def test_curves_are_medians_of_the_base_cell_for_each_schedule(figure, pca):
    runs = pca["linearvae"].to_dataset().sel(dataset="pca", latent_dim=2)
    solid = [line for line in figure.axes[0].lines if line.get_linestyle() == "-"]
    assert [line.get_color() for line in solid] == [style.SERIES["cosine"], style.SERIES["constant"]]
    for line, schedule in zip(solid, ("cosine", "constant"), strict=True):
        np.testing.assert_allclose(line.get_ydata(), abs(runs["gap"].sel(schedule=schedule)).median("seed"))


def test_full_points_are_those_of_the_fit(figure, pca):
    runs = pca["vae1"].to_dataset().isel(dataset=0, schedule=0, latent_dim=0)
    found = convergence.fitted(runs, convergence.LAWS[0])
    hollow, full, line = figure.axes[5].lines[:3]
    assert hollow.get_markerfacecolor() == "none"
    assert len(full.get_xdata()) == found["points"].item() < len(hollow.get_xdata())
    x, y = line.get_xdata(), line.get_ydata()
    assert np.diff(np.log(y)) / np.diff(np.log(x)) == pytest.approx(found["estimate"].item())
    # A line of least squares passes through the middle of its points
    middle = [np.exp(np.log(values).mean()) for values in (full.get_xdata(), full.get_ydata())]
    assert middle[1] == pytest.approx(found["factor"].item() * middle[0] ** found["estimate"].item())


def test_exponents_are_in_the_panel_and_in_the_caption(figure, pca):
    runs = pca["vae1"].to_dataset().isel(dataset=0, schedule=0, latent_dim=0)
    for law, text in zip(convergence.LAWS[:2], figure.axes[5].texts, strict=True):
        said = convergence.exponent(convergence.fitted(runs, law))
        assert text.get_text() == said
        assert f"{law.words} {said}" in convergence.caption(pca)


def test_the_polish_is_marked(pca):
    ds = pca["vae1"].to_dataset()
    ds.attrs["training"] = json.dumps({"pca": {"phases": [{"steps": 4096}, {"steps": 3584, "batch_size": "full"}]}})
    tree = type(pca).from_dict({"/": pca.to_dataset(), "vae1": ds})
    (start,) = [line for line in convergence.draw(tree).axes[0].lines if list(line.get_ydata()) == [0, 1]]
    assert list(start.get_xdata()) == [4096, 4096]


def test_runs_that_diverged_or_are_missing_do_no_harm(study):
    narrowed = cells.narrow(study, "digits")
    assert len(convergence.draw(narrowed).axes) == 12
    # Its base cell is without runs
    gone = study["vae1"].to_dataset()
    numbers = [name for name, array in gone.items() if array.dtype.kind == "f" and name != "planned"]
    gone = gone.assign({name: gone[name] * np.nan for name in numbers})
    empty = type(study).from_dict({"/": study.to_dataset(), "vae1": gone})
    assert "Too few points for a law of VAE-1." in convergence.caption(cells.narrow(empty, "pca"))
    assert len(convergence.draw(cells.narrow(empty, "pca")).axes) == 3


def test_a_single_run_has_exponents_without_interval(single):
    assert convergence.draw(single).axes[1].texts[0].get_text().count("[") == 0
