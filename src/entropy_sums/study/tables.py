"""Declaration of a table of a plugin. Light: the workflow asks which there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from entropy_sums.modules import Space, load

TAKEN = ("final", "subsets", "model_selection", "certificates")
"""Names of the tables of this package."""


@dataclass(frozen=True)
class Table:
    """A table, with its code as text, so that planning does not import what makes it.

    Attributes:
        make: `module:function` that makes a pandas table of a collected tree; one without rows is not shown.
        title: its heading in the report.
        columns: what its columns hold, a sentence for the report.
        space: modules that `make` is looked for in first.
        source: digest of the code of the plugin.
    """

    make: str
    title: str
    columns: Mapping[str, str] = field(default_factory=dict)
    space: Space | None = field(default=None, compare=False)
    source: str = ""

    def code(self) -> Callable[[Any], Any]:
        """The function that makes it, imported."""
        return load(self.make, self.space)
