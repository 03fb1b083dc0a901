"""Progress: a bar on a terminal, plain lines in a log."""

import sys

import numpy as np
from entropy_sums.training.trace import Replica

from entropy_sums.models import MODELS
from entropy_sums.progress import Reporter
from entropy_sums.training.pack import Pack
from entropy_sums.training.replica import Replica
from entropy_sums.training.settings import TrainingSettings

POINTS = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
TRAINING = TrainingSettings(phases=[{"steps": 8, "batch_size": 10}], evaluation={"every": 4, "samples": 2})


def run():
    pack = Pack([Replica(0, MODELS["linear_vae"](), TRAINING)], POINTS, POINTS)
    with Reporter("the job", 1, 8) as reporter:
        pack.run(reporter.observe)


def test_plain_lines_in_a_log(capsys):
    run()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("the job: step 0/8, 0 s, median elbo -")
    assert lines[-1].startswith("the job: step 8/8")
    assert all(line.isprintable() for line in lines)


def test_a_bar_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    run()
    said = capsys.readouterr().err
    assert "the job" in said
    assert "8/8" in said
    assert "step 8/8" not in said


def test_divergence_is_told(capsys):
    phases = [{"steps": 8, "batch_size": 10, "learning_rate": 1e30}]
    training = TrainingSettings(phases=phases, evaluation={"every": 4, "samples": 2})
    pack = Pack([Replica(0, MODELS["vae1"](), training)], POINTS, POINTS)
    with Reporter("wild", 1, 8) as reporter:
        pack.run(reporter.observe)
    assert "1 diverged" in capsys.readouterr().err
