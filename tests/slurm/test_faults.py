"""What happens on clusters, provoked for real: nothing is lost, nothing is half-written, and the end is the same."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from cluster import ask, go_on, until


def test_time_limit(cluster, study, reference):
    """SLURM warns before the limit; training saves where it is, and the next attempt goes on with twice the time."""
    run = study.start("--until", "train", "--set-resources", "train:runtime=2 * attempt")
    # Seconds of training outlast minutes of a limit; SLURM wakes whom it warns
    (process,) = study.pause()
    assert ask("squeue", "--noheader", "--format=%l").strip() == "2:00"
    (job,) = cluster.queue()
    subprocess.run(["scontrol", "update", f"jobid={job}", "timelimit=1"], check=True)
    until(lambda: not Path(f"/proc/{process}").exists(), "SIGTERM from SLURM")
    said = run.ends()
    assert "the same command goes on from it" in said
    assert "runtime=4" in said
    assert len(study.calls()) == 2
    study.same_as(reference)


def test_a_warned_job_waits_for_its_checkpoint(cluster, study):
    """However long it takes to write: no shell and no Snakemake ends before training does."""
    run = study.start("--until", "train")
    processes = study.pause()
    subprocess.run(["scancel", "--signal=TERM", *cluster.queue()], check=True)
    time.sleep(5)
    assert study.training() == processes
    go_on(processes)
    until(lambda: "the same command goes on from it" in run.said, "last words")
    assert len(study.checkpoints()) == 1


def test_too_little_memory(study, reference):
    study.start("--until", "train", "--set-resources", "train:mem_mb=250 if attempt == 1 else 4000").ends()
    assert len(study.calls()) == 2
    study.same_as(reference)


def test_lost_node(cluster, study, reference):
    """A node that lost its daemon is given up, but training there goes on unseen: two write one output."""
    run = study.start("--until", "train")
    processes = study.pause()
    node = ask("squeue", "--noheader", "--format=%N").strip()
    cluster.kill(f"slurmd.{node}", signal.SIGKILL)
    until(lambda: "NODE_FAIL" in run.said, "notice of the lost node")
    until(lambda: len(study.training()) == 2, "the same job twice")
    go_on(processes)
    run.ends()
    until(lambda: not study.training(), "end of both")
    cluster.start("slurmd", "-N", node)
    study.same_as(reference)


@pytest.mark.parametrize("daemon", ["slurmctld", "slurmdbd"])
def test_daemon_away(cluster, study, reference, daemon):
    """Training ends while there is no controller to tell, or no accounting to ask."""
    run = study.start("--until", "train")
    processes = study.pause()
    cluster.save()
    cluster.kill(daemon, signal.SIGKILL)
    go_on(processes)
    until(lambda: not study.training(), "end of training")
    if daemon == "slurmdbd":
        run.ends()
    cluster.start(daemon)
    run.ends()
    assert len(study.calls()) == 1
    study.same_as(reference)


def test_interrupted_at_the_keyboard(cluster, study, reference):
    run = study.start("--until", "train")
    processes = study.pause()
    status, told = study.status()
    assert status == 0
    assert re.search(r"^running jobs: 1\n +vae1/pca/seed=0-2: step \d+/700$", told, flags=re.MULTILINE), told
    go_on(processes)
    os.killpg(run.process.pid, signal.SIGINT)
    run.ends(1)
    until(lambda: not cluster.queue(), "empty queue")
    assert not study.training()
    assert len(study.checkpoints()) == 1
    study.start("--until", "train").ends()
    study.same_as(reference)


def test_killed_snakemake_and_a_second_one_beside_its_jobs(cluster, study, reference):
    run = study.start("--until", "train")
    orphans = study.pause()
    run.process.kill()
    assert "--unlock" in study.start("--until", "train").ends(1)
    study.start("--unlock").ends()
    second = study.start("--until", "train")
    until(lambda: len(study.training()) == 2, "the same job twice")
    go_on(orphans)
    second.ends()
    until(lambda: not cluster.queue(), "end of the orphans")
    study.same_as(reference)


def test_a_job_that_always_fails(study):
    """Its last words are in the terminal and in its log, and the rest of the study is done.

    The size of a user's own file is known to the job alone.
    """
    study.read_from_a_file()
    study.study["axes"]["model"] = ["vae0", "vae1"]
    study.study["overrides"] = [{"when": {"model": "vae0"}, "set": {"batch_size": 100}}]
    said = study.start("--retries", "1").ends(1)
    assert len(study.calls()) == 3
    message = "batch_size: 100 is more than the 60 training points"
    assert message in said
    assert message in (study.results / "logs/train/vae0/array/seed=0-2.log").read_text()
    assert "entropy-sums collect study.yaml --partial" in said
    assert list(study.traces()) == ["vae1/array/seed=0-2.nc"]
    status, told = study.status()
    assert status == 1
    assert message in told


def test_twenty_kills_at_random_moments(cluster, studies):
    """Of trainings, of whole jobs, and politely; at every moment between the start of Python and the last step."""
    study, alone = studies("study"), studies("alone")
    for space in (study, alone):
        space.study["axes"]["model"] = ["vae0", "vae1"]
        # So many that training outlasts the kills
        phases = space.study["training"]["phases"]
        space.study["training"]["phases"] = [phase | {"steps": 12 * phase["steps"]} for phase in phases]
    alone.run("--until", "train", "--cores", "2")
    run = study.start("--until", "train", "--retries", "20")
    rng = np.random.default_rng(0)
    kills = 0
    while kills < 20 and run.process.poll() is None:
        time.sleep(rng.uniform(0, 2.5))
        jobs = list(cluster.queue())
        for process in study.training():
            kill = [["kill", "-KILL", str(process)], ["kill", "-TERM", str(process)], ["scancel", rng.choice(jobs)]]
            subprocess.run(kill[rng.integers(3)], check=False)
            kills += 1
    run.ends()
    assert kills >= 20
    study.same_as(alone.traces())
