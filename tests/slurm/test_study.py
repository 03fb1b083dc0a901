"""Studies through the shipped profile, on a cluster that does what it is asked."""

import re
import shutil

from cluster import ask


def test_same_traces_as_without_a_cluster(study, reference):
    """Everything up to the report; data are made here, all else in jobs, and these have no network."""
    study.study["axes"]["model"] = ["vae0", "vae1"]
    study.study["figures"] = ["traces"]
    shutil.rmtree(study.results / "data")
    study.start().ends()
    study.same_as(reference)
    assert (study.results / "report.html").exists()
    assert [job for job, _ in study.calls("data")] == ["here"]
    asked = {job: gpus for job, gpus in study.calls("train")}
    assert set(asked.values()) == {"none"}
    for job in asked:
        assert re.search(r"Account=study .*Partition=cpu ", ask("scontrol", "show", "job", job), flags=re.DOTALL)
    for command in ("train", "collect", "figure", "tables", "report"):
        jobs = [job for job, _ in study.calls(command)]
        assert jobs, command
        assert "here" not in jobs
    assert study.wanted() == {}


def test_a_gpu_where_the_profile_asks_for_one(studies):
    """In both forms that clusters know, side by side."""
    asking = [studies(line) for line in ("gpu", "gres")]
    for study in asking:
        study.profile(study.folder.name)
        study.start("--until", "train")
    for study in asking:
        study.pause()
        ((job, gpus),) = study.calls()
        assert gpus in ("0", "1")
        assert "gres/gpu=1" in ask("scontrol", "show", "job", job)
