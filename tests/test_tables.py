import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from entropy_sums.tables import final, selection, subsets, words, write
from example import AXES, example_tree, streaming


@pytest.fixture(scope="module")
def tree():
    return example_tree()


@pytest.fixture(scope="module")
def frame(tree):
    return final.final_table(tree)


def row(frame, **cell):
    chosen = frame[np.logical_and.reduce([frame[axis] == value for axis, value in cell.items()])]
    assert len(chosen) == 1
    return chosen.iloc[0]


def test_a_row_per_cell_in_order(frame):
    assert len(frame) == 4 * 2 * 2
    assert list(frame.columns[:6]) == ["model", "dataset", "latent_dim", "runs", "diverged", "missing"]
    assert set(final.COLUMNS) <= set(frame.columns)


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
    without = final.final_table(xr.DataTree.from_dict({"/": tree.to_dataset(), **groups}))
    assert not {"certified", "predicted_gap"} & set(without.columns)
    assert {"certified", "predicted gap (nats)"} <= set(words.display(frame).columns)


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
    assert f"{known:.4g}" in words.display(frame)[words.HEADINGS["true_log_likelihood"]].tolist()


def test_annealing_spans_both_ways(tree):
    ds, values = tree["vae3"].to_dataset(), {}
    limits = {"forward_ais": -7.0, "forward_ais_high": -6.5, "reverse_ais": -8.0, "reverse_ais_low": -9.0}
    for name, value in limits.items():
        values |= {name: ds["diverged_at"].fillna(value), f"heldout_{name}": ds["diverged_at"].fillna(value - 1)}
    frame = final.final_table(xr.DataTree.from_dict({"/": tree.to_dataset(), "vae3": ds.assign(values)}))
    assert (frame["likelihood_by"] == "forward AIS").all()
    assert frame.loc[0, ["log_likelihood", "log_likelihood_low", "log_likelihood_high"]].tolist() == [-7.0, -9.0, -6.5]
    assert frame.loc[0, "heldout_log_likelihood"] == -8.0
    assert words.display(frame).loc[0, "log-likelihood (nats)"] == "-7.0 [-9.0, -6.5]"


def test_each_cell_has_the_best_that_it_has(tree):
    """Small machines have an exact likelihood, large ones of the same study an estimate."""
    ds = tree["vae3"].to_dataset()
    ends = ("forward_ais", "forward_ais_high", "reverse_ais", "reverse_ais_low")
    values = {f"{prefix}{end}": ds["diverged_at"].fillna(-7.0) for prefix in ("", "heldout_") for end in ends}
    small = ds["elbo"].where(ds["latent_dim"] == 2)
    values |= {"log_likelihood": small, "heldout_log_likelihood": small}
    frame = final.final_table(xr.DataTree.from_dict({"/": tree.to_dataset(), "vae3": ds.assign(values)}))
    assert (frame["likelihood_by"] == frame["latent_dim"].map({2: "exact", 4: "forward AIS"})).all()
    assert frame["log_likelihood"].notnull().all()


def test_intervals_are_those_of_scipy(frame, tree):
    runs = tree["vae1"].to_dataset().sel(dataset="pca", latent_dim=2).isel(step=-1)
    want = stats.bootstrap(
        (runs["gap"].values,), np.median, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    got = row(frame, model="vae1", dataset="pca", latent_dim=2)
    assert (got["gap_low"], got["gap_high"]) == (want.low, want.high)


def test_left_out_runs_are_counted(frame):
    flawed = row(frame, model="vae0", dataset="pca", latent_dim=2)
    assert (flawed["runs"], flawed["diverged"], flawed["missing"]) == (7, 1, 0)
    assert abs(flawed["elbo"]) < 100
    empty = row(frame, model="vae0", dataset="digits", latent_dim=4)
    assert (empty["runs"], empty["diverged"], empty["missing"]) == (0, 0, 8)
    assert np.isnan(empty["elbo"])
    assert (frame["runs"] + frame["diverged"] + frame["missing"] == 8).all()


def test_a_further_axis_is_a_column():
    axes = {**AXES, "learning_rate": [0.001, 0.01], "seed": [0]}
    frame = final.final_table(example_tree(axes, ["vae1"]))
    assert len(frame) == 8
    assert set(frame["learning_rate"]) == {0.001, 0.01}
    assert frame["elbo_low"].isna().all()
    assert "learning rate" in words.display(frame).columns


def test_a_setting_that_a_model_lacks_is_empty():
    axes = {"dataset": ["pca"], "latent_dim": [2], "learning_rate": [0.001, 0.01], "seed": [0]}
    tree = example_tree(axes, ["vae0", "vae1"])
    fixed = tree["vae0"].to_dataset().isel(learning_rate=0, drop=True)
    tree = type(tree).from_dict({"/": tree.to_dataset(), "vae0": fixed, "vae1": tree["vae1"].to_dataset()})
    frame = final.final_table(tree)
    assert frame["learning_rate"].tolist() == [pytest.approx(np.nan, nan_ok=True), 0.001, 0.01]
    assert words.display(frame)["learning rate"].tolist() == ["–", "0.001", "0.01"]


def test_estimates_from_subsets(tree):
    table = subsets.subsets_table(tree)
    runs = tree["vae1"].to_dataset().sel(dataset="digits", latent_dim=4)
    got = row(table, model="vae1", dataset="digits", latent_dim=4, subset=100)
    for name in ("elbo", "entropy_sum"):
        estimates = runs[f"subset_{name}"].sel(subset=100).transpose("seed", "estimate").values
        assert got[name] == pytest.approx(np.median(estimates.mean(1)))
        assert got[f"{name}_std"] == pytest.approx(np.median(estimates.std(1, ddof=1)))
    assert set(subsets.SUBSETS) <= set(table.columns)
    assert (row(table, model="vae0", dataset="pca", latent_dim=2, subset=10)["runs"], len(table)) == (7, 14 * 3)
    text = words.latex(table)
    assert "held-out points" in text
    assert " (" in text


def test_model_selection():
    table = selection.selection_table(streaming())
    assert set(selection.SELECTION) <= set(table.columns)
    assert table["runs"].tolist() == [4] * 9
    assert table.loc[table["lowest"] == "both", ["segment", "latent_dim"]].values.tolist() == [[1, 6], [2, 2], [3, 4]]
    assert set(table["lowest"]) == {"both", "neither"}
    assert table["std_ratio"].between(8, 25).all()
    ds = streaming()["linearvae"].to_dataset()
    end = ds["batch_elbo"].sel(dataset="stream", latent_dim=2).isel(batch=slice(200, 400))
    got = row(table, segment=1, latent_dim=2)
    assert got["elbo"] == pytest.approx(end.mean("batch").median("seed").item())
    assert got["bic_elbo_std"] == pytest.approx(20 * end.std("batch", ddof=1).median("seed").item())
    assert "BIC by entropy sum (nats)" in words.latex(table)


def test_the_lowest_of_each_estimate():
    tree = streaming()
    ds = tree["linearvae"].to_dataset().copy(deep=True)
    ds["batch_entropy_sum"][{"latent_dim": 0}] += 50
    table = selection.selection_table(type(tree).from_dict({"/": tree.to_dataset(), "linearvae": ds}))
    assert row(table, segment=1, latent_dim=2)["lowest"] == "entropy_sum"
    assert row(table, segment=1, latent_dim=6)["lowest"] == "elbo"
    assert row(table, segment=2, latent_dim=2)["lowest"] == "both"


def test_tables_without_rows_have_columns(tmp_path):
    groups = {"vae1": example_tree({"dataset": ["pca"], "latent_dim": [2], "seed": [0]}, ["vae1"])["vae1"].to_dataset()}
    groups["vae1"] = groups["vae1"].drop_vars([name for name in groups["vae1"] if name.startswith("subset_")])
    plain = xr.DataTree.from_dict({"/": example_tree().to_dataset(), **groups})
    for make, columns in ((subsets.subsets_table, subsets.SUBSETS), (selection.selection_table, selection.SELECTION)):
        empty = make(plain)
        assert len(empty) == 0
        write.write(empty, tmp_path / "empty")
        assert pd.read_csv(tmp_path / "empty.csv").columns.tolist() == ["model", "dataset", *columns]


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((-9.2103, 0.0523), "-9.210 (0.052)"),
        ((324.66, 14.63), "325 (15)"),
        ((1234.5, 321.0), "1234 (321)"),
        ((-0.001, 0.3), "0.00 (0.30)"),
        ((2.0, 0.0), "2 (0)"),
        ((2.0, np.nan), "2 (nan)"),
        ((np.nan, 1.0), "–"),
    ],
)
def test_with_a_standard_deviation(numbers, text):
    assert words.with_spread(*numbers) == text


def test_csv_keeps_every_digit(frame, tmp_path):
    write.write(frame, tmp_path / "tables" / "final.v1")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "tables" / "final.v1.csv"), frame)


def test_latex(frame):
    frame = frame.assign(dataset=frame["dataset"].replace("pca", "my&data_set"))
    text = words.latex(frame)
    lines = text.splitlines()
    assert [line for line in lines if "rule" in line] == ["\\toprule", "\\midrule", "\\bottomrule"]
    assert "my\\&data set" in text
    assert "gap (\\%)" in text
    assert "_" not in text.replace("\\_", "")
    body = lines[lines.index("\\midrule") + 1 : -2]
    assert len(body) == 16
    assert all(line.count(" & ") == len(words.display(frame).columns) - 1 for line in body)
    assert all(line.count("$") % 2 == 0 for line in body)
    assert "$-$50.30 [$-$50.44, $-$50.08]" in body[2]
    assert body[3].startswith("linear VAE & digits & 4 & 0 & 0 & 8 & -- & --")


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((-12.3456, -12.4111, -12.3001), "-12.35 [-12.41, -12.30]"),
        ((1234.5, 1100.0, 1400.0), "1230 [1100, 1400]"),
        ((-0.001, -0.02, 0.3), "0.00 [-0.02, 0.30]"),
        ((-1.23e-5, -1.5e-5, 1.3e-5), "(-1.2 [-1.5, 1.3])e-5"),
        ((2.0, 2.0, 2.0), "2"),
        ((-3.14159, np.nan, np.nan), "-3.142"),
        ((np.nan, np.nan, np.nan), "–"),
    ],
)
def test_rounded_to_the_precision_of_the_interval(numbers, text):
    assert words.rounded(*numbers) == text


def test_small_numbers_in_latex():
    assert words._mathematics("(-1.2 [-1.5, 1.3])e-5") == "($-$1.2 [$-$1.5, 1.3])$\\times10^{-5}$"
    assert words._mathematics("1e-05") == "1$\\times10^{-5}$"
