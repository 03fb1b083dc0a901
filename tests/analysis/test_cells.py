import numpy as np
import pytest
import xarray as xr

from entropy_sums.analysis import cells, statistics
from example import AXES, example_tree


@pytest.fixture(scope="module")
def swept():
    return example_tree({**AXES, "learning_rate": [0.001, 0.01]}, ["vae0", "vae1"], flaws=False)


def without(tree, model, axis):
    """The tree of a study in which a model has no such setting."""
    fixed = tree[model].to_dataset().isel({axis: 0}, drop=True)
    return tree.assign({model: type(tree)(fixed, name=model)})


def test_a_further_axis_becomes_a_facet(swept):
    assert cells.facet_axes(swept) == ["latent_dim", "learning_rate"]
    assert cells.combinations(swept)[1] == {"latent_dim": 2, "learning_rate": 0.01}
    assert len(list(cells.walk(swept))) == 2 * 2 * 2 * 2


def test_a_study_without_facet_axes_is_one_combination():
    tree = example_tree({"dataset": ["pca"], "latent_dim": [2], "seed": [0]}, ["vae1"])
    tree = without(tree, "vae1", "latent_dim")
    assert cells.combinations(tree) == [{}]


def test_cells_that_the_study_excludes_are_no_cells():
    """Neither a value that a group lacks nor a combination that was not planned; what failed stays."""
    place = {"dataset": "digits", "latent_dim": 4}
    tree = example_tree()
    short = tree.assign(vae1=type(tree)(tree["vae1"].to_dataset().sel(dataset=["pca"])))
    assert np.isnan(cells.select(short["vae1"].to_dataset(), place)["elbo"]).all()
    ds = tree["vae1"].to_dataset().copy(deep=True)
    ds["planned"].loc[place] = 0.0
    ds["elbo"].loc[place] = np.nan
    excluded = tree.assign(vae1=type(tree)(ds))
    failed = tree.assign(vae1=type(tree)(ds.assign(planned=xr.ones_like(ds["planned"]))))
    for changed, there in ((short, False), (excluded, False), (failed, True)):
        assert (("vae1", place) in [(model, cell) for model, cell, _ in cells.walk(changed)]) == there
    assert statistics.missing(cells.select(failed["vae1"].to_dataset(), place)).all()


def test_a_model_without_a_setting_has_its_runs_in_every_cell(swept):
    tree = without(swept, "vae0", "learning_rate")
    assert cells.facet_axes(tree) == ["latent_dim", "learning_rate"]
    runs = cells.select(tree["vae0"].to_dataset(), {"dataset": "pca", "latent_dim": 2, "learning_rate": 0.01})
    first = swept["vae0"].to_dataset().sel(dataset="pca", latent_dim=2, learning_rate=0.001)
    assert runs["elbo"].equals(first["elbo"].drop_vars("learning_rate"))
    assert [model for model, _, _ in cells.walk(tree)].count("vae0") == 4


def test_narrowing_keeps_numbers_and_provenance():
    tree = example_tree()
    narrow = cells.narrow(tree, "digits")
    assert narrow.attrs == tree.attrs | {"elsewhere": []}
    assert narrow["vae1"].attrs == tree["vae1"].attrs
    assert narrow["vae1"]["gap"].equals(tree["vae1"]["gap"].sel(dataset=["digits"]))


def test_narrowing_leaves_out_models_that_are_not_planned_on_the_dataset():
    tree = example_tree(flaws=False)
    planned = tree["vae1"]["planned"]
    tree["vae1"]["planned"] = planned.where(planned["dataset"] == "pca", 0.0)
    narrow = cells.narrow(tree.filter(lambda node: node.name != "vae0"), "digits")
    assert cells.models(narrow) == ["linearvae", "vae3"]
    assert cells.absent(narrow) == ["vae0"]


def planned(**axes):
    """A model with runs on these axes, and whether it has them."""
    shape = [len(values) for values in axes.values()]
    array = xr.DataArray(np.ones((*shape, 1)), {**axes, "seed": [0]}, (*axes, "seed"))
    return xr.Dataset({"planned": array, "diverged_at": array})


def test_combinations_are_those_that_the_study_has():
    ds = planned(dataset=["pca"], batch_size=[2000, 100], rate=[0.1, 0.2])
    ds["planned"].loc[{"batch_size": 100, "rate": 0.2}] = 0
    tree = xr.DataTree.from_dict({"vae1": ds, "plain": planned(dataset=["pca"])})
    had = [{"batch_size": 2000, "rate": 0.1}, {"batch_size": 2000, "rate": 0.2}, {"batch_size": 100, "rate": 0.1}]
    assert cells.combinations(tree) == had
    assert cells.combinations(tree, ["rate"]) == [{"rate": 0.1}, {"rate": 0.2}]
    assert cells.combinations(tree, []) == [{}]


def test_a_model_that_lacks_an_axis_is_shown_all_the_same():
    """Also at a value that no model with all axes has."""
    tree = xr.DataTree.from_dict({"wide": planned(width=[5, 6], latent_dim=[2]), "linear": planned(latent_dim=[2, 4])})
    assert cells.combinations(tree, ["latent_dim", "width"]) == [
        {"latent_dim": 2, "width": 5},
        {"latent_dim": 2, "width": 6},
        {"latent_dim": 4, "width": 5},
        {"latent_dim": 4, "width": 6},
    ]
    apart = xr.DataTree.from_dict({"wide": planned(width=[5, 6]), "deep": planned(depth=[1, 2])})
    assert len(cells.combinations(apart)) == 4


def test_narrowing_to_an_unknown_dataset_names_the_known_ones():
    with pytest.raises(KeyError, match="pca, digits"):
        cells.narrow(example_tree(), "mnist")


def test_the_last_step_is_one_that_was_recorded():
    tree = cells.narrow(example_tree(), "pca").copy(deep=True)
    step = tree["vae1"]["step"].values
    for node in tree.children.values():
        node["elbo"] = node["elbo"].where(node["step"] < step[-2])
    assert cells.last_step(tree) == step[-3]
    for node in tree.children.values():
        node["elbo"] = node["elbo"].where(False)
    assert cells.last_step(tree) == 1
