"""The plan: what is printed, and a forecast that grows with the work."""

import re
import subprocess
import sys

import pytest

from entropy_sums.study.plan import (
    GIGABYTES_PER_CORE,
    MEGABYTES_OF_PYTHON,
    MEGABYTES_OF_SNAKEMAKE,
    MINUTES_AT_LEAST,
    TARGET_SECONDS,
    as_text,
    cost,
    request_megabytes,
    request_minutes,
)

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
ONE = "study: a\naxes: {model: [vae1], dataset: [%s], seed: {count: %d}}\nsettings: {%s}\npack: {size: %d}\n"


@pytest.fixture
def job(load):
    """The one job of a study of one dataset."""

    def job(count=4, settings="", dataset="pca"):
        (job,) = load(ONE % (dataset, count, settings, count)).jobs.values()
        return job

    return job


def test_plan_counts_runs_and_jobs_and_names_axes(load, tmp_path):
    lines = as_text(load(STUDY % 12)).splitlines()
    assert lines[0] == f"study small ({tmp_path / 'study.yaml'})"
    assert "  axis learning_rate: 0.001, 0.01" in lines
    assert "  axis seed: 0, 1, …, 11 (12 values)" in lines
    # linear_vae: 2 datasets × 2 rates; vae1: 3 cells × 2 rates; × 12 seeds; one job per cell and side of the default
    assert f"  {(2 * 2 + 3 * 2) * 12} runs in 10 jobs, at most 12 replicas each" in lines
    assert "  axis encoder_width does not apply to: linear_vae" in lines
    assert not any("size unknown" in line for line in lines)


def test_packs_of_different_sizes_are_counted(load):
    assert "18 runs in 3 jobs, at most 8 replicas each (2 × 8, 1 × 2)" in as_text(load(ONE % ("pca", 18, "", 8)))


def test_cells_are_listed(load):
    grid = load(STUDY % 2)
    lines = as_text(grid, cells=True).splitlines()
    listed = [line.split(": ")[0].strip() for line in lines if " runs, " in line]
    assert listed == list(grid.jobs)


def test_blocks_are_listed_with_their_cells(load):
    """A cell that two of them have counts in both."""
    text = """\
study: a
axes: {dataset: [pca], seed: {count: 9}}
grids:
  - {model: [vae1, vae2], latent_dim: 4, vary: {beta: [0.5, 2]}}
  - {model: vae1, latent_dim: 4, seed: {count: 10}}
  - {model: vae0, with: {steps: 5, decoder_std: 0.1}}
"""
    lines = as_text(load(text)).splitlines()
    start = next(i for i, line in enumerate(lines) if "grids.0" in line)
    assert lines[start : start + 4] == [
        "  grids.0: 6 cells: model vae1, vae2; latent_dim 4; vary beta 0.5, 2.0",
        "  grids.1: 1 cell: model vae1; latent_dim 4; seed 0, 1, …, 9 (10 values)",
        "  grids.2: 1 cell: model vae0; with steps 5; with decoder_std 0.1",
        f"  {6 * 9 + 1 + 9} runs in 7 jobs, at most 16 replicas each (2 × 16, 1 × 10, 2 × 9, 2 × 2)",
    ]
    assert "  axis latent_dim: 4, 2" in lines
    assert "  axis beta: 1.0, 0.5, 2.0" in lines


def test_what_is_excluded_altogether_is_not_said_to_lack_axes(load):
    text = as_text(load("study: a\naxes: {model: [vae0, vae1], dataset: [pca], seed: [0]}\nexclude: [{model: vae0}]\n"))
    assert "does not apply" not in text


def test_a_dataset_of_unknown_size_is_named(load):
    text = as_text(load("study: a\naxes: {model: [vae1], dataset: [array], path: [x.npy], seed: [0]}\n"))
    assert "size unknown before it is loaded" in text


def test_hours_and_gigabytes_are_the_sums_over_jobs_and_data_files(load):
    grid = load(ONE % ("mnist", 16, "steps: 100000, encoder_width: 500", 8))
    costs = [cost(job) for job in grid.jobs.values()]
    text = as_text(grid)
    printed = re.search(r"([\d,]+) core-hours .* or ([\d.]+) GPU-hours", text)
    assert printed is not None
    assert float(printed[1].replace(",", "")) == pytest.approx(sum(c.seconds for c in costs) / 3600, rel=0.02)
    assert float(printed[2]) == pytest.approx(sum(c.gpu_seconds for c in costs) / 3600, rel=0.06)
    # Two jobs share one data file: 90,000 images of 784 pixels in float32
    assert "282.2 MB of data" in text


@pytest.mark.parametrize(
    "more", ["steps: 4000", "encoder_width: 500", "train: 5000", "training.evaluation.samples: 40", "every: 20"]
)
def test_time_grows_with_the_work(job, more):
    assert cost(job(4)).seconds < cost(job(16)).seconds
    for device in ("seconds", "gpu_seconds"):
        assert getattr(cost(job(4)), device) < getattr(cost(job(4, more)), device)


def test_samples_that_are_averaged_cost_less(job):
    averaged = "dim: 200, batch_size: full, training.phases.0.samples: "
    texts = averaged + "1", averaged + "9", f"output: sigmoid, {averaged}9"
    one, nine, nine_met = (cost(job(4, text)) for text in texts)
    for forecast in ("seconds", "megabytes"):
        assert getattr(one, forecast) < getattr(nine, forecast) < getattr(nine_met, forecast)


@pytest.mark.parametrize(
    "more",
    ["encoder_width: 500", "batch_size: full, training.phases.0.samples: 9", "train: 5000", "precision: float64"],
)
def test_memory_grows_with_the_sizes(job, more):
    assert cost(job(4)).megabytes < cost(job(16)).megabytes
    assert cost(job(4)).megabytes < cost(job(4, more)).megabytes


def test_an_evaluation_is_done_in_chunks(job):
    few, many = (cost(job(16, f"train: {points}, dim: 100, latent_dim: 1")).megabytes for points in (1_000, 100_000))
    # What is left to grow is the noise of all samples and the data, not the activations: they would be 10 GB
    assert many - few < 1000


def test_hidden_units_are_told_by_the_weights(job):
    settings = "encoder_width: 30, decoder_width: 30, encoder_depth: 3, decoder_depth: 1, latent_dim: 5"
    assert cost(job(1, settings))._units == pytest.approx(4 * 30)


PEAK_OF = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=sys.stderr)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is counted in other units elsewhere")
def test_memory_of_a_real_job(job, tmp_path):
    """Of a job that needs much more than Python and torch need by themselves."""
    run = "steps: 1, batch_size: full, every: 1, training.evaluation.samples: 2, train: 5000, test: 50"
    pack = job(32, run)
    study = str(tmp_path / "study.yaml")
    train = [sys.executable, "-m", "entropy_sums.cli", "train", study, pack.name, "--device", "cpu"]
    # From a small process: the peak of a child counts what its parent had when it was begun
    command = [sys.executable, "-c", PEAK_OF, *train]
    peak = int(subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, check=True).stdout) / 1024
    assert peak > 1.3 * MEGABYTES_OF_PYTHON
    assert 0.5 * peak < cost(pack).megabytes - MEGABYTES_OF_SNAKEMAKE < 1.5 * peak


def test_requests_grow_with_the_attempt_and_cover_the_forecast(job):
    small, large = job(1), job(64, "steps: 400000, encoder_width: 1000, decoder_width: 1000")
    for each in (small, large):
        minutes = [request_minutes(each, attempt) for attempt in (1, 2, 3)]
        megabytes = [request_megabytes(each, attempt) for attempt in (1, 2, 3)]
        assert minutes[0] < minutes[1] < minutes[2]
        assert megabytes[0] < megabytes[1] < megabytes[2]
        assert minutes[0] * 60 > 2 * cost(each).seconds
        assert megabytes[0] > cost(each).megabytes > MEGABYTES_OF_SNAKEMAKE
        assert {type(value) for value in minutes + megabytes} == {int}
        assert request_minutes(each, 20) == 4 * minutes[0]
        assert request_megabytes(each, 20) <= 4 * megabytes[0]
    assert request_minutes(small) == MINUTES_AT_LEAST


def suggestion(text):
    """The suggested pack size, and how many jobs it is said to make."""
    found = re.search(r"pack: \{size: (\d+)\} makes (\d+) jobs", text)
    assert found is not None, text
    return int(found[1]), int(found[2])


@pytest.mark.parametrize("pack", [1, 16])
def test_a_suggested_pack_size_makes_the_jobs_it_promises(load, pack):
    settings = "steps: 20000"
    size, jobs = suggestion(as_text(load(ONE % ("pca", 2000, settings, pack))))
    better = load(ONE % ("pca", 2000, settings, size))
    assert len(better.jobs) == jobs > 1
    assert cost(next(iter(better.jobs.values()))).seconds >= TARGET_SECONDS
    assert "jobs take about" not in as_text(better)


def test_a_suggestion_is_no_larger_than_the_runs_of_a_shape(load):
    axes = "axes: {model: [vae1], dataset: [pca], encoder_width: [10, 20, 30], seed: {count: 7}}"
    size, jobs = suggestion(as_text(load(f"study: a\n{axes}\npack: {{size: 2}}\n")))
    assert (size, jobs) == (8, 3)
    assert "no pack size does it" in as_text(load(f"study: a\n{axes}\npack: {{size: {size}}}\n"))


def test_one_job_needs_no_suggestion(load):
    assert "jobs take about" not in as_text(load(ONE % ("pca", 4, "", 4)))


def test_a_pack_beyond_the_memory_of_a_core_is_warned_of(load):
    settings = "encoder_width: 1000, decoder_width: 1000"
    text = as_text(load(ONE % ("mnist", 256, settings, 128)))
    found = re.search(r"warning: 2 jobs need more than the 4 GB .* pack: \{size: (\d+)\} keeps all below", text)
    assert found is not None, text
    fitting = load(ONE % ("mnist", 256, settings, int(found[1])))
    assert "warning" not in as_text(fitting)
    assert max(cost(job).megabytes for job in fitting.jobs.values()) > 1e3 * GIGABYTES_PER_CORE / 3


BRIEF = "steps: 1, every: 10000, final_samples: 2, train: 1000"
"""Settings of jobs that stay too short in any pack that fits into memory."""


def test_a_suggested_pack_stays_within_the_memory_of_a_core(load):
    text = as_text(load(ONE % ("mnist", 4000, BRIEF, 8)))
    size, _ = suggestion(text)
    assert "as far as the runs of one shape and memory go" in text
    assert "warning" not in as_text(load(ONE % ("mnist", 4000, BRIEF, size)))


def test_a_replica_beyond_the_memory_of_a_core_is_warned_of(load):
    text = as_text(load(ONE % ("mnist", 2, "encoder_width: 20000, decoder_width: 20000", 1)))
    assert "so does a single replica of some of them" in text
