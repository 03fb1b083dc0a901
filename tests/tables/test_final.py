"""The table of final numbers, against the runs that it is of."""

import importlib

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from entropy_sums import quantities
from entropy_sums.analysis import statistics
from entropy_sums.quantities import QUANTITIES, SHOWN, Quantity, Shown
from entropy_sums.tables import final, words
from entropy_sums.tables.final import TABLE
from example import AXES, example_tree
from rows import row


def test_a_row_per_cell_in_order(frame):
    assert len(frame) == 4 * 2 * 2
    assert list(frame.columns[:6]) == ["model", "dataset", "latent_dim", "runs", "diverged", "missing"]
    # The example has no mixture
    assert {column.name for column in TABLE.columns} - {"unused"} <= set(frame.columns)


def test_values_are_medians_of_the_last_step(frame, tree):
    runs = tree["vae3"].to_dataset().sel(dataset="digits", latent_dim=4).isel(step=-1)
    got = row(frame, model="vae3", dataset="digits", latent_dim=4)
    for name in ("elbo", "heldout_elbo", "entropy_sum", "gap", "gradient_norm", "gap_standard_error"):
        assert got[name] == pytest.approx(np.median(runs[name]))
    assert got["gap_per_dimension"] == pytest.approx(np.median(runs["gap"]) / 64)
    assert got["relative_gap"] == pytest.approx(np.median(100 * abs(runs["gap"] / runs["elbo"])))


def test_certificates_and_predictions_where_they_are_recorded(frame, tree):
    certified = row(frame, model="vae1", dataset="pca", latent_dim=2)
    control = row(frame, model="vae0", dataset="pca", latent_dim=4)
    assert (certified["certified"], certified["predicted_gap"]) == ("yes", 0.0)
    assert control["certified"] == "no"
    assert np.isnan(control["predicted_gap"])
    groups = {name: node.to_dataset().drop_vars("stationary_gap") for name, node in tree.children.items()}
    without = TABLE.frame(xr.DataTree.from_dict({"/": tree.to_dataset(), **groups}))
    assert not {"certified", "predicted_gap"} & set(without.columns)
    assert {"certified", "predicted gap (nats)"} <= set(words.display(TABLE, frame).columns)


def test_likelihoods_and_how_they_were_found(frame, tree):
    runs = {model: tree[model].to_dataset().sel(dataset="digits", latent_dim=4) for model in ("vae1", "vae3")}
    exact = row(frame, model="linearvae", dataset="pca", latent_dim=4)
    end = tree["linearvae"].to_dataset().sel(dataset="pca", latent_dim=4).isel(step=-1)
    for name in ("log_likelihood", "heldout_log_likelihood"):
        assert exact[name] == pytest.approx(np.median(end[name]))
    weighted = row(frame, model="vae1", dataset="digits", latent_dim=4)
    assert weighted["log_likelihood"] == pytest.approx(np.median(runs["vae1"]["importance_weighted_bound"]))
    ends = [weighted[f"log_likelihood{end}"] for end in ("_low", "", "_high")]
    assert ends == sorted(ends)
    assert [each["likelihood_by"] for each in (exact, weighted)] == ["exact", "importance-weighted bound"]
    none = row(frame, model="vae3", dataset="digits", latent_dim=4)
    assert pd.isna(none["likelihood_by"])
    assert np.isnan(none["log_likelihood"])


def test_the_truth_where_it_is_known(frame, tree):
    known = tree["vae3"].to_dataset()["true_log_likelihood"].sel(dataset="pca", latent_dim=4).median().item()
    assert row(frame, model="vae3", dataset="pca", latent_dim=4)["true_log_likelihood"] == known
    assert np.isnan(row(frame, model="vae3", dataset="digits", latent_dim=4)["true_log_likelihood"])
    # It is beside numbers of four digits, with which it is compared
    assert f"{known:.4g}" in words.display(TABLE, frame)["true log-likelihood (nats)"].tolist()


def test_annealing_spans_both_ways(tree):
    ds, values = tree["vae3"].to_dataset(), {}
    limits = {"forward_ais": -7.0, "forward_ais_high": -6.5, "reverse_ais": -8.0, "reverse_ais_low": -9.0}
    for name, value in limits.items():
        values |= {name: ds["diverged_at"].fillna(value), f"heldout_{name}": ds["diverged_at"].fillna(value - 1)}
    frame = TABLE.frame(xr.DataTree.from_dict({"/": tree.to_dataset(), "vae3": ds.assign(values)}))
    assert (frame["likelihood_by"] == "forward AIS").all()
    assert frame.loc[0, ["log_likelihood", "log_likelihood_low", "log_likelihood_high"]].tolist() == [-7.0, -9.0, -6.5]
    assert frame.loc[0, "heldout_log_likelihood"] == -8.0
    assert words.display(TABLE, frame).loc[0, "log-likelihood (nats)"] == "-7.0 [-9.0, -6.5]"


def test_each_cell_has_the_best_that_it_has(tree):
    """Small machines have an exact likelihood, large ones of the same study an estimate."""
    ds = tree["vae3"].to_dataset()
    ends = ("forward_ais", "forward_ais_high", "reverse_ais", "reverse_ais_low")
    values = {f"{prefix}{end}": ds["diverged_at"].fillna(-7.0) for prefix in ("", "heldout_") for end in ends}
    small = ds["elbo"].where(ds["latent_dim"] == 2)
    values |= {"log_likelihood": small, "heldout_log_likelihood": small}
    frame = TABLE.frame(xr.DataTree.from_dict({"/": tree.to_dataset(), "vae3": ds.assign(values)}))
    assert (frame["likelihood_by"] == frame["latent_dim"].map({2: "exact", 4: "forward AIS"})).all()
    assert frame["log_likelihood"].notnull().all()


def test_intervals_are_those_of_the_runs(frame, tree):
    runs = tree["vae1"].to_dataset().sel(dataset="pca", latent_dim=2).isel(step=-1)
    want = statistics.interval(runs["gap"])
    got = row(frame, model="vae1", dataset="pca", latent_dim=2)
    assert (got["gap_low"], got["gap_high"]) == (want["low"], want["high"])


def test_left_out_runs_are_counted(frame):
    flawed = row(frame, model="vae0", dataset="pca", latent_dim=2)
    assert (flawed["runs"], flawed["diverged"], flawed["missing"]) == (7, 1, 0)
    assert abs(flawed["elbo"]) < 100
    empty = row(frame, model="vae0", dataset="digits", latent_dim=4)
    assert (empty["runs"], empty["diverged"], empty["missing"]) == (0, 0, 8)
    assert np.isnan(empty["elbo"])
    assert (frame["runs"] + frame["diverged"] + frame["missing"] == 8).all()


def test_runs_of_mixtures_with_unused_components_are_counted(tree):
    """Two of eight runs: one has an empty component, in one all are alike; other models have no number."""
    ds = tree["vae3"].to_dataset()
    number = xr.DataArray(range(8), dims="seed", coords={"seed": ds["seed"]})
    of_runs = xr.zeros_like(ds["observed_dim"])
    ds = ds.assign(empty_components=of_runs + (number == 1), used_components=of_runs + xr.where(number == 4, 1.0, 2.5))
    frame = TABLE.frame(xr.DataTree.from_dict({"/": tree.to_dataset(), "vae3": ds, "vae1": tree["vae1"]}))
    assert (frame.loc[frame["model"] == "vae3", "unused"] == 2).all()
    assert frame.loc[frame["model"] == "vae1", "unused"].isna().all()


def test_a_further_axis_is_a_column():
    axes = {**AXES, "learning_rate": [0.001, 0.01], "seed": [0]}
    frame = TABLE.frame(example_tree(axes, ["vae1"]))
    assert len(frame) == 8
    assert set(frame["learning_rate"]) == {0.001, 0.01}
    assert frame["elbo_low"].isna().all()
    assert "learning rate" in words.display(TABLE, frame).columns


def test_a_setting_that_a_model_lacks_is_empty():
    axes = {"dataset": ["pca"], "latent_dim": [2], "learning_rate": [0.001, 0.01], "seed": [0]}
    tree = example_tree(axes, ["vae0", "vae1"])
    fixed = tree["vae0"].to_dataset().isel(learning_rate=0, drop=True)
    tree = type(tree).from_dict({"/": tree.to_dataset(), "vae0": fixed, "vae1": tree["vae1"].to_dataset()})
    frame = TABLE.frame(tree)
    assert frame["learning_rate"].tolist() == [pytest.approx(np.nan, nan_ok=True), 0.001, 0.01]
    assert words.display(TABLE, frame)["learning rate"].tolist() == ["–", "0.001", "0.01"]


def test_a_quantity_that_is_declared_with_a_text_for_the_end_is_a_column(tree, monkeypatch):
    """Recorded once or at every step; files that lack it have the other columns."""
    declared = [
        Quantity("sharpness", "largest curvature", "nats", ("step",), Shown(at_end="curvature", digits=3)),
        Quantity("lag", "autocorrelation time", "1", (), Shown("lag of chains", at_end="time", compared=True)),
    ]
    monkeypatch.setitem(QUANTITIES, "sharpness", declared[0])
    monkeypatch.setitem(QUANTITIES, "lag", declared[1])
    monkeypatch.setattr(quantities, "SHOWN", (*SHOWN, *declared))
    module = importlib.reload(final)
    try:
        ds = tree["vae3"].to_dataset()
        ds = ds.assign(sharpness=2 * ds["elbo"], lag=3 * ds["observed_dim"])
        frame = module.TABLE.frame(xr.DataTree.from_dict({"/": tree.to_dataset(), "vae3": ds}))
        text = words.display(module.TABLE, frame)
        assert frame.loc[0, "sharpness"] == pytest.approx(2 * frame.loc[0, "elbo"])
        assert (frame.loc[0, "lag"], frame.loc[0, "lag_low"]) == (30, 30)
        assert {"sharpness (nats)", "lag of chains"} <= set(text.columns)
        assert "lag" in module.TABLE.compared
        assert list(module.TABLE.frame(tree).columns) == list(TABLE.frame(tree).columns)
    finally:
        monkeypatch.undo()
        importlib.reload(final)
