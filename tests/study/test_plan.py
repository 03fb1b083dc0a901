"""The plan: what is printed, and a forecast that grows with the work."""

import pytest

from entropy_sums.study.plan import describe, seconds

STUDY = """\
study: small
axes:
  model: [linear_vae, vae1]
  dataset: [pca, digits]
  encoder_width: [20, 50]
  learning_rate: [1e-3, 1e-2]
  seed: {count: %d}
exclude: [{model: vae1, dataset: digits, encoder_width: 20}]
"""


def test_plan_counts_runs_and_jobs_and_names_axes(load, tmp_path):
    lines = describe(load(STUDY % 12)).splitlines()
    assert lines[0] == f"study small ({tmp_path / 'study.yaml'})"
    assert "  axis learning_rate: 0.001, 0.01" in lines
    assert "  axis seed: 0, 1, …, 11 (12 values)" in lines
    # linear_vae: 2 datasets × 2 rates; vae1: 3 cells × 2 rates; × 12 seeds; one job per cell and side of the default
    assert f"  {(2 * 2 + 3 * 2) * 12} runs in 10 jobs, at most 12 replicas each" in lines
    assert "  axis encoder_width does not apply to: linear_vae" in lines
    assert not any("size unknown" in line for line in lines)


def test_cells_are_listed(load):
    grid = load(STUDY % 2)
    lines = describe(grid, cells=True).splitlines()
    listed = [line.split(": ")[0].strip() for line in lines if " runs, " in line]
    assert listed == list(grid.jobs)


def test_what_is_excluded_altogether_is_not_said_to_lack_axes(load):
    text = describe(
        load("study: a\naxes: {model: [vae0, vae1], dataset: [pca], seed: [0]}\nexclude: [{model: vae0}]\n")
    )
    assert "does not apply" not in text


def test_a_dataset_of_unknown_size_is_named(load):
    text = describe(load("study: a\naxes: {model: [vae1], dataset: [array], path: [x.npy], seed: [0]}\n"))
    assert "size unknown before it is loaded" in text


@pytest.mark.parametrize(
    "more", ["steps: 4000", "encoder_width: 500", "train: 5000", "training.evaluation.samples: 40"]
)
def test_forecast_grows_with_the_work(load, more):
    text = "study: a\naxes: {model: [vae1], dataset: [pca], seed: {count: %d}}\nsettings: {%s}\n"

    def forecast(count, setting):
        (job,) = load(text % (count, setting)).jobs.values()
        return seconds(job)

    assert forecast(4, "") < forecast(16, "")
    assert forecast(4, "") < forecast(4, more)
