"""Progress: a file as long as the job has no trace, a bar on a terminal, plain lines in a log."""

import json
import math
import os
import sys
import time

import numpy as np
import pytest

from entropy_sums import progress
from entropy_sums.progress import FAILED, INTERRUPTED, RUNNING, Progress, Reporter
from entropy_sums.study.grid import Grid
from entropy_sums.study.schema import Study
from entropy_sums.training.pack import Interrupted, Pack
from entropy_sums.training.replica import Replica

POINTS = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)


class Run:
    """A job of two runs and 8 steps, and where it writes."""

    def __init__(self, folder, model="linear_vae", **phase):
        training = {"phases": [{"steps": 8, "batch_size": 10, **phase}], "evaluation": {"every": 4, "samples": 2}}
        axes = {"model": [model], "dataset": ["pca"], "seed": [0, 1]}
        (self.job,) = Grid(Study.model_validate({"study": "a", "axes": axes, "training": training})).jobs.values()
        self.trace, self.path = folder / "rate=0.1,seed=0.nc", folder / "rate=0.1,seed=0.progress"

    def __call__(self):
        """Train; what the file said at the beginning and after every observation."""
        replicas = [Replica(run.seed, run.model_settings, run.training) for run in self.job.runs]
        pack = Pack(replicas, POINTS, POINTS)
        with Reporter(self.job, self.trace) as reporter:
            told = [Progress.read(self.path)]

            def observe(pack):
                reporter.observe(pack)
                told.append(Progress.read(self.path))

            pack.run(observe)
        return told


def test_the_file_follows_and_goes_with_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN", 0.0)
    run = Run(tmp_path)
    told = run()
    assert list(tmp_path.iterdir()) == []
    for said in told:
        assert (said.job, said.identity, said.pid) == (run.job.name, run.job.identity, os.getpid())
        assert (said.state, said.steps, said.diverged) == (RUNNING, 8, 0)
    assert [said.step for said in told] == [0, 0, 1, 2, 4, 8]
    assert [said.seconds for said in told] == sorted(said.seconds for said in told)
    assert (told[0].elbo, told[0].gap) == (None, None)
    assert all(math.isfinite(said.elbo) and said.gap >= 0 for said in told[1:])


def test_it_is_written_now_and_then_and_at_the_last_step(tmp_path, capsys):
    assert [said.step for said in Run(tmp_path)()] == [0, 0, 0, 0, 0, 8]
    assert [line.split(", ")[0] for line in capsys.readouterr().err.splitlines()] == [
        f"linear_vae/pca/seed=0-1: step {step}/8" for step in (0, 8)
    ]


@pytest.mark.parametrize(
    ("error", "state"),
    [(Interrupted("stopped"), INTERRUPTED), (KeyboardInterrupt(), INTERRUPTED)]
    + [(kind("no"), FAILED) for kind in (ValueError, OSError, ImportError, MemoryError)],
)
def test_it_stays_after_an_error_and_says_so(tmp_path, error, state):
    run = Run(tmp_path)
    with pytest.raises(type(error)), Reporter(run.job, run.trace):
        raise error
    assert list(tmp_path.iterdir()) == [run.path]
    assert Progress.read(run.path).state == state
    run()
    assert not run.path.exists()


def test_the_error_is_told_where_no_file_can_be_written(tmp_path, monkeypatch):
    run = Run(tmp_path)

    def full(*_):
        raise OSError("no space left")

    def fail():
        monkeypatch.setattr(Progress, "write", full)
        raise ValueError("the first")

    with pytest.raises(ValueError, match="the first"), Reporter(run.job, run.trace):
        fail()


def test_it_is_plain_json(tmp_path):
    """Also where no number is finite, for which JSON has no word."""
    said = Progress("a", "0f", "2026-11-30T12:00:00+00:00", "node7", 12, RUNNING, 20, 40, elbo=None, diverged=2)
    said.write(tmp_path / "a.progress")
    assert json.loads((tmp_path / "a.progress").read_text()) == {
        "job": "a",
        "identity": "0f",
        "started": "2026-11-30T12:00:00+00:00",
        "host": "node7",
        "pid": 12,
        "state": "running",
        "step": 20,
        "steps": 40,
        "seconds": 0.0,
        "elbo": None,
        "gap": None,
        "diverged": 2,
    }


def test_plain_lines_in_a_log(tmp_path, capsys):
    Run(tmp_path)()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("linear_vae/pca/seed=0-1: step 0/8, 0 s, median elbo -")
    assert lines[-1].startswith("linear_vae/pca/seed=0-1: step 8/8")
    assert all(line.isprintable() for line in lines)


def test_a_bar_on_a_terminal(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    told = Run(tmp_path)()
    said = capsys.readouterr().err
    assert "linear_vae/pca/seed=0-1" in said
    assert "8/8" in said
    assert "step 8/8" not in said
    assert told[-1].step == 8


def test_divergence_is_told(tmp_path, capsys):
    told = Run(tmp_path, "vae1", learning_rate=1e30)()
    assert "2 diverged" in capsys.readouterr().err
    assert told[-1].diverged == 2


def test_its_time_is_that_of_its_writing(tmp_path):
    """By which `status` tells whether a job is alive."""
    run = Run(tmp_path)
    with Reporter(run.job, run.trace):
        assert abs(run.path.stat().st_mtime - time.time()) < 60
