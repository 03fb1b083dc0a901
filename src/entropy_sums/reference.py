"""Reference tables for comparison with later runs: a CSV per table, with its provenance in its first lines."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
from pydantic import BaseModel, Field, FiniteFloat, field_validator

from entropy_sums.analysis import names
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

VERDICTS = {"yes": "agree", "no": "do not agree", "?": "without intervals", "missing": "missing"}
"""Verdict of `compare` → its meaning in words."""

ENDS = ("", "_low", "_high")
"""Suffixes of a quantity and of the limits of its interval."""


class Entry(BaseModel):
    """A line of the file of published numbers.

    Example:
        >>> said = {"study": "a", "table": "final", "quantity": "elbo", "value": "-1.5", "source": "somebody (2020)"}
        >>> Entry(**said, where='{"latent_dim": 2}', std="").where
        {'latent_dim': 2}
    """

    study: str
    table: str
    where: dict[str, Any]
    quantity: str
    value: FiniteFloat
    std: FiniteFloat | Literal[""]
    source: str = Field(min_length=1)

    @field_validator("table")
    @classmethod
    def _known_table(cls, name: str) -> str:
        if name not in TABLES:
            raise ValueError(f"no table {name!r}; {nearest(name, TABLES)}")
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


def keep(table: pd.DataFrame, source: Mapping[str, str], path: Path) -> None:
    """Write a table with its provenance as lines that begin with `#`.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     keep(pd.DataFrame({"model": ["vae1"], "elbo": [-1.5]}), {"study": "a"}, Path(folder, "a.csv"))
        ...     Path(folder, "a.csv").read_text().splitlines()
        ['# study: a', 'model,elbo', 'vae1,-1.5']
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"# {name}: {value}\n" for name, value in source.items())
    with atomic(path) as temporary:
        temporary.write_text(lines + table.to_csv(index=False), encoding="utf-8")


def read(path: Path, table: Table) -> tuple[pd.DataFrame, dict[str, str]]:
    """Read a table that `keep` wrote: a frame with all compared quantities and their limits, and its provenance.

    Raises:
        StudyError: there is no such file, or `keep` did not write it.
    """
    if not path.is_file():
        raise StudyError(f"{path}: no reference; `entropy-sums compare STUDY --keep` writes one of the present results")
    try:
        text = path.read_text(encoding="utf-8")
        frame = pd.read_csv(StringIO(text), comment="#")
    except ValueError as error:
        raise StudyError(f"{path}: no table of `entropy-sums compare --keep` ({error}); write it anew") from error
    lines = text.splitlines()
    lacking = [name for name in ("model", "dataset", *_columns(table.compared)) if name not in frame.columns]
    if lacking:
        raise StudyError(f"{path}: no table of `entropy-sums compare --keep`: {lacking[0]} is missing; write it anew")
    if frame.empty:
        raise StudyError(f"{path}: has no rows; write it anew with `entropy-sums compare STUDY --keep`")
    cells = frame.loc[:, _columns(table.compared)]
    wrong = np.argwhere(cells.notna().to_numpy() & cells.apply(pd.to_numeric, errors="coerce").isna().to_numpy())
    if len(wrong):
        row, column = wrong[0]
        # The first line has the names of the columns
        filled = [number for number, line in enumerate(lines, 1) if line and not line.startswith("#")]
        raise StudyError(
            f"{path}: line {filled[row + 1]}: {cells.columns[column]}: {cells.iat[row, column]!r} is no number; "
            "mend it, or write the file anew with `entropy-sums compare STUDY --keep`"
        )
    return frame, dict(line[2:].split(": ", 1) for line in lines if line.startswith("# ") and ": " in line)


def compare(
    table: Table, frame: pd.DataFrame, reference: pd.DataFrame, named: Path | str = "the reference"
) -> pd.DataFrame:
    """A row per cell of the reference and quantity: medians over runs with 95 % intervals, and whether they agree.

    They agree (`yes`) where the intervals overlap, or the medians are equal. Without both intervals the verdict is
    unknown (`?`). A cell that the frame lacks, or has no run of, is `missing`. Further cells of the frame are left out.

    Args:
        table: table of frame and reference; its columns say what is compared.
        named: name of the reference in errors.

    Raises:
        StudyError: the tables have other axes.

    Example:
        >>> frame = TABLES["final"].frame(tree)
        >>> compare(TABLES["final"], frame, frame).loc[0, ["quantity", "reference", "found", "agrees"]].tolist()
        ['elbo', '-7.02 [-7.20, -6.88]', '-7.02 [-7.20, -6.88]', 'yes']
    """
    keys = table.axes(reference.columns)
    if frame.empty:
        frame = frame.reindex(columns=reference.columns)
    own = table.axes(frame.columns)
    if set(keys) != set(own):
        raise StudyError(
            f"{named}: has the axes {', '.join(keys)}, the study {', '.join(own)}; "
            "name the study that it was written of, or write it anew with `entropy-sums compare STUDY --keep`"
        )
    both = _labelled(reference, keys).merge(_labelled(frame, keys), on=keys, how="left", suffixes=("_reference", ""))
    rows = []
    for row in both.to_dict("records"):
        for name in table.compared:
            kept, found = (tuple(row[f"{c}{suffix}"] for c in _columns([name])) for suffix in ("_reference", ""))
            texts = {"reference": rounded(*kept), "found": rounded(*found)}
            rows.append({**{key: row[key] for key in keys}, "quantity": name, **texts, "agrees": _agree(kept, found)})
    return pd.DataFrame(rows)


def published(study: str, tables: Mapping[str, pd.DataFrame], path: Path = PUBLISHED) -> pd.DataFrame:
    """Published numbers for a study, beside the numbers in its tables: a row per number.

    A row of the file has a `study`, one of its `table`s, and the place of the number in it, `where` (JSON: column →
    value). It also has the `quantity`, which is a column of that table, its published `value`, its standard deviation
    (`std`) where there is one, and the `source`. Without the file there are no rows.

    Args:
        study: name without a size.
        tables: frames of the tables of the study, by name.

    Raises:
        StudyError: a line of the study cannot be read, or its `where` matches more than one row.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> tables = {"final": pd.DataFrame({"model": ["vae1"], "elbo": [-1.4375]})}
        >>> line = 'a,final,"{""model"": ""vae1""}",elbo,-1.5,,somebody (2020)'
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
                    "found": VERDICTS["missing"] if ours is None else _text(ours, entry.quantity),
                    "source": entry.source,
                }
            )
    return pd.DataFrame(found, columns=["table", "cell", "quantity", "published", "found", "source"])


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


def _columns(quantities: Sequence[str]) -> list[str]:
    return [f"{name}{end}" for name in quantities for end in ENDS]


def _labelled(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Frame with the values on axes as text: in a file, one axis may have numbers and words."""
    return frame.assign(**{key: [names.settings(value) for value in frame[key].tolist()] for key in keys})


def _agree(kept: tuple[float, ...], found: tuple[float, ...]) -> str:
    (a, low_a, high_a), (b, low_b, high_b) = kept, found
    if math.isnan(b):
        return "missing"
    if a == b:
        return "yes"
    if math.isnan(low_a + high_a + low_b + high_b):
        return "?"
    return "yes" if low_a <= high_b and low_b <= high_a else "no"


def _asked(study: Study, tree: xr.DataTree, folder: Path) -> Iterator[tuple[str, Table, pd.DataFrame, Path]]:
    """Tables of a study with compared quantities: the present frame of each, and the path of its reference."""
    for name in study.tables:
        table = study.catalogue.tables[name]
        if table.compared:
            yield name, table, table.frame(tree), folder / file(study.name, name)


def keep_all(study: Study, tree: xr.DataTree, folder: Path) -> Iterator[str]:
    """Write the present tables of a study as its references; yield a line for each unchanged reference."""
    for _, _, frame, path in _asked(study, tree, folder):
        if len(frame):
            keep(frame, provenance(tree), path)
        elif path.exists():
            yield f"{path}: stays as it is, the study has no rows of this table now"


def agrees(study: Study, tree: xr.DataTree, folder: Path) -> bool:
    """Print the tables of a study beside references and published numbers; return whether no number disagrees.

    Raises:
        StudyError: a reference is missing or of another form; raised after all others are printed.
    """
    agreeing, mistakes, frames = True, [], {}
    for name, table, frame, path in _asked(study, tree, folder):
        frames[name] = frame
        # Without rows, as where the datasets of a table are not available, nothing is missing
        if not len(frame) and not path.exists():
            continue
        try:
            kept, source = read(path, table)
            rows = compare(table, frame, kept, path)
        except StudyError as error:
            mistakes.append(str(error))
            continue
        print("\n".join([str(path), *(f"{key}: {value}" for key, value in source.items())]))
        print(rows.to_string(index=False))
        counts = rows["agrees"].value_counts()
        print(", ".join(f"{counts.get(verdict, 0)} {meaning}" for verdict, meaning in VERDICTS.items()), "\n")
        agreeing &= "no" not in rows["agrees"].tolist()
    try:
        if len(in_print := published(study.study, frames)):
            print(f"Published numbers ({PUBLISHED}):\n{in_print.to_string(index=False)}")
    except StudyError as error:
        mistakes.append(str(error))
    if mistakes:
        raise StudyError("\n".join(mistakes))
    return agreeing
