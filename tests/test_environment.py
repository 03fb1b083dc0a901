"""The environment: every list of versions says the same, and it is what runs."""

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]


def pins(lines):
    """Package → version, every line being exactly that."""
    found = {}
    for line in lines:
        match = re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9.!]+)", line)
        assert match, f"not name==version: {line!r}"
        name = canonicalize_name(match[1])
        assert name not in found, f"{name} stands twice"
        found[name] = match[2]
    return found


LOCK = pins((ROOT / "requirements.lock").read_text().splitlines())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_conda_and_pip_get_the_same_versions():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert pins(pip) == LOCK
    (python,) = [e for e in environment["dependencies"] if isinstance(e, str) and e.startswith("python=")]
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains(python.removeprefix("python="))


def test_every_dependency_is_pinned():
    groups = [PROJECT["dependencies"], *PROJECT.get("optional-dependencies", {}).values()]
    requirements = [Requirement(line) for group in groups for line in group]
    assert {canonicalize_name(requirement.name) for requirement in requirements} <= LOCK.keys()
    for requirement in requirements:
        assert requirement.specifier.contains(LOCK[canonicalize_name(requirement.name)]), str(requirement)


@pytest.mark.parametrize("name", LOCK)
def test_what_runs_is_what_is_pinned(name):
    # torch says which build it is: 2.13.0+cpu
    assert version(name).split("+")[0] == LOCK[name]


def test_citation_names_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == PROJECT["version"] == version("entropy-sums")
    assert citation["cff-version"] == "1.2.0"
    assert citation.keys() >= {"title", "message", "authors", "license", "date-released"}
    assert citation["license"] == PROJECT["license"]
