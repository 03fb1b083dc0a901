import importlib
import subprocess
import sys

import pytest
from PIL import Image

from entropy_sums import figures
from entropy_sums.analysis import cells
from entropy_sums.study import pictures
from example import example_tree

PICTURES = pictures.names(list(pictures.FIGURES), {"dataset": ["pca"], "panels": ["figure_1"]})


def test_the_mapping_is_light():
    """The workflow imports it for every job."""
    heavy = "{'matplotlib', 'xarray', 'numpy'}"
    code = f"import sys, entropy_sums.study.pictures; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_names():
    assert pictures.names(["latent_entropies", "gap_by_model"], {"dataset": ["pca_ring"]}) == [
        "latent_entropies_pca_ring",
        "gap_by_model",
    ]
    with pytest.raises(KeyError, match="no figure 'trace'; there are traces"):
        pictures.names(["trace"], {"dataset": ["pca"]})


@pytest.mark.parametrize("name", ["gap_by_model_pca", "traces", "unknown"])
def test_a_name_of_no_picture_is_refused(name, tmp_path, single):
    with pytest.raises(KeyError, match=f"no picture '{name}'"):
        figures.render(name, single, tmp_path / name)


def test_an_unknown_dataset_is_refused(tmp_path, single):
    with pytest.raises(KeyError, match="no dataset 'pca' in this study; it has digits"):
        figures.render("traces_pca", single, tmp_path / "traces")


@pytest.mark.parametrize("name", PICTURES)
def test_twice_gives_the_same_bytes(name, tmp_path):
    axes = {"dataset": ["pca"], "latent_dim": [2, 4], "seed": range(4)}
    for folder in ("first", "second"):
        figures.render(name, example_tree(axes, ["linearvae", "vae0"]), tmp_path / folder / "picture.v1")
    for suffix in pictures.SUFFIXES:
        first, second = (tmp_path / folder / f"picture.v1{suffix}" for folder in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()
        assert first.stat().st_size > 100
    with Image.open(tmp_path / "first" / "picture.v1.png") as image:
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        assert image.width >= 3.2 * 300


@pytest.mark.parametrize("name", ["traces", "convergence", "latent_entropies", "entropies"])
def test_steps_that_other_data_were_recorded_at_make_no_axis_longer(name, study):
    tree = cells.narrow(study, "pca").copy(deep=True)
    last = 10
    for node in tree.children.values():
        node["elbo"] = node["elbo"].where(node["step"] <= last)
    drawn = importlib.import_module(f"entropy_sums.figures.{name}").draw(tree)
    assert drawn.axes[0].get_xlim()[1] <= 2 * last < study["vae1"]["step"].max()
