import json

import numpy as np
import pytest
import xarray as xr

from entropy_sums.figures import gap_scaling, style
from example import STEPS, example_tree

POLISH = int(STEPS[-3])


@pytest.fixture
def swept():
    """A gap that grows with the root of the learning rate, and of which the polish leaves a tenth."""
    axes = {
        "dataset": ["pca"],
        "schedule": ["cosine", "constant"],
        "learning_rate": [0.01, 0.001, 0.1],
        "latent_dim": [2],
        "seed": range(6),
    }
    tree = example_tree(axes, ["vae1"], flaws=False)
    ds = tree["vae1"].to_dataset()
    sizes = ds["gap"].copy(data=1 + 0.1 * np.random.default_rng(0).standard_normal(ds["gap"].shape))
    ds["gap"] = -sizes * ds["learning_rate"] ** 0.5 * xr.where(ds["step"] <= POLISH, 1.0, 0.1)
    ds["gap_standard_error"][:] = 1e-4
    phases = [{"steps": POLISH, "batch_size": 10}, {"steps": int(STEPS[-1]) - POLISH, "batch_size": "full"}]
    ds.attrs["training"] = json.dumps({"pca": {"phases": phases}})
    return type(tree).from_dict({"/": tree.to_dataset(), "vae1": ds})


def test_only_varied_settings_with_numbers_have_a_panel(swept):
    assert [(panel.model, panel.axis, panel.base) for panel in gap_scaling.panels(swept)] == [
        ("vae1", "learning_rate", 0.01)
    ]


def test_the_gap_is_measured_before_and_after_the_polish(swept):
    (panel,) = gap_scaling.panels(swept)
    gap = abs(swept["vae1"]["gap"].isel(dataset=0, latent_dim=0)).sortby("learning_rate")
    assert [(curve.line, curve.moment) for curve in panel.curves] == [
        (schedule, moment) for schedule in ("cosine", "constant") for moment in ("before polish", "after polish")
    ]
    for curve in panel.curves:
        step = POLISH if curve.moment == "before polish" else STEPS[-1]
        expected = gap.sel(schedule=curve.line, step=step).transpose(*curve.gap.values.dims)
        np.testing.assert_allclose(curve.gap.values, expected)
        assert curve.law["estimate"].item() == pytest.approx(0.5, abs=0.05)


def test_medians_are_drawn_and_the_base_cell_is_marked(swept):
    figure = gap_scaling.draw(swept)
    (ax,) = figure.axes
    assert list(ax.lines[0].get_xdata()) == [0.01, 0.01]
    curves = [line for line in ax.lines if line.get_marker() in ("o", "v")]
    for line, curve in zip(curves, gap_scaling.panels(swept)[0].curves, strict=True):
        np.testing.assert_allclose(line.get_xdata(), [0.001, 0.01, 0.1])
        np.testing.assert_allclose(line.get_ydata(), curve.gap.values.median("seed"))
        assert line.get_color() == style.SERIES[curve.line]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0.001", "0.01", "0.1"]


def test_exponents_are_in_the_caption(swept):
    first = gap_scaling.panels(swept)[0].curves[0].law
    said = f"Exponent of VAE-1 with learning rate: {gap_scaling.exponent(first)} (cosine before polish, 3 points)"
    assert said in gap_scaling.caption(swept)


def test_gaps_within_the_noise_make_no_law(swept):
    swept["vae1"]["gap_standard_error"][:] = 10.0
    (panel,) = gap_scaling.panels(swept)
    assert all(np.isnan(curve.law["estimate"]) and curve.law["left_out"] == 3 for curve in panel.curves)
    assert "Exponent" not in gap_scaling.caption(swept).replace("Numbers: exponents", "")
    assert not gap_scaling.draw(swept).axes[0].texts


def test_nothing_varied(single):
    (ax,) = gap_scaling.draw(single).axes
    assert ax.texts[0].get_text() == "no setting is varied"
