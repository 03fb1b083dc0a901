"""Tables as files."""

import pandas as pd
import pytest
import xarray as xr

from entropy_sums.tables import TABLES
from entropy_sums.tables.write import write
from example import example_tree


def test_csv_keeps_every_digit(frame, tmp_path):
    write(TABLES["final"], frame, tmp_path / "tables" / "final.v1")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "tables" / "final.v1.csv"), frame)


@pytest.mark.parametrize("name", ["subsets", "model_selection"])
def test_tables_without_rows_have_columns(name, tmp_path):
    groups = {"vae1": example_tree({"dataset": ["pca"], "latent_dim": [2], "seed": [0]}, ["vae1"])["vae1"].to_dataset()}
    groups["vae1"] = groups["vae1"].drop_vars([name for name in groups["vae1"] if name.startswith("subset_")])
    plain = xr.DataTree.from_dict({"/": example_tree().to_dataset(), **groups})
    empty = TABLES[name].frame(plain)
    assert len(empty) == 0
    write(TABLES[name], empty, tmp_path / "empty")
    assert pd.read_csv(tmp_path / "empty.csv").columns.tolist() == [column.name for column in TABLES[name].columns]
