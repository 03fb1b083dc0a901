"""`skip_missing`: datasets without files are left out and named, the others stay as they are."""

import json
import shutil

import pytest

from entropy_sums.cli import main
from entropy_sums.data import places
from entropy_sums.study.errors import StudyError
from entropy_sums.study.plan import as_text
from workspace import Workspace

STUDY = """\
study: a
axes: {model: [vae1], dataset: [%s], encoder_width: [50, 20], seed: {count: 3}}
overrides: [{when: {dataset: mnist}, set: {binarise: threshold}}]
exclude: [{dataset: [mnist, %s], seed: 2}]
pack: {size: 2}
%s
"""
BOTH = STUDY % ("mnist, digits", "digits", "")
SKIPPING = f"{BOTH}skip_missing: true\n"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """A folder without any data, and a machine without any data packages."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(places, "SYSTEM_DIR", tmp_path / "system")


def put(tmp_path, dataset="mnist"):
    (tmp_path / "data" / dataset).mkdir(parents=True)
    for name in ("train-images-idx3-ubyte", "t10k-images-idx3-ubyte.gz"):
        (tmp_path / "data" / dataset / name).touch()


def identities(grid):
    return {name: job.identity for name, job in grid.jobs.items()}


def test_a_dataset_without_files_is_left_out_and_named(load, tmp_path):
    grid = load(SKIPPING)
    assert {run.dataset for run in grid.runs} == {"digits"}
    assert grid.study.axes["dataset"] == ["digits"]
    assert grid.left_out == [
        f"{tmp_path / 'study.yaml'}: skip_missing: mnist is left out: train-images-idx3-ubyte(.gz) is neither in "
        f"data/mnist nor in {tmp_path / 'system' / 'mnist'}; put it into the first folder, or leave skip_missing out "
        "and it is downloaded"
    ]


def test_what_is_left_keeps_its_jobs_and_what_comes_back_has_its_own(load, tmp_path):
    plain, without = identities(load(BOTH)), identities(load(SKIPPING))
    assert without == {name: identity for name, identity in plain.items() if "/mnist/" not in name}
    assert without.keys() < plain.keys()
    put(tmp_path)
    found = load(SKIPPING)
    assert identities(found) == plain
    assert found.left_out == []


def test_without_the_key_all_datasets_stay(load):
    grid = load(BOTH)
    assert {run.dataset for run in grid.runs} == {"mnist", "digits"}
    assert grid.missing == {}


def test_fashion_mnist_in_the_place_of_mnist(load, tmp_path):
    put(tmp_path, "fashion_mnist")
    grid = load(STUDY % ("mnist, fashion_mnist", "fashion_mnist", "skip_missing: true"))
    assert {run.dataset for run in grid.runs} == {"fashion_mnist"}


def test_a_study_with_nothing_at_hand_is_an_error_that_names_every_file(load):
    with pytest.raises(StudyError, match=r"(?s)mnist is left out.*fashion_mnist is left out.*none is at hand; add one"):
        print(load(STUDY % ("mnist, fashion_mnist", "fashion_mnist", "skip_missing: true")).runs)


def test_only_datasets_that_are_asked_for_are_missing(load):
    """What no panel shows needs no file."""
    panels = "panels: {figure_1: {a: {cells: {dataset: digits}}}}"
    grid = load(STUDY.replace("pack:", f"{panels}\npack:") % ("mnist, digits", "digits", "skip_missing: true"))
    assert grid.left_out == []
    assert grid.datasets == ["digits"]


def test_panels_of_missing_datasets_alone(load):
    panels = "panels: {figure_1: {a: {cells: {dataset: mnist}}}}"
    text = STUDY.replace("pack:", f"{panels}\npack:") % ("mnist, digits", "digits", "skip_missing: true")
    with pytest.raises(StudyError, match=r"(?s)mnist is left out: .*axes.dataset: none is at hand"):
        print(load(text).runs)


def test_a_dataset_with_a_data_file_is_at_hand(load, tmp_path):
    """Nodes of a cluster share the results, but not always what they are made from."""
    name = next(name for name in load(BOTH).data_names if name.startswith("mnist-"))
    put(tmp_path)
    wanted = identities(load(SKIPPING))
    shutil.rmtree(tmp_path / "data")
    path = load(BOTH).data_path(name)
    path.parent.mkdir(parents=True)
    for other in ("mnist5k-00000000.nc", "mnist-00000000.nc"):  # the second: of mnist with other settings
        (path.parent / other).touch()
    assert load(SKIPPING).missing.keys() == {"mnist"}
    path.touch()
    assert identities(load(SKIPPING)) == wanted


def test_some_cells_of_a_dataset(load, tmp_path):
    """Those whose data file the study has stay."""
    text = SKIPPING.replace("seed: {", "train: [100, 200], seed: {")
    grid = load(text)
    path = grid.data_path(next(name for name in load(text.replace("skip", "#")).data_names if "mnist-" in name))
    path.parent.mkdir(parents=True)
    path.touch()
    found = load(text)
    assert [line.split(":")[2] for line in found.left_out] == [" mnist is left out in 2 of 4 cells"]
    assert found.study.axes["dataset"] == ["mnist", "digits"]
    assert {run.dataset_settings.train for run in found.runs if run.dataset == "mnist"} in ({100}, {200})


@pytest.mark.parametrize(("dataset", "file"), [("susy", r"SUSY\.csv\(\.gz\)"), ("celeba", "img_align_celeba")])
def test_data_that_cannot_be_downloaded(load, dataset, file):
    with pytest.raises(
        StudyError, match=rf"(?=.*data/{dataset}){dataset} is left out: .*{file}.*; get .* from https://"
    ):
        print(load(f"study: a\naxes: {{model: [vae1], dataset: [{dataset}], seed: [0]}}\nskip_missing: true\n").runs)


def test_an_axis_that_only_a_missing_dataset_has(load):
    text = SKIPPING.replace("digits", "pca").replace("seed: {", "binarise: [none, threshold], seed: {")
    grid = load(text.replace("set: {binarise: threshold}", "set: {train: 100}"))
    assert len(grid.runs) == 2 * 2
    assert "axis binarise does not apply to: vae1" in as_text(grid)


def test_the_plan_says_so_on_standard_error_alone(tmp_path, capsys):
    (tmp_path / "study.yaml").write_text(SKIPPING)
    assert main(["plan", "study.yaml", "--cells"]) == 0
    out, error = capsys.readouterr()
    assert "mnist" not in out.replace("mnist5k", "")
    assert error.startswith("study.yaml: skip_missing: mnist is left out: train-images-idx3-ubyte(.gz) is neither in")
    assert error.count("\n") == 1
    assert main(["plan", "study.yaml", "--only", "vae1/digits/seed=0-1"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2


def test_the_workflow_says_so_and_goes_on_without(tmp_path):
    space = Workspace(tmp_path)
    space.study["axes"]["dataset"] = ["mnist", "pca"]
    space.study["skip_missing"] = True
    printed = space.run("--dry-run")
    assert printed.count("study.yaml: skip_missing: mnist is left out: train-images-idx3-ubyte(.gz) is neither in") == 1
    assert "mnist" not in "".join(line for line in printed.splitlines() if "left out" not in line)
    assert "traces_pca" in printed
