"""References: what is kept is read, runs are compared by seed, mistakes are named."""

import errno
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from entropy_sums import reference
from entropy_sums.analysis.comparison import Margins
from entropy_sums.cli import main
from entropy_sums.study.errors import StudyError
from entropy_sums.study.tables import Table, number
from entropy_sums.tables import TABLES
from entropy_sums.tables.words import rounded
from example import example_tree, streaming

FINAL = TABLES["final"]
CELL = {"model": "vae3", "dataset": "digits", "latent_dim": 4}
"""A cell with all its eight runs."""


@pytest.fixture(scope="module")
def tree():
    return example_tree()


@pytest.fixture(scope="module")
def table(tree):
    """Final numbers of cells, as they are published beside others."""
    return FINAL.frame(tree)


@pytest.fixture(scope="module")
def found(tree):
    """Final numbers of runs."""
    return reference.runs("final", FINAL, tree)


@pytest.fixture
def kept(tmp_path, tree, found):
    path = tmp_path / "new" / "a.csv"
    reference.keep(found, reference.provenance(tree), path)
    return reference.read(path, FINAL)


def chosen(frame, quantity="elbo", **cell):
    """Rows of a comparison that belong to one cell and quantity."""
    wanted = [frame[name].astype(str) == str(value) for name, value in (CELL | cell).items()]
    return frame[np.logical_and.reduce([*wanted, frame["quantity"] == quantity])]


def verdict(rows, **cell):
    (one,) = chosen(rows, **cell)["verdict"].tolist()
    return one


def of_cell(frame):
    return np.logical_and.reduce([frame[name].astype(str) == str(value) for name, value in CELL.items()])


def moved(frame, by, column="elbo"):
    """The frame with the runs of the cell moved by a number, or by one each."""
    changed = frame.copy()
    changed.loc[of_cell(frame), column] += by
    return changed


def other_seeds(frame, by=100):
    return frame.assign(seed=[str(int(seed) + by) for seed in frame["seed"]])


def test_the_same_runs_agree(tree, table, found, kept):
    read, source = kept
    rows, tests = reference.compare(FINAL, found, read)
    assert len(rows) == len(FINAL.compared) * len(table)
    finished = (table["runs"] > 0).to_numpy().repeat(len(FINAL.compared))
    assert (rows["verdict"] == np.where(finished, "agrees", "missing")).all()
    assert tests == 0
    assert source["seeds"] == "[0, 1, 2, 3, 4, 5, 6, 7]"
    assert source["versions"] == tree.attrs["versions"]


def test_a_row_has_every_number_of_a_run(found, tree):
    run = found[of_cell(found) & (found["seed"] == "5")].iloc[0]
    ds = tree["vae3"].to_dataset().sel(dataset="digits", latent_dim=4, seed=5).isel(step=-1)
    for name in ("elbo", "gap", "heldout_elbo", "gradient_norm"):
        assert run[name] == ds[name].item()
    assert run["observed_dim"] == 64
    diverged = found[(found["model"] == "vae0") & (found["dataset"] == "pca") & (found["latent_dim"] == 2)]
    assert diverged["elbo"].isna().tolist() == [seed == "1" for seed in diverged["seed"]]


def test_one_run_that_is_the_same_agrees(found, kept):
    """By its number, or up to rounding."""
    rows = reference.compare(FINAL, moved(found[found["seed"] == "3"], 1e-7), kept[0]).rows
    (row,) = chosen(rows).to_dict("records")
    assert (row["verdict"], row["runs"]) == ("agrees", "1 of 8 pairs")


@pytest.mark.parametrize(
    ("shift", "runs", "expected"),
    [
        (5.0, 8, "differs"),
        (5.0, 3, "differs"),
        (5.0, 2, "too few runs to tell"),
        (0.1, 8, "agrees"),
        (0.1, 3, "agrees"),
        (0.1, 2, "too few runs to tell"),
    ],
)
def test_pairs_of_the_same_seed(found, kept, shift, runs, expected):
    """The margin is one percent of 50 nats; what seeds differ in does not count."""
    few = found[found["seed"].astype(int) < runs]
    scatter = 0.01 * np.cos(np.arange(runs))
    assert verdict(reference.compare(FINAL, moved(few, shift + scatter), kept[0]).rows) == expected


@pytest.mark.parametrize(("shift", "expected"), [(0.0, "agrees"), (30.0, "differs"), (0.35, "too few runs to tell")])
def test_runs_of_other_seeds(found, kept, shift, expected):
    changed = other_seeds(moved(found, shift))
    rows = reference.compare(FINAL, changed, kept[0], margins=Margins(0.02 if shift == 0 else 0.01)).rows
    (row,) = chosen(rows).to_dict("records")
    assert row["runs"] == "8 and 8 runs"
    assert row["verdict"] == expected


def test_a_shift_within_the_margin_agrees_although_it_is_no_chance(found, kept):
    shift = 0.2 + 0.001 * np.arange(8)
    rows = reference.compare(FINAL, moved(found, shift), kept[0]).rows
    (row,) = chosen(rows).to_dict("records")
    assert (row["verdict"], row["difference"]) == ("agrees", "0.2035 [0.2015, 0.2055]")
    assert verdict(reference.compare(FINAL, moved(found, shift), kept[0], margins=Margins(0.001, 0)).rows) == "differs"


def test_margins_of_other_quantities(found, kept):
    """Of a gap near zero a number of nats per dimension, of percentages one of points."""
    rows = reference.compare(FINAL, found, kept[0]).rows
    assert chosen(rows, "gap")["margin"].tolist() == ["0.064"]
    assert chosen(rows, "relative_gap")["margin"].tolist() == ["0.1"]
    elbo = float(np.median(found.loc[of_cell(found), "elbo"]))
    assert chosen(rows, "elbo")["margin"].tolist() == [f"{abs(elbo) / 100:.2g}"]


def test_runs_that_are_not_there_are_counted_and_further_cells_do_no_harm(found, kept):
    without = found[~of_cell(found)]
    rows = reference.compare(FINAL, without, kept[0]).rows
    assert set(rows.loc[of_cell(rows), "verdict"]) == {"missing"}
    assert len(reference.compare(FINAL, found, kept[0][~of_cell(found)]).rows) == len(rows) - len(FINAL.compared)
    diverged = found.assign(elbo=found["elbo"].where(found["seed"].astype(int) < 5))
    (row,) = chosen(reference.compare(FINAL, diverged, kept[0]).rows).to_dict("records")
    assert (row["verdict"], row["runs"]) == ("agrees", "5 of 8 pairs")
    infinite = found.assign(elbo=-np.inf)
    assert verdict(reference.compare(FINAL, infinite, kept[0]).rows) == "missing"


def test_other_axes_are_named(found, kept):
    with pytest.raises(StudyError, match=r"^a\.csv: has the axes .*latent_dim, the study model, dataset; .*--keep"):
        reference.compare(FINAL, found.drop(columns="latent_dim"), kept[0], Path("a.csv"))


def test_a_table_that_gives_no_number_of_every_run_cannot_be_compared(tree):
    table = Table("entropy_sums.tables.final:rows", "A", (number("predicted_gap", "m", compared=True),))
    with pytest.raises(StudyError, match=r"^table mine: predicted_gap is to be compared, .* DataArray over seed"):
        reference.runs("mine", table, tree)


def test_mistakes_are_named(tmp_path):
    with pytest.raises(ValueError, match="--keep"):
        reference.read(tmp_path / "none.csv", FINAL)
    other = tmp_path / "other.csv"
    for content, problem in (
        (b"model,dataset,seed\nvae1,pca,0\n", "elbo is missing; write it anew"),
        (b"", "No columns to parse"),
        (b"a,b\n1,2,3\n1\n1,2,3,4\n", "Expected 3 fields"),
        (b"\xff\xfe", "codec can't decode"),
    ):
        other.write_bytes(content)
        with pytest.raises(StudyError, match=rf"other\.csv: .*{problem}"):
            reference.read(other, FINAL)


def test_medians_of_earlier_versions_are_refused(tmp_path, table):
    reference.keep(table, {"study": "a"}, tmp_path / "a.csv")
    with pytest.raises(StudyError, match=r"a\.csv: holds medians, as earlier versions wrote them; .*--keep"):
        reference.read(tmp_path / "a.csv", FINAL)


def test_a_run_that_is_there_twice_is_named(tmp_path, found):
    reference.keep(pd.concat([found[:3], found[1:2]]), {"study": "a"}, tmp_path / "a.csv")
    with pytest.raises(StudyError, match=r"a\.csv: line 6: the same run twice"):
        reference.read(tmp_path / "a.csv", FINAL)


def test_a_cell_that_is_no_number_is_named(tmp_path, found):
    """By its line in the file, beside which there are some of comments."""
    path = tmp_path / "a.csv"
    for row, column in ((0, "elbo"), (9, "observed_dim")):
        spoilt = found.astype({column: object})
        spoilt.loc[row, column] = "1;5"
        reference.keep(spoilt, {"study": "a", "seeds": "[0]"}, path)
        line = 1 + next(number for number, text in enumerate(path.read_text().splitlines()) if "1;5" in text)
        with pytest.raises(StudyError, match=rf"a\.csv: line {line}: {column}: '1;5' is no number; .*--keep"):
            reference.read(path, FINAL)


def test_a_reference_without_rows_is_refused(tmp_path, found):
    reference.keep(found.iloc[:0], {"study": "a"}, tmp_path / "a.csv")
    with pytest.raises(StudyError, match=r"a\.csv: has no rows; write it anew"):
        reference.read(tmp_path / "a.csv", FINAL)


def test_what_is_read_is_what_was_kept(found, kept):
    """To the last bit, so that equal runs are known to be equal."""
    for name in (*FINAL.compared, "seed"):
        np.testing.assert_array_equal(kept[0][name], found[name], err_msg=name)


@pytest.mark.parametrize("seed", ["18446744073709551615", "9223372036854775808"])
def test_large_seeds_are_kept(tmp_path, found, seed):
    large = found.assign(seed=found["seed"].replace("3", seed))
    reference.keep(large, {"study": "a"}, tmp_path / "a.csv")
    read = reference.read(tmp_path / "a.csv", FINAL)[0]
    assert set(read["seed"]) == set(large["seed"])
    assert verdict(reference.compare(FINAL, large, read).rows) == "agrees"


def test_a_reference_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch, found, kept):
    path = tmp_path / "new" / "a.csv"
    before = path.read_text()

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="space"):
        reference.keep(found, {}, path)
    monkeypatch.undo()
    assert path.read_text() == before
    assert len(list(path.parent.iterdir())) == 1


@pytest.fixture
def folder(tmp_path, monkeypatch, tree):
    """That of a project with one study, `a.yaml`, whose traces are collected, and which has two tables."""
    monkeypatch.chdir(tmp_path)
    axes = "axes: {model: [linear_vae], dataset: [pca], seed: [0]}"
    (tmp_path / "a.yaml").write_text(f"study: a\n{axes}\ntraining: {{evaluation: {{subset_sizes: [10, 100]}}}}\n")
    (tmp_path / "results" / "a").mkdir(parents=True)
    tree.to_netcdf(tmp_path / "results" / "a" / "traces.nc", engine="netcdf4")
    return tmp_path


def test_command(folder, capsys, found):
    """Keeps a reference, agrees with it, and ends with 1 where it does not."""
    assert main(["compare", "a.yaml", "--keep"]) == 0
    assert main(["compare", "a.yaml"]) == 0
    out = capsys.readouterr().out
    assert " 0 differ, 0 too few runs to tell, " in out
    assert "No row is tested" in out
    path = folder / reference.FOLDER / "a.csv"
    reference.keep(found.assign(gap=found["gap"] + 1e3), {}, path)
    assert main(["compare", "a.yaml"]) == 1
    assert "14 rows are tested: if nothing has changed, the probability of a false alarm" in capsys.readouterr().out
    (folder / "results" / "a" / "traces.nc").unlink()
    assert main(["compare", "a.yaml"]) == 2
    assert "entropy-sums collect" in capsys.readouterr().err


def test_three_runs_of_the_same_distribution_are_too_few_to_tell(folder, capsys, found):
    """Their ranges are disjoint in one case of ten; the exit status is no alarm."""
    assert main(["compare", "a.yaml", "--keep"]) == 0
    few = other_seeds(found[found["seed"].astype(int) < 3])
    scatter = np.random.default_rng(0).normal(size=(len(few), len(FINAL.compared)))
    few = few.assign(**{name: few[name] + scatter[:, place] for place, name in enumerate(FINAL.compared)})
    reference.keep(few, {}, folder / reference.FOLDER / "a.csv")
    assert main(["compare", "a.yaml"]) == 0
    assert " 0 differ, " in capsys.readouterr().out


def test_margins_of_the_command(folder, capsys, found):
    assert main(["compare", "a.yaml", "--keep"]) == 0
    reference.keep(moved(found, 0.1 + 0.001 * np.arange(8)), {}, folder / reference.FOLDER / "a.csv")
    assert main(["compare", "a.yaml"]) == 0
    assert main(["compare", "a.yaml", "--relative-margin", "0", "--margin-per-dimension", "0"]) == 1
    capsys.readouterr()
    for option in ("--relative-margin", "--margin-per-dimension"):
        for wrong in ("-1", "nan", "inf", "a"):
            with pytest.raises(SystemExit, match="2"):
                main(["compare", "a.yaml", f"{option}={wrong}"])
            assert option in capsys.readouterr().err


def test_a_table_without_a_reference_is_named_and_the_others_are_compared(folder, capsys):
    assert main(["compare", "a.yaml", "--keep"]) == 0
    (folder / reference.FOLDER / "a.csv").unlink()
    assert main(["compare", "a.yaml"]) == 2
    out, error = capsys.readouterr()
    assert out.startswith(str(reference.FOLDER / "a.subsets.csv"))
    assert " 0 differ, " in out
    assert error.startswith(f"entropy-sums compare: {reference.FOLDER / 'a.csv'}: no reference; `entropy-sums compare")
    assert error.count("\n") == 1


def test_references_that_cannot_be_compared_do_not_hide_the_others(folder, capsys, found):
    assert main(["compare", "a.yaml", "--keep"]) == 0
    path = folder / reference.FOLDER / "a.csv"
    for wrong, message in ((found.assign(gap="?"), "line 2: gap: '?' is no"), (found.assign(beta=1), "has the axes ")):
        reference.keep(wrong, {}, path)
        capsys.readouterr()
        assert main(["compare", "a.yaml"]) == 2
        out, error = capsys.readouterr()
        assert out.startswith(str(reference.FOLDER / "a.subsets.csv"))
        assert error.startswith(f"entropy-sums compare: {reference.FOLDER / 'a.csv'}: {message}")


def test_a_table_without_rows_is_not_kept_and_its_reference_is_missing(folder, capsys, tree):
    """As of a study that was kept on a machine with all datasets, and runs on one without those of this table."""
    assert main(["compare", "a.yaml", "--keep"]) == 0
    groups = {name: node.to_dataset().drop_dims("subset") for name, node in tree.children.items()}
    poorer = xr.DataTree.from_dict({"/": tree.to_dataset(), **groups})
    poorer.to_netcdf(folder / "results" / "a" / "traces.nc", engine="netcdf4")
    path = folder / reference.FOLDER / "a.subsets.csv"
    kept = pd.read_csv(path, comment="#")
    capsys.readouterr()
    assert main(["compare", "a.yaml"]) == 0
    *_, last = capsys.readouterr().out.split(f"{reference.FOLDER / 'a.subsets.csv'}\n")
    cells = kept.groupby(["model", "dataset", "latent_dim", "subset"]).ngroups
    number = cells * len(TABLES["subsets"].compared)
    assert f"0 agree, 0 differ, 0 too few runs to tell, {number} missing" in last
    path.unlink()
    assert main(["compare", "a.yaml", "--keep"]) == 0
    assert not path.exists()
    assert main(["compare", "a.yaml"]) == 0
    assert "subsets" not in capsys.readouterr().out


def test_published_numbers_are_of_no_concern_where_a_reference_is_kept(folder, capsys):
    path = folder / reference.PUBLISHED
    path.parent.mkdir(parents=True)
    path.write_text("nothing")
    assert main(["compare", "a.yaml", "--keep"]) == 0
    assert capsys.readouterr() == ("", "")


def test_published_numbers_need_no_reference_and_no_tables_in_files(folder, capsys, table):
    """They stand beside those of the traces, whatever the tables say that were once written."""
    path = folder / reference.PUBLISHED
    path.parent.mkdir(parents=True)
    path.write_text(ROWS.replace("example", "a"))
    stale = folder / "results" / "a" / "tables"
    stale.mkdir()
    table.assign(elbo=-77, elbo_low=-78, elbo_high=-76).to_csv(stale / "final.csv", index=False)
    assert main(["compare", "a.yaml"]) == 2
    out, error = capsys.readouterr()
    assert out.startswith(f"Published numbers ({reference.PUBLISHED}):")
    assert f"-6.5 ± 0.25 {_final(table, 'vae1', 'pca', 4, 'elbo')}" in " ".join(out.split())
    assert "-77" not in out
    assert [line.split(": no reference")[0] for line in error.splitlines()] == [
        f"entropy-sums compare: {reference.FOLDER / 'a.csv'}",
        f"{reference.FOLDER / 'a.subsets.csv'}",
    ]
    path.write_text(ROWS.replace("other,final", "a,final"))
    assert main(["compare", "a.yaml"]) == 2
    problems = capsys.readouterr().err.splitlines()
    assert len(problems) == 3
    assert problems[2].startswith(f"{reference.PUBLISHED}: line 6: where: {{}} is 16 rows of the table final")


def _final(table, model, dataset, latent_dim, quantity):
    """A number of the final table as it is printed."""
    row = table.set_index(["model", "dataset", "latent_dim"]).loc[(model, dataset, latent_dim)]
    return rounded(*(row[f"{quantity}{end}"] for end in ("", "_low", "_high")))


@pytest.mark.parametrize("name", ["subsets", "model_selection"])
def test_other_tables_are_kept_and_compared(tmp_path, name):
    """Row by row: a number is found by its segment, or by how many points it is from."""
    tree = {"subsets": example_tree, "model_selection": streaming}[name]()
    declared, path = TABLES[name], tmp_path / reference.file("a", name)
    found = reference.runs(name, declared, tree)
    reference.keep(found, reference.provenance(tree), path)
    kept, _ = reference.read(path, declared)
    rows = reference.compare(declared, found, kept).rows
    table = declared.frame(tree)
    assert len(rows) == len(table) * len(declared.compared)
    finished = (table["runs"] > 0).to_numpy().repeat(len(declared.compared))
    assert (rows["verdict"] == np.where(finished, "agrees", "missing")).all()
    places = [name for name in declared.axes(found.columns) if name not in ("seed", reference.SIZE)]
    (_, first), *_ = found.groupby(places, sort=False)
    far = found.copy()
    far.loc[first.index, "elbo"] += 1e3
    assert reference.compare(declared, far, kept).rows["verdict"].tolist().count("differs") == 1


ROWS = """study,table,where,quantity,value,std,kind,source
example,final,"{""model"": ""vae1"", ""dataset"": ""pca"", ""latent_dim"": 4}",elbo,-6.5,0.25,paper,somebody (2020)
example,model_selection,"{""segment"": 2}",elbo,-9.21,0.731,log,somebody (2020)
example,final,"{""model"": ""vae7""}",elbo,1.0,,one run,somebody (2020)
example,subsets,"{""subset"": 7}",elbo,1.0,,one run,somebody (2020)
other,final,{},elbo,1.0,,one run,somebody (2020)
"""


def test_published_numbers_stand_beside_those_of_the_tables(tmp_path, table):
    segments = pd.DataFrame({"segment": [1, 2], "elbo": [-1, -9.18642], "elbo_std": [1, 0.0521]})
    (tmp_path / "published.csv").write_text(ROWS)
    rows = reference.published("example", {"final": table, "model_selection": segments}, tmp_path / "published.csv")
    assert rows["published"].tolist() == ["-6.5 ± 0.25", "-9.21 ± 0.731", "1.0", "1.0"]
    assert rows["found"].tolist() == [
        _final(table, "vae1", "pca", 4, "elbo"),
        "-9.186 ± 0.052",
        "missing",
        "missing",
    ]
    assert rows.loc[0, "cell"] == "model vae1, dataset pca, latent_dim 4"
    assert set(rows["source"]) == {"somebody (2020)"}
    assert rows["kind"].tolist() == ["paper", "log", "one run", "one run"]


@pytest.mark.parametrize(
    ("where", "rows", "axes"),
    [
        ('{"model": "vae1", "dataset": "pca"}', 2, "latent_dim"),
        ('{"latent_dim": 4, "model": "vae1"}', 2, "dataset"),
        ('{"dataset": "pca"}', 8, "model and latent_dim"),
    ],
)
def test_where_more_than_one_row_may_be_meant_none_is_taken(tmp_path, table, where, rows, axes):
    first, line, *_ = ROWS.splitlines()
    doubled = where.replace('"', '""')
    line = line.replace('{""model"": ""vae1"", ""dataset"": ""pca"", ""latent_dim"": 4}', doubled)
    (tmp_path / "published.csv").write_text(f"{first}\n\n{line}\n")
    with pytest.raises(StudyError) as raised:
        reference.published("example", {"final": table}, tmp_path / "published.csv")
    assert str(raised.value) == (
        f"{tmp_path / 'published.csv'}: line 3: where: {where} is {rows} rows of the table final; also say which {axes}"
    )


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ('"{""segment"": 2}"', "{segment: 2}", "where: no JSON (Expecting property name"),
        ('"{""segment"": 2}"', "2", "where: Input should be a valid dictionary (got 2)"),
        ("-9.21", "-9;21", "value: Input should be a valid number"),
        ("-9.21", "nan", "value: Input should be a finite number"),
        ("0.731", "none", "std: Input should be a valid number"),
        ("elbo,-9.21", "ebo,-9.21", "quantity: no number 'ebo' in the table model_selection; did you mean 'elbo'?"),
        ("elbo,-9.21", "lowest,-9.21", "quantity: no number 'lowest' in the table model_selection; known are: "),
        ("model_selection", "selection", "table: no table 'selection'; did you mean 'model_selection'?"),
        ("log,somebody (2020)", "log", "source: String should have at least 1 character"),
        ("log,somebody (2020)", ",somebody (2020)", "kind: no kind ''; known are: paper, log, one run"),
        ("log,somebody (2020)", "log,somebody, else", "more values than columns; put double quotes around"),
    ],
)
def test_mistakes_in_published_numbers_name_file_and_line(tmp_path, right, wrong, message):
    path = tmp_path / "published.csv"
    assert ROWS.count(right) == 1
    path.write_text(ROWS.replace(right, wrong))
    with pytest.raises(StudyError) as raised:
        reference.published("example", {}, path)
    assert str(raised.value).startswith(f"{path}: line 3: {message}")


def test_a_misspelt_column_of_published_numbers_is_named(tmp_path):
    path = tmp_path / "published.csv"
    path.write_text(ROWS.replace('""segment""', '""segmnt""'))
    table = pd.DataFrame({"segment": [1, 2], "elbo": [-1, -9.18642]})
    with pytest.raises(
        StudyError, match=r"line 3: where: 'segmnt' is no column of the table model_selection; did you mean 'segment'"
    ):
        reference.published("example", {"model_selection": table}, path)


def test_published_numbers_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "published.csv").write_bytes(ROWS.encode("utf-16"))
    with pytest.raises(StudyError, match=r"published\.csv: no CSV in UTF-8 \(.*\); save it as such"):
        reference.published("example", {}, tmp_path / "published.csv")


def test_an_axis_that_some_models_lack_is_found_by_whole_numbers(tmp_path):
    """In the table these are floats then."""
    table = pd.DataFrame({"model": ["gaussianmixture", "vae1"], "latent_dim": [np.nan, 4], "elbo": [-1.0, -2.0]})
    (tmp_path / "published.csv").write_text(ROWS)
    rows = reference.published("example", {"final": table.assign(dataset="pca")}, tmp_path / "published.csv")
    assert rows.loc[0, "found"] == "-2"


def test_a_file_of_published_numbers_without_a_source_is_refused(tmp_path):
    (tmp_path / "published.csv").write_text(ROWS.replace("source", "paper"))
    with pytest.raises(StudyError, match=r"published\.csv: the column source is missing"):
        reference.published("example", {}, tmp_path / "published.csv")


def test_the_published_numbers_that_come_with_the_project_can_be_looked_up():
    """Every study is there, every number is one, and where we have a reference it is found there."""
    root = Path(__file__).parents[1]
    rows = pd.read_csv(root / reference.PUBLISHED, dtype=str, keep_default_na=False)
    assert set(rows["study"]) <= {path.stem for path in (root / "config" / "studies").glob("*.yaml")}
    for study, own in rows.groupby("study"):
        assert len(reference.published(str(study), {}, root / reference.PUBLISHED)) == len(own)
    folder = root / reference.FOLDER
    for study, size in (("damm2023", "damm2023-laptop"), ("velychko2024", "velychko2024")):
        files = {name: folder / reference.file(size, name) for name in TABLES}
        tables = {name: _medians(TABLES[name], path) for name, path in files.items() if path.is_file()}
        found = reference.published(study, tables, root / reference.PUBLISHED)
        assert "missing" not in found["found"].tolist()


def _medians(table, path):
    """A row per cell of a reference."""
    frame = pd.read_csv(path, comment="#")
    places = [name for name in table.axes(frame.columns) if name not in ("seed", reference.SIZE)]
    return frame.groupby(places, dropna=False, sort=False).median(numeric_only=True).reset_index()


def test_every_published_number_says_what_it_is():
    """One run of a notebook or tutorial is no number of a paper; that of the bars has the entropy objective."""
    rows = pd.read_csv(Path(__file__).parents[1] / reference.PUBLISHED, dtype=str, keep_default_na=False)
    assert set(rows["kind"]) <= set(reference.KINDS)
    assert rows["source"].str.contains(r"\d{4}\)").all()
    one = rows[rows["kind"] == "one run"]
    assert set(one["study"]) == {"velychko2024", "rbm16"}
    assert one["source"].str.contains(r"one (?:unseeded )?run").all()
    assert one["source"].str.contains(r"\.(?:ipynb|rst)").all()
    learned = rows[(rows["study"] == "velychko2024") & rows["where"].str.contains("learned")]
    assert learned["where"].str.contains('"objective": "entropy"').all()
    segment = rows[(rows["quantity"] == "bic_elbo") & rows["where"].str.contains('"segment": 1')]
    assert segment["value"].tolist() == ["324.6"]
