"""docs/add-an-axis.md: its union of blocks is planned as the page says, and refused as it says."""

import re
from pathlib import Path

import pytest

from entropy_sums.cli import main

PAGE = (Path(__file__).parents[2] / "docs" / "add-an-axis.md").read_text(encoding="utf-8")
((NAME, TEXT),) = re.findall(r"^`(config/studies/union\.yaml)`:\n\n```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
(PLAN,) = re.findall(r"^    study union .*\n(?:    .*\n)+", PAGE, re.MULTILINE)
(ERROR,) = re.findall(r"entropy-sums plan: config/studies/union\.yaml: .*", PAGE)


@pytest.fixture
def plan(tmp_path, monkeypatch, capsys):
    """Status, output and errors of `entropy-sums plan` for a file of this text, under the name on the page."""

    def plan(text):
        monkeypatch.chdir(tmp_path)
        Path(NAME).parent.mkdir(parents=True)
        Path(NAME).write_text(text, encoding="utf-8")
        return main(["plan", NAME]), *capsys.readouterr()

    return plan


def test_the_plan_begins_as_on_the_page(plan):
    status, printed, errors = plan(TEXT)
    assert (status, errors) == (0, "")
    said = re.sub(r"^    ", "", PLAN, flags=re.MULTILINE)
    assert printed.startswith(said)
    cells = sum(map(int, re.findall(r"grids\.\d: (\d+) cell", said)))
    assert f"  {4 * cells} runs in " in printed.removeprefix(said).splitlines()[0]


def test_a_model_without_the_axis_is_refused_as_on_the_page(plan):
    assert TEXT.count("{model: vae1, vary:") == 1
    status, printed, errors = plan(TEXT.replace("{model: vae1, vary:", "{model: [vae1, linear_vae], vary:"))
    assert (status, printed) == (2, "")
    assert errors.strip() == ERROR
