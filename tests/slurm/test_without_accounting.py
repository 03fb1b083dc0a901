"""A cluster that keeps no accounts: the same profile works, with an account that is set and empty."""

import subprocess

from cluster import go_on

UP = ["--no-accounting"]


def test_a_study_with_a_cancelled_job(cluster, study, reference):
    study.variables["SBATCH_ACCOUNT"] = ""
    run = study.start("--until", "train")
    processes = study.pause()
    subprocess.run(["scancel", *cluster.queue()], check=True)
    go_on(processes)
    assert "CANCELLED" in run.ends()
    study.same_as(reference)
