"""What up.sh does where a cluster is, or was."""

import os
import signal

import pytest
from cluster import Cluster, script

UP = ["--no-accounting"]


@pytest.fixture
def killed(cluster) -> Cluster:
    """The machine lost its power."""
    for file in (cluster.folder / "run").glob("*.pid"):
        cluster.kill(file.stem, signal.SIGKILL)
    return cluster


def daemons(cluster: Cluster) -> dict[str, int]:
    return {file.stem: int(file.read_text()) for file in (cluster.folder / "run").glob("*.pid")}


def test_what_killed_tests_left_is_cleared(cluster):
    before = daemons(cluster)
    again = script("up.sh", "--for-tests", *UP)
    assert again.returncode == 0, again.stderr
    assert "which a killed run left" in again.stdout
    after = daemons(cluster)
    assert before.keys() == after.keys() == {"munged", "slurmctld", "slurmd.n1", "slurmd.n2", "slurmd.n3"}
    assert not {*before.values()} & {*after.values()}


def test_a_cluster_without_daemons_is_cleared_by_anyone_and_one_at_work_by_none(killed):
    mine = script("up.sh", *UP)
    assert mine.returncode == 0, mine.stderr
    before = daemons(killed)
    for options in (UP, [*UP, "--for-tests"]):
        refused = script("up.sh", *options)
        assert refused.returncode == 3
        assert "a cluster is up (make slurm-down)" in refused.stderr
    assert daemons(killed) == before
    for pid in before.values():
        os.kill(pid, 0)


def test_a_cluster_without_its_controller_is_at_work(cluster):
    """It may be about to start, or to come back."""
    cluster.kill("slurmctld", signal.SIGKILL)
    refused = script("up.sh", *UP)
    assert refused.returncode == 3
    assert "a cluster is up (make slurm-down)" in refused.stderr


def test_unknown_option():
    refused = script("up.sh", "--gpu")
    assert refused.returncode == 2
    assert "unknown option --gpu" in refused.stderr
