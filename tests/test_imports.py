"""Imports run from the runners down, and in no circle: the contracts are in pyproject.toml."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def lint(folder):
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    return subprocess.run([*command, "--no-cache"], cwd=folder, capture_output=True, text=True)


def test_no_room_imports_from_one_above_it():
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout
    assert "3 kept, 0 broken" in done.stdout


def test_an_import_upward_is_found(tmp_path):
    """The test above can fail: a copy of the contract, over a package in which one import runs upward."""
    package = tmp_path / "entropy_sums"
    package.mkdir()
    for name, text in {"__init__": "", "high": "", "low": "import entropy_sums.high\n"}.items():
        (package / f"{name}.py").write_text(text)
    contract = "[[tool.importlinter.contracts]]\nname = 'a'\ntype = 'layers'\ncontainers = ['entropy_sums']\n"
    text = f"[tool.importlinter]\nroot_package = 'entropy_sums'\n{contract}layers = ['high', 'low']\n"
    (tmp_path / "pyproject.toml").write_text(text)
    done = lint(tmp_path)
    assert done.returncode == 1
    assert "entropy_sums.low is not allowed to import entropy_sums.high" in done.stdout
