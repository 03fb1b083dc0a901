"""The workflow run for real on a tiny grid: changed files, failures, interruptions, mistakes; nothing is lost."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import xarray as xr

from entropy_sums.progress import INTERRUPTED, Progress
from workspace import untimed


def test_a_changed_file_of_the_user_is_read_again(workspace):
    points = np.random.default_rng(0).normal(size=(80, 3))
    np.save(workspace.folder / "mine.npy", points)
    workspace.study["axes"] |= {"dataset": ["array"], "model": ["vae1"]}
    workspace.study["settings"] = {"path": "mine.npy", "encoder_width": 5, "decoder_width": 5}
    workspace.run("results/tiny/traces.nc")
    assert "data" not in workspace.wanted()
    np.save(workspace.folder / "mine.npy", points + 1)
    assert {"data", "train"} <= set(workspace.wanted())


def test_what_is_finished_stays_usable_when_a_job_fails(workspace):
    """The size of a user's own file is known to the job alone."""
    workspace.read_from_a_file()
    workspace.study["overrides"] = [{"when": {"model": "vae0"}, "set": {"batch_size": 100}}]
    printed = workspace.run(check=False)
    assert "--partial" in printed
    assert (
        "batch_size: 100 is more than the 60 training points"
        in (workspace.results / "logs/train/vae0/array/seed=0-2.log").read_text()
    )
    assert (workspace.results / "runs/vae1/array/seed=0-2.nc").exists()
    collect = [sys.executable, "-m", "entropy_sums.cli", "collect", "study.yaml", "--partial"]
    subprocess.run(collect, cwd=workspace.folder, env=workspace.environment(), check=True, capture_output=True)
    assert list(xr.open_datatree(workspace.results / "traces.nc").children) == ["vae1"]
    for command in (["figure", "traces_array"], ["tables"]):
        whole = [sys.executable, "-m", "entropy_sums.cli", *command, str(workspace.results / "traces.nc")]
        subprocess.run(whole, cwd=workspace.folder, env=workspace.environment(), check=True, capture_output=True)
    del workspace.study["overrides"]
    assert workspace.wanted()["train"] == {"vae0/array/seed=0-2"}


def test_what_cannot_be_ends_before_anything_runs(workspace):
    """Or is left out, where the study says so."""
    workspace.study["overrides"] = [{"when": {"model": "vae0"}, "set": {"batch_size": 100}}]
    printed = workspace.run(check=False)
    reason = "training.phases.0.batch_size: 100 is more than the 60 training points; lower it or write full (vae0/pca)"
    assert f"study.yaml: {reason}" in printed
    assert "study.yaml: fit: 1 of 2 cells cannot be; `fit: skip` leaves them out" in printed
    assert not workspace.results.exists()
    workspace.study["fit"] = "skip"
    printed = workspace.run("--dry-run")
    assert printed.count(f"study.yaml: fit: left out, {reason}") == 1
    assert workspace.wanted()["train"] == {"vae1/pca/seed=0-2"}


def test_mistakes_end_before_anything_runs(workspace):
    workspace.study["axes"]["model"] = ["vea1"]
    printed = workspace.run(check=False)
    assert "study.yaml" in printed
    assert "did you mean 'vae1'?" in printed
    assert not workspace.results.exists()


def test_config_overrides_are_refused(workspace):
    for change in ("study=other", "pack={size: 4}"):
        assert "is not read, only size is" in workspace.run("--config", change, check=False)


def test_another_size_has_a_folder_of_its_own(workspace):
    workspace.study["sizes"] = {"smaller": {"axes": {"model": ["vae1"], "seed": [0]}, "figures": ["traces"]}}
    workspace.run("--config", "size=smaller")
    folder = workspace.folder / "results" / "tiny-smaller"
    assert [path.name for path in folder.glob("runs/vae1/pca/*.nc")] == ["seed=0.nc"]
    assert "Size of the study: smaller." in (folder / "figures" / "traces_pca.txt").read_text()
    assert not workspace.results.exists()
    assert "did you mean 'smaller'" in workspace.run("--config", "size=smallest", check=False)


def train_command(space):
    return [sys.executable, "-m", "entropy_sums.cli", "train", "study.yaml", "vae1/pca/seed=0-2"]


@pytest.fixture
def long(workspace):
    """A job of a few seconds, with a checkpoint at every recorded step."""
    workspace.study["training"]["phases"] = [
        {"steps": 1500, "learning_rate": 1e-2, "schedule": "cosine", "batch_size": 20},
        {"steps": 100, "learning_rate": 1e-3, "schedule": "cosine", "batch_size": "full"},
    ]
    workspace.run("--dry-run")
    return workspace


def start(space, *arguments):
    """Start a training that says what it does in stderr.txt."""
    command = [*train_command(space), *arguments]
    with (space.folder / "stderr.txt").open("w") as said:
        return subprocess.Popen(command, cwd=space.folder, env=space.environment(), stderr=said)


def said(space):
    return (space.folder / "stderr.txt").read_text()


def trace(space, name="t.nc"):
    return untimed(space.folder / name)


def test_killed_at_any_moment_it_ends_with_the_same_trace(long):
    """kill -9 again and again, at random moments, until the job gets through."""
    assert start(long, "--output", "undisturbed.nc").wait() == 0
    moments = np.random.default_rng(0).uniform(0.0, 1.5, size=6)
    checkpoint = long.folder / "t.checkpoint"
    for moment in moments:
        process = start(long, "--output", "t.nc", "--checkpoint-seconds", "0")
        patience = time.monotonic() + 60
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        while not (checkpoint.exists() and checkpoint.stat().st_mtime_ns > before) and process.poll() is None:
            assert time.monotonic() < patience
            time.sleep(0.01)
        time.sleep(moment)
        process.kill()
        process.wait()
    assert checkpoint.exists() or (long.folder / "t.nc").exists()
    assert start(long, "--output", "t.nc").wait() == 0
    xr.testing.assert_identical(trace(long), trace(long, "undisturbed.nc"))
    assert not checkpoint.exists()
    assert not list(long.folder.glob("*.progress"))


def test_sigterm_saves_and_the_next_start_goes_on(long):
    process = start(long, "--output", "t.nc")
    while "step 0/1600" not in said(long):
        assert process.poll() is None, said(long)
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 143
    assert "the same command goes on" in said(long)
    assert (long.folder / "t.checkpoint").exists()
    assert Progress.read(long.folder / "t.progress").state == INTERRUPTED
    assert not (long.folder / "t.nc").exists()
    assert start(long, "--output", "t.nc").wait() == 0
    assert start(long, "--output", "undisturbed.nc").wait() == 0
    xr.testing.assert_identical(trace(long), trace(long, "undisturbed.nc"))


def test_two_writers_of_one_trace_are_harmless(long):
    writers = [start(long, "--output", "t.nc", "--checkpoint-seconds", "0") for _ in range(2)]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert start(long, "--output", "undisturbed.nc").wait() == 0
    xr.testing.assert_identical(trace(long), trace(long, "undisturbed.nc"))


def test_a_planned_identity_that_changed_is_refused(long):
    process = start(long, "--identity", "0123456789abcdef")
    assert process.wait() == 2
    assert "the study file, or the software, changed meanwhile" in said(long)
