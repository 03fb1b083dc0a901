"""Write the tables of results-format.md from the declarations in the code: `python docs/tables.py`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from entropy_sums.quantities import BATCHES, DECLARED, SUBSETS, Quantity
from entropy_sums.study.tables import Column
from entropy_sums.tables import TABLES

PAGE = Path(__file__).with_name("results-format.md")

PART = re.compile(r"(?<=<!-- written by docs/tables\.py: )([\w.]+) -->\n.*?(?=<!-- end -->)", re.DOTALL)
"""A generated part of the page: its name, and all until its end."""


def quantities(shown: Iterable[Quantity]) -> str:
    """Markdown table of quantities; twins on held-out data and limits stand in the row of their quantity.

    Example:
        >>> from entropy_sums.quantities import QUANTITIES
        >>> print(quantities([QUANTITIES["gap"]]).splitlines()[2])
        | `gap`, `heldout_gap` | axes, `step` | nats per data point | ELBO minus entropy sum |
    """
    rows = []
    for quantity in shown:
        names = [f"`{each.name}`" for each in (quantity, quantity.twin) if each]
        limits = " with `…_low`, `…_high`" if quantity.limits else ""
        dimensions = ", ".join(["axes", *(f"`{name}`" for name in quantity.dimensions)])
        meaning = "; ".join(filter(None, [quantity.meaning, quantity.note]))
        rows.append((", ".join(names) + limits, dimensions, quantity.unit, meaning))
    return _table(("name", "dimensions", "unit", "meaning"), rows)


def columns(shown: Iterable[Column]) -> str:
    """Markdown table of the columns of a table."""
    rows = [(f"`{each.name}`", each.unit, each.meaning, "yes" if each.compared else "") for each in shown]
    return _table(("column", "unit", "meaning", "compared"), rows)


def _table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    headings = list(headings)
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


TEXTS = {
    "step": quantities(quantity for quantity in DECLARED if quantity.per_step),
    "once": quantities([*(quantity for quantity in DECLARED if not quantity.per_step), *SUBSETS, *BATCHES]),
    **{name: columns(table.columns) for name, table in TABLES.items()},
}
"""Name of a generated part → its text."""


def written(page: str) -> str:
    """The page with its generated parts as the code declares them now."""
    return PART.sub(lambda part: f"{part[1]} -->\n{TEXTS[part[1]]}", page)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
