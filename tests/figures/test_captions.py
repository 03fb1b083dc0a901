import json

from entropy_sums.analysis import cells
from entropy_sums.figures import captions
from example import example_tree


def test_diverged_and_missing_runs_are_stated(study):
    text = captions.runs(study)
    assert text.startswith("7 to 8 runs per cell.")
    assert "diverged: 1 run of linear VAE on PCA, latent size 2; 1 run of VAE-0 on PCA, latent size 2." in text
    assert "Missing: 8 runs of linear VAE on digits, latent size 4; 8 runs of VAE-0" in text


def test_nothing_is_left_out_of_a_complete_study():
    assert captions.runs(example_tree(flaws=False)) == "8 runs per cell."


def test_long_lists_are_counted():
    axes = {"dataset": ["pca"], "latent_dim": range(2, 12), "seed": [0]}
    tree = example_tree(axes, ["vae1"])
    ds = tree["vae1"].to_dataset().copy(deep=True)
    ds["diverged_at"][:] = 0.0
    text = captions.runs(type(tree).from_dict({"/": tree.to_dataset(), "vae1": ds}))
    assert text.startswith("No finished run.")
    assert text.endswith("because they diverged: runs of 10 cells (see the table).")


def test_a_model_without_any_trace_is_stated(study):
    partial = study.filter(lambda node: node.name != "vae3")
    assert captions.runs(partial).endswith("No run of VAE-3 has a trace.")


def test_training_that_differs_is_told_apart(study):
    changed = study.copy()
    training = json.loads(changed["vae1"].attrs["training"])
    training["pca"]["batch_size"] = 64
    changed["vae1"].attrs["training"] = json.dumps(training)
    text = captions.training(changed)
    assert text.startswith("Training: batch size 128")
    assert text.endswith("Training of VAE-1 on PCA: batch size 64, otherwise the same.")
    assert captions.training(cells.narrow(changed, "digits")).startswith("Training: batch size 128")


def test_only_what_differs_is_told_of_a_model_that_is_trained_alike_everywhere(study):
    changed = study.copy()
    training = json.loads(changed["vae1"].attrs["training"])
    for settings in training.values():
        settings["phases"][0]["steps"] = 5
    changed["vae1"].attrs["training"] = json.dumps(training)
    assert captions.training(changed).endswith("Training of VAE-1: phase 1 (steps 5), otherwise the same.")


def test_nothing_is_said_where_there_is_no_model(study):
    assert captions.training(type(study).from_dict({"/": study.to_dataset()})) == ""


def test_another_number_of_phases_is_told_in_full(study):
    changed = study.copy()
    training = json.loads(changed["vae1"].attrs["training"])
    for settings in training.values():
        settings["phases"] *= 2
    changed["vae1"].attrs["training"] = json.dumps(training)
    assert "Training of VAE-1: batch size 128, phases (optimizer adam" in captions.training(changed)


def test_a_model_without_a_setting_is_named(swept):
    fixed = swept["vae2"].to_dataset().isel(learning_rate=0, drop=True)
    tree = type(swept).from_dict({"/": swept.to_dataset(), "vae1": swept["vae1"].to_dataset(), "vae2": fixed})
    assert captions.facets(tree, "Rows").endswith(
        "VAE-2 has no setting learning rate and is the same for all of its values."
    )
