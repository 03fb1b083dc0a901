"""The profiles: found, understood by Snakemake, and refused before submission where something is not set."""

import os

import pytest
import yaml
from snakemake.cli import get_argument_parser
from snakemake.profiles import ProfileConfigFileParser

from workspace import ROOT

FOLDERS = sorted(path.parent for path in (ROOT / "profiles").glob("*/config.yaml"))


@pytest.fixture
def variables(monkeypatch):
    """A shell in which nothing of SLURM is set, to set some."""
    for name in [name for name in os.environ if name.startswith(("SLURM_", "SBATCH_"))]:
        monkeypatch.delenv(name)
    return monkeypatch.setenv


def test_an_unset_variable_is_named_before_anything_happens(workspace, variables):
    variables("SBATCH_PARTITION", "cpu")
    said = workspace.run("--profile", "slurm", "--dry-run", check=False)
    assert "not set: SBATCH_ACCOUNT. " in said
    assert "export SBATCH_ACCOUNT=" in said
    assert "SBATCH_PARTITION" not in said


@pytest.mark.parametrize(("account", "partition"), [("physics-1", "all"), ("", "")])
def test_variables_are_passed_as_they_are(workspace, variables, account, partition):
    """Snakemake reads resources as Python, in which `all` is a function and `physics-1` a difference."""
    variables("SBATCH_ACCOUNT", account)
    variables("SBATCH_PARTITION", partition)
    said = workspace.run("--profile", "slurm", "--dry-run")
    asked = [line for line in said.splitlines() if line.startswith("    resources:")]
    assert asked
    for line in asked:
        assert f"slurm_account={account}, slurm_partition={partition}, " in line
        assert "slurm_extra=--signal=TERM@60" in line
        assert "gpu" not in line


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_snakemake_knows_every_key(folder):
    """Those of a plugin that is not installed have its name, and what else they say is not checked."""
    text = (folder / "config.yaml").read_text()
    settings = yaml.safe_load(text)
    parser = get_argument_parser()
    known = {option.removeprefix("--") for action in parser._actions for option in action.option_strings}
    executor = settings.get("executor", "local")
    choices = next(action.choices for action in parser._actions if action.dest == "executor")
    foreign = {key for key in settings if executor not in choices and key.startswith(f"{executor}-")}
    assert settings.keys() - foreign <= known
    with (folder / "config.yaml").open() as file:
        parsed = ProfileConfigFileParser().parse(file)
    arguments = [
        word
        for key, value in parsed.items()
        if key not in foreign and (key != "executor" or value in choices)
        for word in ([f"--{key}", *map(str, value)] if isinstance(value, list) else [f"--{key}={value}"])
        if word.split("=")[-1] != "True"
    ]
    parser.parse_args(arguments)


def test_the_generic_profile_runs_a_study(workspace, monkeypatch):
    """On a batch system that runs what it is given at once."""
    (workspace.folder / "bin").mkdir()
    qsub = workspace.folder / "bin" / "qsub"
    qsub.write_text('#!/bin/sh\necho "$@" >>asked.txt\nfor script; do :; done\nsh "$script" >&2\necho 1\n')
    qsub.chmod(0o755)
    monkeypatch.setenv("PATH", f"{qsub.parent}{os.pathsep}{os.environ['PATH']}")
    workspace.study["axes"]["model"] = ["vae1"]
    workspace.run("--profile", "profiles/cluster-generic", "--until", "train")
    (asked,) = (workspace.folder / "asked.txt").read_text().splitlines()
    assert "select=1:ncpus=1:mem=" in asked
    assert len(list((workspace.results / "runs").rglob("*.nc"))) == 1
