import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import HERE, Cluster, ClusterStudy, until


@pytest.fixture(scope="module")
def cluster(request) -> Iterator[Cluster]:
    """Up for one module at a time; its constant UP holds options of up.sh."""
    up = subprocess.run([HERE / "up.sh", *getattr(request.module, "UP", [])], capture_output=True, text=True)
    if up.returncode == 3 and "REQUIRE_SLURM" not in os.environ:
        pytest.skip(up.stderr.strip())
    assert up.returncode == 0, up.stderr
    yield Cluster(Path(re.findall(r"\(folder (.*)\)", up.stdout)[0]))
    subprocess.run([HERE / "down.sh"], check=True)


@pytest.fixture
def study(cluster, tmp_path) -> Iterator[ClusterStudy]:
    """Two jobs of seconds. Afterwards nothing of it runs any more."""
    study = ClusterStudy(tmp_path)
    yield study
    for run in study.runs:
        if run.process.poll() is None:
            run.process.kill()
            run.process.wait()
    if queue := cluster.queue():
        subprocess.run(["scancel", *queue], check=False)
        until(lambda: not cluster.queue(), "empty queue")


LONG = [
    {"steps": 6000, "learning_rate": 1e-2, "schedule": "cosine", "batch_size": 20},
    {"steps": 200, "learning_rate": 1e-3, "schedule": "cosine", "batch_size": "full"},
]


@pytest.fixture
def long(study) -> ClusterStudy:
    """Two jobs of some seconds of training each, with checkpoints all the time."""
    study.study["training"] = {"phases": LONG, "evaluation": {"every": 500, "samples": 2}}
    study.variables["TRAIN_CHECKPOINT_SECONDS"] = "0.2"
    return study
