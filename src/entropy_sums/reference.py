"""References for comparison with later runs: the numbers of every run, a CSV per table, behind its provenance."""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from pydantic import BaseModel, Field, FiniteFloat, field_validator

from entropy_sums.analysis import cells, comparison, names, statistics
from entropy_sums.analysis.comparison import Margins
from entropy_sums.files import atomic
from entropy_sums.study.errors import StudyError, explained, nearest
from entropy_sums.study.schema import Study
from entropy_sums.study.tables import Table
from entropy_sums.tables import TABLES
from entropy_sums.tables.words import rounded

FOLDER = Path("results/reference")
"""Folder of the references, relative to the folder of the project."""

PUBLISHED = FOLDER / "published.csv"
"""Numbers of papers, each with its source."""

MISSING = "missing"
"""Verdict where one side has no run."""

VERDICTS = {
    comparison.AGREES: "agree",
    comparison.DIFFERS: "differ",
    comparison.TOO_FEW: comparison.TOO_FEW,
    MISSING: "missing",
}
"""Verdict of `compare` → its form after a number of rows."""

SIZE = "observed_dim"
"""Column of a reference with the number of data dimensions, from which margins follow."""

KINDS = {
    "paper": "printed in the text, a table or a figure of the paper",
    "log": "computed from a log file that comes with the official code",
    "one run": "printed output of one run, kept in a notebook or a tutorial",
}
"""Kind of a published number → its meaning."""


class Entry(BaseModel):
    """A line of the file of published numbers.

    Example:
        >>> said = {"study": "a", "table": "final", "quantity": "elbo", "value": "-1.5", "source": "somebody (2020)"}
        >>> Entry(**said, where='{"latent_dim": 2}', std="", kind="paper").where
        {'latent_dim': 2}
    """

    study: str
    table: str
    where: dict[str, Any]
    quantity: str
    value: FiniteFloat
    std: FiniteFloat | Literal[""]
    kind: str
    source: str = Field(min_length=1)

    @field_validator("table")
    @classmethod
    def _known_table(cls, name: str) -> str:
        if name not in TABLES:
            raise ValueError(f"no table {name!r}; {nearest(name, TABLES)}")
        return name

    @field_validator("kind")
    @classmethod
    def _known_kind(cls, name: str) -> str:
        if name not in KINDS:
            raise ValueError(f"no kind {name!r}; known are: {', '.join(KINDS)}")
        return name

    @field_validator("where", mode="before")
    @classmethod
    def _json(cls, text: str) -> Any:
        try:
            return json.loads(text)
        except ValueError as error:
            raise ValueError(f'no JSON ({error}); write "{{""column"": value}}", with all these quotes') from error

    @field_validator("quantity")
    @classmethod
    def _known_quantity(cls, name: str, info: Any) -> str:
        table = info.data.get("table")
        if table is not None and name not in TABLES[table].numbers:
            raise ValueError(f"no number {name!r} in the table {table}; {nearest(name, TABLES[table].numbers)}")
        return name


def file(study: str, table: str) -> Path:
    """Name of the reference of a table; the reference of the table `final` has the name of the study.

    Example:
        >>> str(file("zoo", "final")), str(file("damm2023-laptop", "subsets"))
        ('zoo.csv', 'damm2023-laptop.subsets.csv')
    """
    return Path(f"{study}.csv" if table == "final" else f"{study}.{table}.csv")


def provenance(tree: xr.DataTree) -> dict[str, str]:
    """Provenance of the numbers of a collected file.

    Example:
        >>> sorted(provenance(tree))
        ['devices', 'protocol', 'seeds', 'size', 'study', 'versions']
    """
    seeds = sorted({seed for node in tree.children.values() for seed in node.to_dataset()["seed"].values.tolist()})
    said = {name: str(tree.attrs.get(name, "")) for name in ("study", "size", "protocol", "versions", "devices")}
    return {**said, "seeds": json.dumps(seeds)}


def runs(name: str, table: Table, tree: xr.DataTree) -> pd.DataFrame:
    """The numbers of every run behind a table, with the number of data dimensions; empty without rows.

    Raises:
        StudyError: the table has a compared column that is no number of every run.

    Example:
        >>> list(runs("final", TABLES["final"], tree).columns[:5])
        ['model', 'dataset', 'latent_dim', 'seed', 'elbo']
    """
    frame = table.runs(tree)
    if frame.empty:
        return frame
    if lacking := [column for column in table.compared if column not in frame]:
        raise StudyError(
            f"table {name}: {lacking[0]} is to be compared, but `{table.rows}` gives no number of every run; "
            "let it give a DataArray over seed, of which the table shows the median"
        )
    groups = {model: node.to_dataset()[[SIZE]] for model, node in tree.children.items()}
    places = [name for name in table.axes(frame.columns) if name != "seed"]
    for _, rows in frame.groupby(places, dropna=False, sort=False):
        place = rows.iloc[0][places].to_dict()
        frame.loc[rows.index, SIZE] = cells.select(groups[place["model"]], place)[SIZE].max().item()
    return frame


def keep(frame: pd.DataFrame, source: Mapping[str, str], path: Path) -> None:
    """Write numbers of runs with their provenance as lines that begin with `#`.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     keep(pd.DataFrame({"seed": ["0"], "elbo": [-1.5]}), {"study": "a"}, Path(folder, "a.csv"))
        ...     Path(folder, "a.csv").read_text().splitlines()
        ['# study: a', 'seed,elbo', '0,-1.5']
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"# {name}: {value}\n" for name, value in source.items())
    with atomic(path) as temporary:
        temporary.write_text(lines + frame.to_csv(index=False), encoding="utf-8")


def read(path: Path, table: Table) -> tuple[pd.DataFrame, dict[str, str]]:
    """Read a reference that `keep` wrote: a frame with all compared quantities of every run, and its provenance.

    Raises:
        StudyError: there is no such file, or `keep` did not write it.
    """
    if not path.is_file():
        raise StudyError(f"{path}: no reference; `entropy-sums compare STUDY --keep` writes one of the present results")
    try:
        text = path.read_text(encoding="utf-8")
        frame = pd.read_csv(StringIO(text), comment="#", dtype={"seed": str})
    except ValueError as error:
        raise StudyError(f"{path}: no table of `entropy-sums compare --keep` ({error}); write it anew") from error
    lines = text.splitlines()
    measured = [*table.compared, SIZE]
    lacking = [name for name in ("model", "dataset", "seed", *measured) if name not in frame.columns]
    if "seed" in lacking and {f"{name}_low" for name in table.compared} <= set(frame.columns):
        raise StudyError(
            f"{path}: holds medians, as earlier versions wrote them; a comparison needs the numbers of every run. Keep "
            "the file for its numbers under another name, or write it anew with `entropy-sums compare STUDY --keep`"
        )
    if lacking:
        raise StudyError(f"{path}: no table of `entropy-sums compare --keep`: {lacking[0]} is missing; write it anew")
    if frame.empty:
        raise StudyError(f"{path}: has no rows; write it anew with `entropy-sums compare STUDY --keep`")
    cells_ = frame.loc[:, measured]
    numbers = cells_.apply(pd.to_numeric, errors="coerce")
    # The first line has the names of the columns
    filled = [number for number, line in enumerate(lines, 1) if line and not line.startswith("#")]
    wrong = np.argwhere(cells_.notna().to_numpy() & numbers.isna().to_numpy())
    if len(wrong):
        row, column = wrong[0]
        raise StudyError(
            f"{path}: line {filled[row + 1]}: {cells_.columns[column]}: {cells_.iat[row, column]!r} is no number; "
            "mend it, or write the file anew with `entropy-sums compare STUDY --keep`"
        )
    places = table.axes(frame.columns)
    if (twice := frame.duplicated([name for name in places if name != SIZE])).any():
        raise StudyError(f"{path}: line {filled[int(twice.to_numpy().argmax()) + 1]}: the same run twice; delete one")
    return frame, dict(line[2:].split(": ", 1) for line in lines if line.startswith("# ") and ": " in line)


class Compared(NamedTuple):
    """Rows of a comparison, and the number of those that were tested."""

    rows: pd.DataFrame
    tests: int


def compare(
    table: Table,
    frame: pd.DataFrame,
    reference: pd.DataFrame,
    named: Path | str = "the reference",
    margins: Margins | None = None,
) -> Compared:
    """Compare runs with those of a reference: a row per cell of the reference and quantity.

    A row has the medians of both with their intervals, the mean difference (found minus reference) with its interval,
    the margin, the number of runs or pairs, and the verdict of `comparison.verdicts`. A cell without a finite number on
    one side is `missing`. Further cells of the frame are left out.

    Args:
        table: table of frame and reference; its columns say what is compared.
        frame: present runs, as `runs` gives them.
        named: name of the reference in errors.
        margins: largest differences that count as agreement.

    Raises:
        StudyError: the tables have other axes.

    Example:
        >>> found = runs("final", TABLES["final"], tree)
        >>> rows = compare(TABLES["final"], found, found).rows
        >>> rows.loc[0, ["quantity", "reference", "difference", "runs", "verdict"]].tolist()
        ['elbo', '-7.02 [-7.22, -6.88]', '0', '7 pairs', 'agrees']
    """
    margins = margins or Margins()
    if frame.empty:
        frame = frame.reindex(columns=reference.columns)
    keys, own = (_places(table, side) for side in (reference, frame))
    if set(keys) != set(own):
        raise StudyError(
            f"{named}: has the axes {', '.join(keys)}, the study {', '.join(own)}; "
            "name the study that it was written of, or write it anew with `entropy-sums compare STUDY --keep`"
        )
    present = _by_cell(frame, keys)
    found, differences = [], {}
    for place, rows in _by_cell(reference, keys).items():
        for column in (table.numbers[name] for name in table.compared):
            kept, new = (_finite(side, column.name) for side in (rows, present.get(place)))
            row = {**dict(zip(keys, place, strict=True)), "quantity": column.name}
            row |= {"reference": _median(kept), "found": _median(new)}
            row |= {"difference": "–", "margin": "–", "runs": "–", "verdict": MISSING}
            if kept and new:
                value = float(np.median(list(kept.values())))
                margin = margins.of(column.unit, value, float(rows[SIZE].iloc[0]))
                differences[len(found)] = each = comparison.difference(kept, new, margin)
                row |= {"difference": rounded(each.mean, each.low, each.high), "margin": f"{margin:.2g}"}
                row |= {"runs": each.runs}
            found.append(row)
    for place, verdict in zip(differences, comparison.verdicts(list(differences.values())), strict=True):
        found[place]["verdict"] = verdict
    return Compared(pd.DataFrame(found), comparison.count_tests(list(differences.values())))


def _places(table: Table, frame: pd.DataFrame) -> list[str]:
    """Columns that identify a cell."""
    return [name for name in table.axes(frame.columns) if name not in ("seed", SIZE)]


def _finite(rows: pd.DataFrame | None, name: str) -> dict[str, float]:
    """Seed → finite number; none without rows."""
    if rows is None:
        return {}
    values = zip(rows["seed"].astype(str), rows[name].astype(float), strict=True)
    return {seed: value for seed, value in values if math.isfinite(value)}


def _median(runs: Mapping[str, float]) -> str:
    """Median of runs, with its interval."""
    found = statistics.interval(xr.DataArray(list(runs.values()), dims="seed"))
    return rounded(*(found[name].item() for name in ("estimate", "low", "high")))


def published(study: str, tables: Mapping[str, pd.DataFrame], path: Path = PUBLISHED) -> pd.DataFrame:
    """Published numbers for a study, beside the numbers in its tables: a row per number.

    A row of the file has a `study`, one of its `table`s, and the place of the number in it, `where` (JSON: column →
    value). It also has the `quantity`, which is a column of that table, its published `value`, its standard deviation
    (`std`) where there is one, its `kind` (one of `KINDS`) and the `source`. Without the file there are no rows.

    Args:
        study: name without a size.
        tables: frames of the tables of the study, by name.

    Raises:
        StudyError: a line of the study cannot be read, or its `where` matches more than one row.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> tables = {"final": pd.DataFrame({"model": ["vae1"], "elbo": [-1.4375]})}
        >>> line = 'a,final,"{""model"": ""vae1""}",elbo,-1.5,,paper,somebody (2020)'
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "published.csv").write_text(",".join(Entry.model_fields) + "\\n" + line)
        ...     published("a", tables, Path(folder, "published.csv")).loc[0, ["published", "found"]].tolist()
        ['-1.5', '-1.438']
    """
    found = []
    for line, row in _lines(path):
        if row["study"] == study:
            place = f"{path}: line {line}"
            with explained(place, row):
                entry = Entry.model_validate(row)
            ours = _row(tables.get(entry.table, pd.DataFrame()), entry, place)
            found.append(
                {
                    "table": entry.table,
                    "cell": ", ".join(f"{axis} {value}" for axis, value in entry.where.items()),
                    "quantity": entry.quantity,
                    "published": row["value"] + (f" ± {row['std']}" if row["std"] else ""),
                    "found": MISSING if ours is None else _text(ours, entry.quantity),
                    "kind": entry.kind,
                    "source": entry.source,
                }
            )
    return pd.DataFrame(found, columns=["table", "cell", "quantity", "published", "found", "kind", "source"])


def _lines(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Rows of the file of published numbers, each with its line number."""
    if not path.is_file():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, restval="")
            rows = [(reader.line_num, row) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise StudyError(f"{path}: no CSV in UTF-8 ({error}); save it as such") from error
    if lacking := [name for name in Entry.model_fields if name not in (reader.fieldnames or ())]:
        columns = ", ".join(Entry.model_fields)
        raise StudyError(f"{path}: the column {lacking[0]} is missing; it has to have {columns}")
    if long := [line for line, row in rows if None in row]:
        raise StudyError(f"{path}: line {long[0]}: more values than columns; put double quotes around one with a comma")
    return rows


def _row(frame: pd.DataFrame, entry: Entry, place: str) -> dict[str, Any] | None:
    """Row of a table that an entry refers to; None where the table has no such row or number."""
    if frame.empty or entry.quantity not in frame:
        return None
    if unknown := [column for column in entry.where if column not in frame]:
        raise StudyError(
            f"{place}: where: {unknown[0]!r} is no column of the table {entry.table}; "
            f"{nearest(unknown[0], map(str, frame.columns))}"
        )
    matching = [row for row in frame.to_dict("records") if _is(row, entry.where)]
    if len(matching) > 1:
        differ = [
            name for name in TABLES[entry.table].axes(frame.columns) if len({str(row[name]) for row in matching}) > 1
        ]
        raise StudyError(
            f"{place}: where: {json.dumps(entry.where)} is {len(matching)} rows of the table {entry.table}; "
            f"also say which {' and '.join(differ)}"
        )
    return matching[0] if matching and pd.notna(matching[0][entry.quantity]) else None


def _is(row: Mapping, where: Mapping[str, object]) -> bool:
    """Whether a row has these values; an axis that some models lack has floats for whole numbers."""
    return all(row[column] == value or str(row[column]) == str(value) for column, value in where.items())


def _text(row: Mapping[str, Any], quantity: str) -> str:
    """A number of a table, with its interval or standard deviation if it has one."""
    if f"{quantity}_std" in row:
        return f"{row[quantity]:.4g} ± {row[f'{quantity}_std']:.2g}"
    return rounded(row[quantity], *(row.get(f"{quantity}{end}", math.nan) for end in ("_low", "_high")))


def _by_cell(frame: pd.DataFrame, keys: list[str]) -> dict[tuple[str, ...], pd.DataFrame]:
    """Values on axes, as text → runs. In a file, one axis may have numbers and words."""
    places: dict[tuple[str, ...], list[int]] = {}
    for line, values in enumerate(frame[keys].itertuples(index=False)):
        places.setdefault(tuple(map(names.settings, values)), []).append(line)
    return {place: frame.iloc[lines] for place, lines in places.items()}


def _asked(study: Study, folder: Path) -> Iterator[tuple[str, Table, Path]]:
    """Tables of a study with compared quantities, and the path of the reference of each."""
    for name in study.tables:
        table = study.catalogue.tables[name]
        if table.compared:
            yield name, table, folder / file(study.name, name)


def keep_all(study: Study, tree: xr.DataTree, folder: Path) -> Iterator[str]:
    """Write the numbers of the present runs of a study as its references; yield a line for each unchanged reference."""
    for name, table, path in _asked(study, folder):
        frame = runs(name, table, tree)
        if len(frame):
            keep(frame, provenance(tree), path)
        elif path.exists():
            yield f"{path}: stays as it is, the study has no rows of this table now"


def agrees(study: Study, tree: xr.DataTree, folder: Path, margins: Margins | None = None) -> bool:
    """Print the runs of a study beside references and published numbers; return whether no number differs.

    Raises:
        StudyError: a reference is missing or of another form; raised after all others are printed.
    """
    agreeing, mistakes, frames = True, [], {}
    for name, table, path in _asked(study, folder):
        frames[name] = table.frame(tree)
        # Without rows, as where the datasets of a table are not available, nothing is missing
        if not len(frames[name]) and not path.exists():
            continue
        try:
            kept, source = read(path, table)
            compared = compare(table, runs(name, table, tree), kept, path, margins)
        except StudyError as error:
            mistakes.append(str(error))
            continue
        print("\n".join([str(path), *(f"{key}: {value}" for key, value in source.items())]))
        print(compared.rows.to_string(index=False))
        print(_conclusion(compared), "\n")
        agreeing &= comparison.DIFFERS not in compared.rows["verdict"].tolist()
    try:
        if len(in_print := published(study.study, frames)):
            print(f"Published numbers ({PUBLISHED}):\n{in_print.to_string(index=False)}")
    except StudyError as error:
        mistakes.append(str(error))
    if mistakes:
        raise StudyError("\n".join(mistakes))
    return agreeing


def _conclusion(compared: Compared) -> str:
    counts = Counter(compared.rows["verdict"])
    summed = ", ".join(f"{counts[verdict]} {meaning}" for verdict, meaning in VERDICTS.items())
    if not compared.tests:
        return f"{summed}. No row is tested: without a test nothing is said to differ."
    rows = "1 row is" if compared.tests == 1 else f"{compared.tests} rows are"
    return (
        f"{summed}. {rows} tested: if nothing has changed, the probability of a false alarm (any row that differs) is "
        f"at most {1 - statistics.LEVEL:.0%}."
    )
