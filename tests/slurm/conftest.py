import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import xarray as xr
from cluster import Cluster, ClusterStudy, go_on, script, until


@pytest.fixture(scope="session")
def alone() -> Iterator[None]:
    """A machine has one private cluster: tests of another clone come to their end first. Released however we end."""
    with (Path(tempfile.gettempdir()) / f"entropy-sums-slurm-{os.getuid()}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"\nwaiting for the cluster tests of another clone ({lock.name})", file=sys.__stderr__, flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="module")
def cluster(alone, request) -> Iterator[Cluster]:
    """Up for one module at a time; its constant UP holds options of up.sh."""
    up = script("up.sh", "--for-tests", *getattr(request.module, "UP", []))
    if up.returncode == 3 and "REQUIRE_SLURM" not in os.environ:
        pytest.skip(up.stderr.strip())
    assert up.returncode == 0, up.stderr
    yield Cluster(Path(re.findall(r"\(folder (.*)\)", up.stdout)[0]))
    script("down.sh").check_returncode()


PHASES = [
    {"steps": 600, "learning_rate": 1e-2, "schedule": "cosine", "batch_size": 20},
    {"steps": 100, "learning_rate": 1e-3, "schedule": "cosine", "batch_size": "full"},
]


def some_seconds(folder: Path, models: list[str]) -> ClusterStudy:
    """A study with jobs of some seconds, each of which saves a checkpoint all the time."""
    study = ClusterStudy(folder)
    study.study["axes"]["model"] = models
    evaluation = {"every": 300, "samples": 2, "certificate": False}
    study.study["training"] = {"phases": PHASES, "evaluation": evaluation}
    study.variables["TRAIN_CHECKPOINT_SECONDS"] = "0.2"
    return study


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory) -> ClusterStudy:
    """Two jobs trained without a cluster."""
    study = some_seconds(tmp_path_factory.mktemp("undisturbed"), ["vae0", "vae1"])
    study.run("--until", "train", "--cores", "2")
    return study


@pytest.fixture(scope="session")
def reference(undisturbed) -> dict[str, xr.Dataset]:
    return undisturbed.traces()


@pytest.fixture
def studies(cluster, undisturbed, tmp_path) -> Iterator[Callable[[str], ClusterStudy]]:
    """Makes studies of one job, unless a test adds models, with their data. At the end nothing of them runs."""
    made = []

    def make(name: str) -> ClusterStudy:
        (tmp_path / name).mkdir()
        made.append(some_seconds(tmp_path / name, ["vae1"]))
        shutil.copytree(undisturbed.results / "data", made[-1].results / "data")
        return made[-1]

    yield make
    for study in made:
        for run in study.runs:
            if run.process.poll() is None:
                run.process.kill()
                run.process.wait()
        go_on(study.training())
    if queue := cluster.queue():
        subprocess.run(["scancel", *queue], check=False)
        until(lambda: not cluster.queue(), "empty queue")


@pytest.fixture
def study(studies) -> ClusterStudy:
    return studies("study")
