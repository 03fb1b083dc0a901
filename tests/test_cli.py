"""The command line: help, plans, schema, and mistakes that end in one line and status 2."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from entropy_sums.cli import main, parser
from entropy_sums.models.catalogue import MODELS
from entropy_sums.training.settings import PhaseSettings, TrainingSettings
from example import example_tree, streaming

ROOT = Path(__file__).parents[1]
DEFAULT_STUDY = ROOT / "config" / "config.yaml"
COMMANDS = [
    "plan",
    "data",
    "train",
    "status",
    "collect",
    "figure",
    "tables",
    "report",
    "compare",
    "certify",
    "settings",
    "schema",
]

SMALL = """\
study: small
axes: {model: [linear_vae, vae1], dataset: [pca], latent_dim: [2, 4], seed: {count: 2}}
results: %s
"""


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL % (tmp_path / "results"))
    return path


def call(*arguments):
    return main([str(argument) for argument in arguments])


def test_all_commands_are_tested():
    (commands,) = [a for a in parser()._actions if isinstance(a, argparse._SubParsersAction)]
    assert list(commands.choices) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_that_the_parser_accepts(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        call(command, "--help")
    text = " ".join(capsys.readouterr().out.split())
    example = text.split(f"example: entropy-sums {command} ")[1]
    arguments = example.split(" > ")[0].removeprefix("> study.schema.json").split()
    assert parser().parse_args([command, *arguments]).command == command


@pytest.mark.parametrize("command", COMMANDS)
def test_options_have_one_name(command, capsys):
    """An abbreviation would mean something else, or nothing, once there is another option that begins like it."""
    required = {"data": ["a.yaml", "a"], "train": ["a.yaml", "a"], "figure": ["a", "a.nc"], "tables": ["a.nc"]}
    (commands,) = [a for a in parser()._actions if isinstance(a, argparse._SubParsersAction)]
    for action in commands.choices[command]._actions:
        for option in (name for name in action.option_strings if name.startswith("--")):
            short = option[:-1] if action.nargs == 0 else f"{option[:-1]}=1"
            with pytest.raises(SystemExit, match="2"):
                call(command, *required.get(command, []), short)
            assert f"unrecognized arguments: {short}" in capsys.readouterr().err


def test_help_needs_neither_torch_nor_anything_slow():
    heavy = ("torch", "numpy", "xarray", "pydantic", "matplotlib", "yaml")
    code = (
        "import sys\nfrom entropy_sums.cli import main\n"
        "try:\n    main([*sys.argv[1:], '--help'])\n"
        f"finally:\n    assert not set({heavy}) & sys.modules.keys()\n"
    )
    for arguments in ([], ["train"]):
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        assert "usage: entropy-sums" in done.stdout


def test_a_plan_needs_no_torch(study):
    code = "import sys\nfrom entropy_sums.cli import main\nmain(sys.argv[1:])\nassert 'torch' not in sys.modules\n"
    done = subprocess.run([sys.executable, "-c", code, "plan", study], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_plan_and_cells(study, capsys):
    assert call("plan", study) == 0
    plan = capsys.readouterr().out
    assert plan.startswith(f"study small ({study})\n")
    assert "8 runs in 4 jobs, at most 2 replicas each" in plan
    assert call("plan", study, "--cells") == 0
    cells = capsys.readouterr().out
    assert cells.startswith(plan.rstrip("\n"))
    assert "vae1/pca/latent_dim=4/seed=0-1: 2 runs" in cells


def test_one_job_is_printed_with_all_its_defaults(study, capsys):
    assert call("plan", study, "--only", "vae1/pca/latent_dim=4/seed=0-1") == 0
    runs = json.loads(capsys.readouterr().out)
    assert [run["seed"] for run in runs] == [0, 1]
    assert runs[0]["model"].keys() == {"name", *MODELS["vae1"].model_fields}
    assert runs[0]["model"]["latent_dim"] == 4
    assert runs[0]["training"].keys() == TrainingSettings.model_fields.keys()
    assert runs[0]["training"]["phases"] == [PhaseSettings().model_dump()]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["plan", "{study}", "--only", "vae1/pca/sed=0-1"],
            "{study}: no job 'vae1/pca/sed=0-1'; did you mean 'vae1/pca/s",
        ),
        (
            ["train", "{study}", "vae1/pca/seed=0-2"],
            "{study}: no job 'vae1/pca/seed=0-2'; did you mean 'vae1/pca/seed=0-1'?",
        ),
        (
            ["train", "{study}", "vae1/pca/seed=0-1", "--identity", "0"],
            "{study}: job vae1/pca/seed=0-1 was planned as 0 and is now",
        ),
        (["data", "{study}", "q"], "{study}: no data file 'q'; known are: pca-"),
        (["plan", "none.yaml"], "none.yaml: cannot be read (No such file or directory); name an existing study file"),
        (["collect", "{study}"], "4 of 4 jobs have no trace yet, the first is linear_vae/pca/seed=0-1; train them"),
        (["collect", "{study}", "--partial"], "4 of 4 jobs have no trace yet"),
        (["tables", "none.nc"], "none.nc: not there; `entropy-sums collect` writes it"),
        (["figure", "traces_pca", "none.nc"], "none.nc: not there"),
        (["report", "{study}"], "{study.parent}/results/small/traces.nc: not there"),
        (["tables", "{study}"], "{study}: "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_end_in_one_line_and_status_2(study, capsys, arguments, message):
    assert call(*(argument.format(study=study) for argument in arguments)) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith(f"entropy-sums {arguments[0]}: {message.format(study=study)}")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [[], ["--hel"], ["plann"], ["plan", "--only"], ["train"], ["train", "a", "b", "--device", "tpu"]]
)
def test_a_wrong_call_ends_in_status_2(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        call(*arguments)
    assert "usage: entropy-sums" in capsys.readouterr().err


def test_an_unknown_figure_is_named(study, tmp_path, capsys):
    example_tree().to_netcdf(tmp_path / "traces.nc", engine="netcdf4")
    assert call("figure", "trace_pca", tmp_path / "traces.nc") == 2
    assert capsys.readouterr().err.startswith("entropy-sums figure: no picture 'trace_pca'; there are ")


def test_the_schema_accepts_the_studies_of_this_repository(capsys):
    assert call("schema") == 0
    schema = json.loads(capsys.readouterr().out)
    kind = jsonschema.validators.validator_for(schema)
    kind.check_schema(schema)
    studies = [DEFAULT_STUDY, *(ROOT / "config" / "studies").glob("*.yaml")]
    for path in studies:
        kind(schema).validate(yaml.safe_load(path.read_text()))
    wrong = {**yaml.safe_load(DEFAULT_STUDY.read_text()), "axis": {}}
    with pytest.raises(jsonschema.ValidationError, match="axis"):
        kind(schema).validate(wrong)


def test_the_studies_of_this_repository_can_be_planned(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    for path in [DEFAULT_STUDY, *(ROOT / "config" / "studies").glob("*.yaml")]:
        assert call("plan", path) == 0, capsys.readouterr().err
    assert call("plan") == 0
    assert "study quickstart (config/config.yaml)" in capsys.readouterr().out


def test_the_report_shows_every_figure_of_every_dataset(tmp_path, monkeypatch):
    path = tmp_path / "two.yaml"
    path.write_text(SMALL.replace("[pca]", "[pca, digits]") % tmp_path + "figures: [traces, gap_decomposition]\n")
    (tmp_path / "small").mkdir()
    example_tree().to_netcdf(tmp_path / "small" / "traces.nc", engine="netcdf4")
    shown = []
    monkeypatch.setattr("entropy_sums.report.write", lambda tree, figures, *_: shown.extend(figures))
    assert call("report", path) == 0
    names = [f"{figure}_{dataset}" for figure in ("traces", "gap_decomposition") for dataset in ("pca", "digits")]
    assert shown == [tmp_path / "small" / "figures" / name for name in [*names, "certificates"]]


def test_data_are_written_where_the_study_looks_for_them(study, tmp_path, capsys):
    assert call("plan", study, "--cells") == 0
    (name,) = {line.rsplit(" ", 1)[1] for line in capsys.readouterr().out.splitlines() if ", data " in line}
    assert call("data", study, name) == 0
    assert (tmp_path / "results" / "small" / "data" / f"{name}.nc").exists()
    assert call("data", study, name, "--output", tmp_path / "x.nc") == 0
    assert (tmp_path / "x.nc").exists()


def test_tables_are_those_that_have_rows_or_are_asked_for(tmp_path, capsys):
    streaming().to_netcdf(tmp_path / "traces.nc", engine="netcdf4")
    assert call("tables", tmp_path / "traces.nc") == 0
    names = {"final", "subsets", "model_selection"}
    assert {path.name for path in (tmp_path / "tables").iterdir()} == {
        f"{n}{e}" for n in names for e in (".csv", ".tex")
    }
    single = example_tree({"dataset": ["pca"], "latent_dim": [2], "seed": [0]}, ["vae1"])
    single.to_netcdf(tmp_path / "single.nc", engine="netcdf4")
    assert call("tables", tmp_path / "single.nc", "--output", tmp_path / "all") == 0
    assert {path.stem for path in (tmp_path / "all").iterdir()} == {"final", "subsets"}
    assert call("tables", tmp_path / "single.nc", "model_selection", "--output", tmp_path / "one") == 0
    assert {path.stem for path in (tmp_path / "one").iterdir()} == {"model_selection"}
    assert call("tables", tmp_path / "single.nc", "subset") == 2
    assert "no table 'subset'; there are final, model_selection, subsets" in capsys.readouterr().err
