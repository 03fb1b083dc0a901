"""Studies through the shipped profile, on a cluster that does what it is asked."""

import pytest
from cluster import undisturbed

pytestmark = pytest.mark.xdist_group("slurm")


def test_same_traces_as_without_a_cluster(study, tmp_path_factory):
    """The command of our users: everything up to the report; data are made here, the rest in jobs without a network."""
    study.start().ends()
    study.same_as(undisturbed(tmp_path_factory.mktemp("local"), study.study))
    assert (study.results / "report.html").exists()
    assert [job for job, _ in study.calls("data")] == ["here"]
    for command in ("train", "collect", "figure", "tables", "report"):
        jobs = [job for job, _ in study.calls(command)]
        assert jobs, command
        assert "here" not in jobs
    assert study.wanted() == {}
