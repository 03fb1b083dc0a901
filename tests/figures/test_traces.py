import numpy as np
import pytest

from entropy_sums.analysis import cells, statistics
from entropy_sums.figures import style, traces


def lines(ax, color):
    return [line for line in ax.lines if line.get_color() == color and line.get_marker() == "None"]


def marks(ax):
    return [line for line in ax.lines if line.get_marker() != "None"]


@pytest.fixture(scope="module")
def pca(study):
    return traces.draw(cells.narrow(study, "pca"))


def panel(figure, columns, row, column):
    return figure.axes[row * columns + column]


def test_a_pair_of_rows_per_latent_size_and_a_column_per_model(pca):
    assert len(pca.axes) == 2 * 2 * 4
    assert [ax.get_title() for ax in pca.axes[:4]] == ["linear VAE", "VAE-0", "VAE-1", "VAE-3"]
    assert pca.axes[0].get_ylabel() == "nats"
    assert pca.axes[4].get_ylabel() == "error (%)"
    assert pca.get_supxlabel() == "optimiser step"
    assert pca.axes[3].texts[0].get_text() == "latent size 2"


def test_many_models_stand_below_each_other(study, monkeypatch):
    monkeypatch.setattr(traces, "COLUMNS", 3)
    tree = cells.narrow(study, "pca")
    three = type(study).from_dict({"/": tree.to_dataset(), **{m: tree[m] for m in ("linearvae", "vae0", "vae1")}})
    assert len(traces.draw(three).axes) == 2 * 2 * 3
    figure = traces.draw(tree)
    assert len(figure.axes) == 2 * 2 * 2 * 2
    assert [ax.get_title() for ax in figure.axes if ax.get_title()] == ["linear VAE", "VAE-0", "VAE-1", "VAE-3"]
    assert [ax.texts[0].get_text() for ax in figure.axes[1::4]] == ["latent size 2", "latent size 4"] * 2
    steps = [ax.xaxis.get_tick_params()["labelbottom"] for ax in figure.axes[::2]]
    assert steps == [False, False, False, True] * 2
    monkeypatch.setattr(traces, "COLUMNS", 2)
    assert [ax.get_visible() for ax in traces.draw(three).axes] == [True] * 8 + [True, False] * 4


def test_lines_are_medians_over_the_runs_that_did_not_diverge(pca, study):
    kept = [0, 2, 3, 4, 5, 6, 7]
    runs = study["linearvae"].to_dataset().sel(dataset="pca", latent_dim=2).isel(seed=kept)
    for name in ("elbo", "heldout_elbo", "entropy_sum", "log_likelihood"):
        (line,) = lines(panel(pca, 4, 0, 0), style.QUANTITIES[name])
        np.testing.assert_allclose(line.get_ydata(), np.nanmedian(runs[name].values, axis=0))
        np.testing.assert_array_equal(line.get_xdata(), runs["step"])


def test_error_is_in_percent_of_the_final_elbo_of_each_run(pca, study):
    runs = study["vae1"].to_dataset().sel(dataset="pca", latent_dim=4)
    percent = 100 * abs(runs["gap"].values / runs["elbo"].values[:, -1:])
    ax = panel(pca, 4, 3, 2)
    (line,) = lines(ax, style.ERROR)
    np.testing.assert_allclose(line.get_ydata(), np.median(percent, axis=0))
    low, high = np.quantile(percent, [0.25, 0.75], axis=0)
    vertices = ax.collections[0].get_paths()[0].vertices
    assert vertices[:, 1].min() == pytest.approx(low.min())
    assert vertices[:, 1].max() == pytest.approx(high.max())
    assert ax.get_ylim() == (0, 4)
    assert ax.get_title(loc="right") == f"final {style.percent(np.median(percent[:, -1]))} %"


def test_every_error_beyond_the_scale_is_marked(pca, study):
    control = study["vae0"].to_dataset().sel(dataset="pca", latent_dim=4)
    (mark,) = marks(panel(pca, 4, 3, 1))
    np.testing.assert_array_equal(mark.get_xdata(), control["step"])
    assert set(mark.get_ydata()) == {4.0}


def test_log_likelihood_only_where_there_is_one(pca):
    assert lines(panel(pca, 4, 0, 0), style.QUANTITIES["log_likelihood"])
    assert not lines(panel(pca, 4, 0, 2), style.QUANTITIES["log_likelihood"])
    labels = [text.get_text() for text in pca.legends[0].get_texts()]
    known = ["exact log-likelihood", "true log-likelihood", "importance-weighted bound"]
    assert labels == ["ELBO", "held-out ELBO", "entropy sum", *known]


def test_the_true_likelihood_is_a_level_where_it_is_known(pca, study):
    (line,) = lines(panel(pca, 4, 0, 2), style.QUANTITIES["true_log_likelihood"])
    known = study["vae1"].to_dataset().sel(dataset="pca", latent_dim=2)["true_log_likelihood"]
    np.testing.assert_allclose(line.get_ydata(), known.median().item())
    assert "Orange, dashed" in traces.caption(cells.narrow(study, "pca"))
    digits = cells.narrow(study, "digits")
    assert not any(lines(ax, style.QUANTITIES["true_log_likelihood"]) for ax in traces.draw(digits).axes)
    assert "Orange" not in traces.caption(digits)


def estimated(single, **values):
    """The tree of one run with estimates at its end, each with an interval of ± 0.2."""
    ds = single["vae1"].to_dataset().drop_vars([f"importance_weighted_bound{end}" for end in ("", "_low", "_high")])
    for name, value in values.items():
        ends = {"": 0.0, "_low": -0.2, "_high": 0.2}
        ds = ds.assign({f"{name}{end}": ds["diverged_at"].fillna(value) + by for end, by in ends.items()})
    return type(single).from_dict({"/": single.to_dataset(), "vae1": ds})


def test_estimates_of_the_likelihood_stand_at_the_last_step(single):
    end = single["vae1"]["elbo"].values.ravel()[-1]
    tree = estimated(single, forward_ais=end + 3, reverse_ais=end + 0.1)
    ax = traces.draw(tree).axes[0]
    last = single["vae1"]["step"].values[-1]
    for name, value in (("forward_ais", end + 3), ("reverse_ais", end + 0.1)):
        (interval,) = lines(ax, style.QUANTITIES[name])
        (marker,) = [mark for mark in marks(ax) if mark.get_color() == style.QUANTITIES[name]]
        np.testing.assert_allclose(interval.get_ydata(), [value - 0.2, min(value + 0.2, ax.get_ylim()[1])])
        assert (marker.get_xdata(), marker.get_ydata()) == ([last], [pytest.approx(value)])
        assert marker.get_marker() == traces.MARKERS[name]
    assert "95 % Monte Carlo interval" in traces.caption(tree)
    assert "Monte Carlo" not in traces.caption(estimated(single))


def test_an_estimate_below_the_scale_is_marked(single):
    ax = traces.draw(estimated(single, reverse_ais=-1e4)).axes[0]
    assert not lines(ax, style.QUANTITIES["reverse_ais"])
    (mark,) = [mark for mark in marks(ax) if mark.get_color() == style.QUANTITIES["reverse_ais"]]
    assert mark.get_ydata() == [ax.get_ylim()[0]]


def test_a_further_axis_is_a_facet(swept):
    figure = traces.draw(swept)
    assert len(figure.axes) == 2 * 2 * 3 * 2
    rows = [ax.texts[0].get_text() for ax in figure.axes[1::4]]
    assert rows[1] == "latent size 2\nlearning rate 0.005"
    assert "learning rate (0.001, 0.005, 0.01)" in traces.caption(swept)


def test_a_cell_without_runs_says_so(study):
    digits = cells.narrow(study, "digits")
    figure = traces.draw(digits)
    assert [text.get_text() for text in panel(figure, 4, 2, 0).texts] == ["no finished run"]
    assert "8 runs of linear VAE on digits, latent size 4" in traces.caption(digits)


def test_one_run(single):
    figure = traces.draw(single)
    (line,) = lines(figure.axes[0], style.QUANTITIES["elbo"])
    np.testing.assert_array_equal(line.get_ydata(), single["vae1"]["elbo"].values.ravel())
    assert "1 run per cell" in traces.caption(single)


def test_runs_recorded_at_other_steps_are_joined(single):
    ds = single["vae1"].to_dataset().copy(deep=True)
    ds["elbo"][..., 5] = np.nan
    figure = traces.draw(type(single).from_dict({"/": single.to_dataset(), "vae1": ds}))
    (line,) = lines(figure.axes[0], style.QUANTITIES["elbo"])
    assert ds["step"].values[5] not in line.get_xdata()
    assert np.isfinite(line.get_ydata()).all()
    assert statistics.final(ds, "elbo").notnull().all()
