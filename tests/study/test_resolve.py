"""From names to settings: what applies where, what wins, and every mistake in names and values."""

import pytest

from entropy_sums.study.errors import StudyError

MISTAKES = {
    "unknown axis": (
        "latent_din: [2]",
        "",
        "axes: 'latent_din' is no setting of these models, datasets or training; did you mean 'latent_dim'?",
    ),
    "axis far from all": (
        "q: [2]",
        "",
        "axes: 'q' is no setting of these models, datasets or training; known are: act",
    ),
    "setting of another model": ("decoder_std: [1.0]", "", "axes: 'decoder_std' is no setting of these models"),
    "a block is no axis": ("phases: [2]", "", "axes: 'phases' is no setting of these"),
    "dotted block": ("training.evaluation: [2]", "", "axes: 'training.evaluation' is no setting of these"),
    "phase that does not exist": (
        "training.phases.1.steps: [2]",
        "",
        "axes: 'training.phases.1.steps' is no setting of these models, datasets or training; "
        "did you mean 'training.phases.0.steps'?",
    ),
    "dotted typo": (
        "training.evaluation.evry: [2]",
        "",
        "axes: 'training.evaluation.evry' is no setting of these models, datasets or training; "
        "did you mean 'training.evaluation.every'?",
    ),
    "ambiguous": (
        "samples: [2]",
        "",
        "'samples' is ambiguous; write training.evaluation.samples or training.phases.0.samples",
    ),
    "wrong type": (
        "latent_dim: [two]",
        "",
        "axes.latent_dim: Input should be a valid integer, unable to parse string as an integer (got 'two')",
    ),
    "half a unit": (
        "latent_dim: [2.5]",
        "",
        "axes.latent_dim: Input should be a valid integer, got a number with a frac",
    ),
    "out of range": ("latent_dim: [2, -1]", "", "axes.latent_dim: Input should be greater than 0 (got -1)"),
    "infinite": ("learning_rate: ['inf']", "", "axes.learning_rate: Input should be a finite number (got 'inf')"),
    "not one of": ("activation: [reul]", "", "axes.activation: Input should be 'relu', 'leaky_relu'"),
    "double": ("latent_dim: [2, 4, 2]", "", "axes.latent_dim: 2 stands twice; keep one"),
    "double after reading": ("learning_rate: ['1e-3', 0.001]", "", "axes.learning_rate: 0.001 stands twice; keep one"),
    "one setting, two axes": (
        "latent_dim: [2], model.latent_dim: [4]",
        "",
        "axes: 'latent_dim' and 'model.latent_dim' are one setting; keep one",
    ),
    "unknown setting": (
        "",
        "settings: {noize: 0.1}",
        "settings: 'noize' is no setting of these models, datasets or training; ",
    ),
    "seed is no setting": ("", "settings: {seed: 1}", "settings: 'seed' is no setting of these"),
    "wrong setting": (
        "",
        "settings: {noise: -1}",
        "settings.noise: Input should be greater than or equal to 0 (got -1)",
    ),
    "settings that clash": (
        "",
        "settings: {true_latent_dim: 20}",
        "settings of dataset pca: true_latent_dim: 20 is more than dim: 10; lower it",
    ),
    "override of an unknown setting": (
        "",
        "overrides: [{when: {model: vae1}, set: {stps: 1}}]",
        "overrides.0.set: 'stps' is no setting of these models, datasets or training; did you mean 'steps'?",
    ),
    "override to a wrong value": (
        "",
        "overrides: [{when: {model: vae1}, set: {steps: 0}}]",
        "overrides.0.set.steps: Input should be greater than 0 (got 0)",
    ),
    "override on what is no axis": (
        "latent_dim: [2]",
        "overrides: [{when: {latent_din: 2}, set: {steps: 1}}]",
        "overrides.0.when: 'latent_din' is no axis; did you mean 'latent_dim'?",
    ),
    "override on a value off the axis": (
        "latent_dim: [2]",
        "overrides: [{when: {latent_dim: 3}, set: {steps: 1}}]",
        "overrides.0.when.latent_dim: 3 is not on the axis; known are: 2",
    ),
    "override on the seed": (
        "",
        "overrides: [{when: {seed: 0}, set: {steps: 1}}]",
        "overrides.0.when.seed: settings cannot depend on the seed, runs of a pack share them; choose by another axis",
    ),
    "exclude what is no axis": ("", "exclude: [{modle: vae1}]", "exclude.0: 'modle' is no axis; did you mean 'model'?"),
    "exclude a value off the axis": (
        "",
        "exclude: [{model: vae1, dataset: [pca, digits]}]",
        "exclude.0.dataset: 'digits' is not on the axis; known are: pca",
    ),
    "exclude everything": ("", "exclude: [{model: vae1}]", "exclude: leaves no run at all; leave out fewer cells"),
    "panel of a value off the axis": (
        "",
        "panels: {figure_1: {a: {cells: {dataset: digits}}}}",
        "panels.figure_1.a.cells.dataset: 'digits' is not on the axis; known are: pca",
    ),
    "unknown setting of a panel": (
        "",
        "panels: {figure_1: {a: {cells: {model: vae1}, set: {stepz: 1}}}}",
        "panels.figure_1.a.set: 'stepz' is no setting of these models, datasets or training; did you mean 'steps'?",
    ),
    "unknown key of a block": (
        "",
        "grids: [{beta: 2}, {latent_din: 2}]",
        "grids.1: 'latent_din' is no setting of these models, datasets or training; did you mean 'latent_dim'?",
    ),
    "unknown varied axis": (
        "",
        "grids: [{vary: {latent_din: 2}}]",
        "grids.0.vary: 'latent_din' is no setting of these models, datasets or training; did you mean 'latent_dim'?",
    ),
    "unknown setting of a block": (
        "",
        "grids: [{beta: 2, with: {stps: 2}}]",
        "grids.0.with: 'stps' is no setting of these models, datasets or training; did you mean 'steps'?",
    ),
    "wrong value of a block": (
        "",
        "grids: [{latent_dim: two}]",
        "grids.0.latent_dim: Input should be a valid integer, unable to parse string as an integer (got 'two')",
    ),
    "wrong varied value": (
        "",
        "grids: [{vary: {latent_dim: [3, -1]}}]",
        "grids.0.vary.latent_dim: Input should be greater than 0 (got -1)",
    ),
    "wrong setting of a block": (
        "",
        "grids: [{beta: 2, with: {steps: 0}}]",
        "grids.0.with.steps: Input should be greater than 0 (got 0)",
    ),
    "double in a block": ("", "grids: [{latent_dim: [3, '3']}]", "grids.0.latent_dim: 3 stands twice; keep one"),
    "double varied": ("", "grids: [{vary: {beta: [3, 3]}}]", "grids.0.vary.beta: 3.0 stands twice; keep one"),
    "plain and varied": (
        "",
        "grids: [{latent_dim: 3, vary: {model.latent_dim: 4}}]",
        "grids.0.vary.model.latent_dim: stands in this block as latent_dim, too; keep one",
    ),
    "plain and a setting": (
        "",
        "grids: [{latent_dim: 3, with: {latent_dim: 4}}]",
        "grids.0.with.latent_dim: stands in this block as latent_dim, too; keep one",
    ),
    "varied and a setting": (
        "",
        "grids: [{vary: {steps: 2}, with: {training.phases.0.steps: 4}}]",
        "grids.0.with.training.phases.0.steps: stands in this block as vary.steps, too; keep one",
    ),
    "setting of a block that is an axis": (
        "latent_dim: [2]",
        "grids: [{beta: 2, with: {model.latent_dim: 4}}]",
        "grids.0.with.model.latent_dim: is an axis; write it as a key of the block",
    ),
    "setting of a block that is an axis of another": (
        "",
        "grids: [{vary: {steps: 3}}, {beta: 2, with: {steps: 4}}]",
        "grids.1.with.steps: is an axis; write it as a key of the block",
    ),
    "one setting, two names": (
        "latent_dim: [2]",
        "grids: [{beta: 2}, {model.latent_dim: 4}]",
        "grids.1: 'latent_dim' and 'model.latent_dim' are one setting; keep one name",
    ),
    "a model of a block lacks an axis": (
        "",
        "grids: [{model: [linear_vae, vae2, vae1], vary: {decoder_width: 3}}]",
        "grids.0.vary.decoder_width: model linear_vae has no such setting; let the block have only those that do: "
        "vae2, vae1",
    ),
    "a dataset of a block lacks an axis": (
        "",
        "grids: [{dataset: [pca, digits], dim: 3}]",
        "grids.0.dim: dataset digits has no such setting; let the block have only those that do: pca",
    ),
    "a setting that no model of a block has": (
        "",
        "grids: [{decoder_width: 3}, {model: linear_vae, with: {decoder_width: 3}}]",
        "grids.1.with: 'decoder_width' is no setting of these models, datasets or training; known are: ",
    ),
    "model varied": ("", "grids: [{vary: {model: vae2}}]", "grids.0.vary.model: only settings can be varied; write it"),
    "seed varied": ("", "grids: [{vary: {seed: 1}}]", "grids.0.vary.seed: only settings can be varied; write it"),
    "seed of a block": ("", "grids: [{seed: [1, -1]}]", "grids.0.seed: -1 is not a whole number from 0 on"),
    "seed as a setting of a block": ("", "grids: [{with: {seed: 1}}]", "grids.0.with: 'seed' is no setting of these"),
    "name of a quantity in a block": ("", "grids: [{elbo: 1}]", "grids.0.elbo: a quantity or dimension of the traces"),
    "overrides in a circle": (
        "latent_dim: [2, 4], encoder_width: [50, 80]",
        "overrides: [{when: {latent_dim: 4}, set: {encoder_width: 80}}, "
        "{when: {encoder_width: 80}, set: {latent_dim: 4}}]",
        "overrides: vae1/pca/seed=0 would be two jobs; let no two depend on each other",
    ),
}


@pytest.mark.parametrize(("axis", "rest", "message"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_name_the_file_the_key_and_the_fix(load, tmp_path, axis, rest, message):
    with pytest.raises(StudyError) as caught:
        _ = load(f"study: a\naxes: {{model: [vae1], dataset: [pca], seed: [0], {axis}}}\n{rest}\n").jobs
    assert str(caught.value).startswith(f"{tmp_path / 'study.yaml'}: {message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("seed", ["-1", "0.5", "true", "'0'"])
def test_seeds_are_whole_numbers(load, seed):
    with pytest.raises(StudyError, match=r"axes\.seed: .* is not a whole number from 0 on"):
        load(f"study: a\naxes: {{model: [vae1], dataset: [pca], seed: [{seed}]}}\n")


def test_a_setting_of_some_models_applies_to_those_only(load):
    grid = load(
        "study: a\naxes: {model: [linear_vae, vae1, vae0], dataset: [pca], encoder_width: [20, 50], "
        "decoder_std: [0.5], seed: [0]}\n"
    )
    assert grid.dimensions("linear_vae") == {"dataset": ["pca"], "seed": [0]}
    assert grid.dimensions("vae1") == {"dataset": ["pca"], "encoder_width": [20, 50], "seed": [0]}
    assert grid.dimensions("vae0") == {"dataset": ["pca"], "encoder_width": [20, 50], "decoder_std": [0.5], "seed": [0]}
    assert [run.model for run in grid.runs] == ["linear_vae", "vae1", "vae1", "vae0", "vae0"]


def test_values_are_what_their_settings_read(load):
    grid = load(
        "study: a\naxes: {model: [vae1], dataset: [pca], learning_rate: ['1e-3', 1, 1e-2], latent_dim: ['3', 4.0], "
        "batch_size: ['50', full], seed: [0]}\nexclude: [{learning_rate: 1e-2, batch_size: '50'}]\n"
    )
    assert grid.dimensions("vae1") == {
        "dataset": ["pca"],
        "learning_rate": [0.001, 1.0, 0.01],
        "latent_dim": [3, 4],
        "batch_size": [50, "full"],
        "seed": [0],
    }
    assert all(type(run.coordinates["learning_rate"]) is float for run in grid.runs)
    assert len(grid.runs) == 3 * 2 * 2 - 2


def test_order_of_precedence_is_settings_overrides_axes(load):
    grid = load(
        "study: a\naxes: {model: [vae1, vae2], dataset: [pca], latent_dim: [2, 4], seed: [0]}\n"
        "settings: {latent_dim: 7, noise: 0.2, steps: 30, training.evaluation.every: 5}\n"
        "overrides:\n"
        "  - {when: {model: vae2}, set: {noise: 0.3, latent_dim: 9}}\n"
        "  - {when: {model: vae2, latent_dim: [4]}, set: {dataset.noise: 0.4}}\n"
    )
    found = [(run.model, run.model_settings.latent_dim, run.dataset_settings.noise) for run in grid.runs]
    assert found == [("vae1", 2, 0.2), ("vae1", 4, 0.2), ("vae2", 2, 0.3), ("vae2", 4, 0.4)]
    assert {(run.training.phases[0].steps, run.training.evaluation.every) for run in grid.runs} == {(30, 5)}


def test_dotted_names_reach_every_phase_and_bare_ones_the_first(load):
    grid = load(
        "study: a\naxes: {model: [vae1], dataset: [pca], steps: [1, 2], training.phases.1.steps: [3, 4], "
        "every: [9], seed: [0]}\n"
        "training: {phases: [{}, {batch_size: full}]}\n"
    )
    found = [tuple(phase.steps for phase in run.training.phases) for run in grid.runs]
    assert found == [(1, 3), (1, 4), (2, 3), (2, 4)]
    assert {run.training.phases[1].batch_size for run in grid.runs} == {"full"}
    assert {run.training.evaluation.every for run in grid.runs} == {9}


def test_a_required_setting_can_be_an_axis_or_be_missing(load):
    text = "study: a\naxes: {model: [vae1], dataset: [array], seed: [0]%s}\n"
    grid = load(text % ", path: [my data/x.npy, y.npy]")
    assert [run.coordinates["path"] for run in grid.runs] == ["my data/x.npy", "y.npy"]
    assert list(grid.jobs) == ["vae1/array/path=my%20data%2Fx.npy/seed=0", "vae1/array/path=y.npy/seed=0"]
    with pytest.raises(StudyError, match="settings of dataset array: path: is missing; add it"):
        _ = load(text % "").jobs


def test_an_axis_needs_no_default_that_goes_with_the_other_settings(load):
    grid = load(
        "study: a\naxes: {model: [vae1], dataset: [pca], dim: [12, 20], seed: [0]}\nsettings: {true_latent_dim: 12}\n"
    )
    assert list(grid.jobs) == ["vae1/pca/dim=12/seed=0", "vae1/pca/dim=20/seed=0"]
