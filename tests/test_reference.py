"""References: what is kept is read, agreement is overlap of intervals, mistakes are named."""

import errno
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from entropy_sums import reference
from entropy_sums.cli import main
from entropy_sums.study.errors import StudyError
from entropy_sums.tables import TABLES
from entropy_sums.tables.words import rounded
from example import example_tree, streaming

FINAL = TABLES["final"]


@pytest.fixture(scope="module")
def tree():
    return example_tree()


@pytest.fixture(scope="module")
def table(tree):
    return FINAL.frame(tree)


@pytest.fixture
def kept(tmp_path, tree, table):
    path = tmp_path / "new" / "a.csv"
    reference.keep(table, reference.provenance(tree), path)
    return reference.read(path, FINAL)


def test_the_same_numbers_agree(tree, table, kept):
    found, source = kept
    rows = reference.compare(FINAL, table, found)
    assert len(rows) == len(FINAL.compared) * len(table)
    finished = (table["runs"] > 0).to_numpy().repeat(len(FINAL.compared))
    assert (rows["agrees"] == np.where(finished, "yes", "missing")).all()
    assert source["seeds"] == "[0, 1, 2, 3, 4, 5, 6, 7]"
    assert source["versions"] == tree.attrs["versions"]


@pytest.mark.parametrize(("shift", "verdict"), [(0.5, "yes"), (1.5, "no")])
def test_agreement_is_overlap(table, kept, shift, verdict):
    """By half the width of its interval, and by one and a half."""
    moved = table.copy()
    width = float(np.diff(moved[["elbo_low", "elbo_high"]].iloc[0])[0])
    for end in ("", "_low", "_high"):
        moved.loc[0, f"elbo{end}"] += shift * width
    rows = reference.compare(FINAL, moved, kept[0])
    assert rows["agrees"].tolist()[:2] == [verdict, "yes"]


def test_without_intervals_nothing_is_said(table, kept):
    alone = table.assign(elbo=table["elbo"] + 1, elbo_low=np.nan, elbo_high=np.nan)
    rows = reference.compare(FINAL, alone, kept[0])
    assert rows.loc[rows["quantity"] == "elbo", "agrees"].tolist()[0] == "?"


def test_cells_that_are_not_there_are_missing_and_further_ones_do_no_harm(table, kept):
    rows = reference.compare(FINAL, table[1:], kept[0])
    assert rows["agrees"].tolist()[:5] == ["missing"] * 5
    assert len(reference.compare(FINAL, table, kept[0][1:])) == len(rows) - 5


def test_other_axes_are_named(table, kept):
    with pytest.raises(StudyError, match=r"^a\.csv: has the axes .*latent_dim, the study model, dataset; .*--keep"):
        reference.compare(FINAL, table.drop(columns="latent_dim"), kept[0], Path("a.csv"))


def test_mistakes_are_named(tmp_path):
    with pytest.raises(ValueError, match="--keep"):
        reference.read(tmp_path / "none.csv", FINAL)
    other = tmp_path / "other.csv"
    for content, problem in (
        (b"model,dataset\nvae1,pca\n", "elbo is missing; write it anew"),
        (b"", "No columns to parse"),
        (b"a,b\n1,2,3\n1\n1,2,3,4\n", "Expected 3 fields"),
        (b"\xff\xfe", "codec can't decode"),
    ):
        other.write_bytes(content)
        with pytest.raises(StudyError, match=rf"other\.csv: .*{problem}"):
            reference.read(other, FINAL)


def test_a_cell_that_is_no_number_is_named(tmp_path, table):
    """By its line in the file, beside which there are some of comments."""
    path = tmp_path / "a.csv"
    for row, column in ((0, "elbo"), (9, "gap_low")):
        spoilt = table.astype({column: object})
        spoilt.loc[row, column] = "1;5"
        reference.keep(spoilt, {"study": "a", "seeds": "[0]"}, path)
        line = 1 + next(number for number, text in enumerate(path.read_text().splitlines()) if "1;5" in text)
        with pytest.raises(StudyError, match=rf"a\.csv: line {line}: {column}: '1;5' is no number; .*--keep"):
            reference.read(path, FINAL)


def test_a_reference_without_rows_is_refused(tmp_path, table):
    reference.keep(table.iloc[:0], {"study": "a"}, tmp_path / "a.csv")
    with pytest.raises(StudyError, match=r"a\.csv: has no rows; write it anew"):
        reference.read(tmp_path / "a.csv", FINAL)


def test_what_is_read_is_what_was_kept(table, kept):
    """To the last bit, so that equal medians without an interval are known to be equal."""
    for name in (f"{quantity}{end}" for quantity in FINAL.compared for end in reference.ENDS):
        np.testing.assert_array_equal(kept[0][name], table[name], err_msg=name)


def test_a_reference_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch, table, kept):
    path = tmp_path / "new" / "a.csv"
    before = path.read_text()

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="space"):
        reference.keep(table, {}, path)
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


def test_command(folder, capsys, table):
    """Keeps a reference, agrees with it, and ends with 1 where it does not."""
    assert main(["compare", "a.yaml", "--keep"]) == 0
    assert main(["compare", "a.yaml"]) == 0
    assert " 0 do not agree" in capsys.readouterr().out
    path = folder / reference.FOLDER / "a.csv"
    moved = table.assign(**{f"gap{end}": table[f"gap{end}"] + 1e3 for end in ("", "_low", "_high")})
    reference.keep(moved, {}, path)
    assert main(["compare", "a.yaml"]) == 1
    (folder / "results" / "a" / "traces.nc").unlink()
    assert main(["compare", "a.yaml"]) == 2
    assert "entropy-sums collect" in capsys.readouterr().err


def test_a_table_without_a_reference_is_named_and_the_others_are_compared(folder, capsys):
    assert main(["compare", "a.yaml", "--keep"]) == 0
    (folder / reference.FOLDER / "a.csv").unlink()
    assert main(["compare", "a.yaml"]) == 2
    out, error = capsys.readouterr()
    assert out.startswith(str(reference.FOLDER / "a.subsets.csv"))
    assert " 0 do not agree" in out
    assert error.startswith(f"entropy-sums compare: {reference.FOLDER / 'a.csv'}: no reference; `entropy-sums compare")
    assert error.count("\n") == 1


def test_references_that_cannot_be_compared_do_not_hide_the_others(folder, capsys, table):
    assert main(["compare", "a.yaml", "--keep"]) == 0
    path = folder / reference.FOLDER / "a.csv"
    for wrong, message in ((table.assign(gap="?"), "line 2: gap: '?' is no"), (table.assign(beta=1), "has the axes ")):
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
    number = len(kept) * len(TABLES["subsets"].compared)
    assert f"0 agree, 0 do not agree, 0 without intervals, {number} missing" in last
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
    return rounded(*(row[f"{quantity}{end}"] for end in reference.ENDS))


@pytest.mark.parametrize("name", ["subsets", "model_selection"])
def test_other_tables_are_kept_and_compared(tmp_path, name):
    """Row by row: a number is found by its segment, or by how many points it is from."""
    tree = {"subsets": example_tree, "model_selection": streaming}[name]()
    declared, path = TABLES[name], tmp_path / reference.file("a", name)
    table = declared.frame(tree)
    reference.keep(table, reference.provenance(tree), path)
    kept, _ = reference.read(path, declared)
    rows = reference.compare(declared, table, kept)
    assert len(rows) == len(table) * len(declared.compared)
    finished = (table["runs"] > 0).to_numpy().repeat(len(declared.compared))
    assert (rows["agrees"] == np.where(finished, "yes", "missing")).all()
    moved = table.copy()
    for end in reference.ENDS:
        moved.loc[0, f"elbo{end}"] += 1e3
    assert reference.compare(declared, moved, kept)["agrees"].tolist().count("no") == 1


ROWS = """study,table,where,quantity,value,std,source
example,final,"{""model"": ""vae1"", ""dataset"": ""pca"", ""latent_dim"": 4}",elbo,-6.5,0.25,somebody (2020)
example,model_selection,"{""segment"": 2}",elbo,-9.21,0.731,somebody (2020)
example,final,"{""model"": ""vae7""}",elbo,1.0,,somebody (2020)
example,subsets,"{""subset"": 7}",elbo,1.0,,somebody (2020)
other,final,{},elbo,1.0,,somebody (2020)
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
        ("0.731,somebody (2020)", "0.731", "source: String should have at least 1 character"),
        ("0.731,somebody (2020)", "0.731,somebody, else", "more values than columns; put double quotes around"),
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
    """Every study is there, every number is one and has a source, and where we have a reference it is found there."""
    root = Path(__file__).parents[1]
    rows = pd.read_csv(root / reference.PUBLISHED, dtype=str, keep_default_na=False)
    assert set(rows["study"]) <= {path.stem for path in (root / "config" / "studies").glob("*.yaml")}
    assert rows["source"].str.contains(r"\d{4}").all()
    for study, own in rows.groupby("study"):
        assert len(reference.published(str(study), {}, root / reference.PUBLISHED)) == len(own)
    folder = root / reference.FOLDER
    for study, size in (("damm2023", "damm2023-laptop"), ("velychko2024", "velychko2024")):
        files = {name: folder / reference.file(size, name) for name in TABLES}
        tables = {name: pd.read_csv(path, comment="#") for name, path in files.items() if path.is_file()}
        found = reference.published(study, tables, root / reference.PUBLISHED)
        assert "missing" not in found["found"].tolist()
