"""What fits together: every model with every optimiser and every support, each rule, and studies with misfits."""

import json
import re
import shutil
from collections import Counter
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from entropy_sums.cli import main
from entropy_sums.data import load as load_data
from entropy_sums.data.array_file import Array
from entropy_sums.data.catalogue import DATASETS
from entropy_sums.models import MODELS, build
from entropy_sums.models.abilities import abilities
from entropy_sums.models.base import Ability
from entropy_sums.study.errors import StudyError
from entropy_sums.study.fitting import Data, lines, misfits
from entropy_sums.study.grid import Grid
from entropy_sums.study.schema import read
from entropy_sums.supports import CONTAINED
from entropy_sums.training.optimizers.catalogue import OPTIMIZERS
from entropy_sums.training.pack import Pack
from entropy_sums.training.replica import Replica
from entropy_sums.training.settings import TrainingSettings

DIM = 16
SMALL = {"encoder_width": 3, "decoder_width": 3, "width": 2, "depth": 2, "chains": 2, "temperatures": 5}
EVALUATION = {"every": 2, "samples": 2, "certificate": False}
MAKING = {"real": "pca", "binary": "belief_network", "counts": "counts", "positive": "mixture_of_gammas"}
"""Support → a dataset of such numbers."""


def model(name, **settings):
    return MODELS[name](**{k: v for k, v in {**SMALL, **settings}.items() if k in MODELS[name].model_fields})


def fitting_data(settings, **values):
    """A dataset that a model is a distribution over."""
    name = {"nonnegative": "mixture_of_gammas"}.get(settings.support) or MAKING[settings.support]
    return DATASETS[name](dim=DIM, **values)


def training(*phases, **evaluation):
    phases = phases or ({"batch_size": "full"},)
    return TrainingSettings(phases=[{"steps": 2, **phase} for phase in phases], evaluation=EVALUATION | evaluation)


def reasons(settings, *phases, data=None, **evaluation):
    return misfits(settings, data or fitting_data(settings), training(*phases, **evaluation))


def points(settings, number=12):
    drawn = np.random.default_rng(0).random((number, DIM)).round().astype(np.float32)
    return drawn + (settings.support == "positive")


@pytest.mark.parametrize("name", MODELS)
def test_every_pair_of_model_and_optimiser_is_trained_or_refused_with_the_reason(name):
    settings = model(name)
    for optimizer, kind in OPTIMIZERS.items():
        phase = {"optimizer": optimizer, "batch_size": "full"}
        missing = kind.needs - settings.abilities
        found = reasons(settings, phase)
        assert len(found) == len(missing)
        if not missing:
            trace = Pack([Replica(0, settings, training(phase))], points(settings), points(settings)).run()
            assert np.isfinite(trace.arrays()["elbo"]).all()
        for reason, ability in zip(found, missing, strict=True):
            assert reason.startswith(f"training.phases.0.optimizer: {optimizer} needs {ability}, which")
            others = reason.partition("; choose ")[2].replace(" or ", ", ").split(", ")
            assert others
            assert not any(reasons(settings, phase | {"optimizer": other}) for other in others)


@pytest.mark.parametrize(("name", "support"), [*product(MODELS, MAKING)])
def test_every_model_fits_data_of_its_support_and_no_others(name, support):
    settings, data = model(name), DATASETS[MAKING[support]](dim=DIM)
    found = reasons(settings, data=data)
    if settings.support in CONTAINED[support]:
        assert found == []
    else:
        [reason] = found
        assert reason.startswith("axes.model: the model is a distribution over ")
        assert reason.endswith("choose other data or another model")


@pytest.mark.parametrize(
    ("name", "data", "remedy"),
    [
        ("sbn", DATASETS["digits"](), "set binarise: threshold and dequantise: false, or choose another model"),
        ("poisson_vae", DATASETS["bars"](noise=0.1), "set noise: 0.0, or choose another model"),
        ("gamma_mixture", DATASETS["bars"](), "set dequantise: true, or choose another model"),
        ("exponential_mixture", DATASETS["mnist5k"](noise=0.1), "set noise: 0.0, or choose another model"),
        ("rbm", DATASETS["patches"](), "choose other data or another model"),
    ],
)
def test_misfits_of_support_say_which_settings_help(name, data, remedy):
    [reason] = misfits(MODELS[name](), data, TrainingSettings())
    assert reason.partition("; ")[2] == remedy


def test_what_an_array_holds_is_known_from_its_points():
    settings, array = model("bernoulli_vae"), Array(path="x.npy")
    assert reasons(settings, data=array) == []
    known = Data(points=20, held_out=5, dim=3, supports=CONTAINED["real"], true_weights=None)
    phases = [{"batch_size": 21}, {"batch_size": 20}]
    assert misfits(settings, array, training(*phases, subset_sizes=[5, 6, 7]), known) == [
        "axes.model: the model is a distribution over 0 and 1, and the data have other values: its ELBO would bound no "
        "likelihood; choose other data or another model",
        "training.phases.0.batch_size: 21 is more than the 20 training points; lower it or write full",
        "training.evaluation.subset_sizes: 6 or 7 is more than the 5 held-out points; leave it out, or hold out more",
    ]


@pytest.mark.parametrize(
    ("name", "settings", "dim", "words"),
    [
        ("conv_vae", {"depth": 3}, 36, "36 dimensions are no square images of channels: 1 .* depth: 3 halves"),
        (
            "rbm",
            {"gradient": "exact", "latent_dim": 17},
            20,
            "latent_dim is 17, and layers have 20 and 17 units: set",
        ),
        ("gaussian_rbm", {"gradient": "exact", "latent_dim": 17}, 16, "layers have 16 and 17 units: set gradient: pcd"),
        ("dbm", {"gradient": "exact", "latent_dim": 9, "depth": 3}, 20, "layers have 29 and 18 units"),
    ],
)
def test_models_that_there_are_not_of_this_dimension(name, settings, dim, words):
    chosen = MODELS[name](**settings)
    with pytest.raises(ValueError, match=words) as refused:
        build([chosen], dim, [torch.Generator()])
    assert reasons(chosen, data=type(fitting_data(chosen))(dim=dim)) == [str(refused.value)]


@pytest.mark.parametrize(
    ("name", "settings"),
    [("conv_vae", {"depth": 2}), ("rbm", {"gradient": "exact", "latent_dim": 17}), ("dbm", {"gradient": "exact"})],
)
def test_models_that_there_are(name, settings):
    chosen = MODELS[name](**settings)
    assert reasons(chosen) == []
    assert build([chosen], DIM, [torch.Generator()]).latent_dim


def test_a_true_dictionary_is_one_of_as_many_latents():
    settings = model("sparse_coding", dictionary="true", latent_dim=6)
    assert reasons(settings, data=DATASETS["sparse_bars"](side=3)) == []
    [few] = reasons(settings, data=DATASETS["sparse_bars"](side=2))
    assert few.startswith("dictionary: true needs data with true weights, one column for each latent; those of these ")
    assert "have 4, and latent_dim is 6: set latent_dim to their number" in few
    [none] = reasons(settings, data=DATASETS["pca_ring"]())
    assert "; these data have none, and latent_dim is 6: " in none


@pytest.mark.parametrize("name", ["sbn", "dbn"])
@pytest.mark.parametrize("estimator", ["reinforce", "vimco"])
def test_one_sample_leaves_none_for_a_baseline(name, estimator):
    """In a later phase, too."""
    settings = model(name, estimator=estimator)
    phases = [{"samples": 3, "batch_size": 10}, {"batch_size": 10}]
    [reason] = reasons(settings, *phases)
    assert reason.startswith("training.phases.1.samples: the gradient of the model has a leave-one-out baseline, which")
    assert reason.endswith("here 1; write samples: 2 or more, or estimator: disarm")
    assert reasons(settings, phases[0], {**phases[1], "samples": 2}) == []
    assert reasons(model(name, estimator="disarm"), *phases) == []


def test_dropout_is_in_the_way_of_lbfgs():
    phase = {"optimizer": "lbfgs", "batch_size": "full"}
    [reason] = reasons(model("vae1", dropout=0.1), phase)
    assert reason.endswith("; choose adam, adamw or sgd, or write dropout: 0.0")
    assert reasons(model("vae1"), phase) == []


@pytest.mark.parametrize("name", MODELS)
def test_priors_are_weighted_of_models_that_take_a_weight(name):
    settings = model(name)
    found = reasons(settings, {"batch_size": "full"}, {"prior_weight": 8.0, "batch_size": "full"})
    assert len(found) == (Ability.PRIOR_WEIGHT not in settings.abilities)
    for reason in found:
        assert reason.startswith("training.phases.1.prior_weight: 8.0 needs a prior that training may weight")
        assert reason.endswith("; write prior_weight: 1")


@pytest.mark.parametrize("name", ["dbm", "dbn"])
def test_a_training_that_is_pretraining_alone(name):
    settings = model(name, pretraining_steps=6, encoder_depth=0, decoder_depth=0)
    [reason] = reasons(settings, {"steps": 12, "batch_size": 10})
    assert reason.startswith(
        "pretraining_steps: layers are pretrained for 12 steps and training has 12, so the ELBO is"
    )
    assert reasons(settings, {"steps": 13, "batch_size": 10}) == []


@pytest.mark.parametrize(
    ("name", "settings", "phase", "words"),
    [
        (
            "rbm",
            {},
            {},
            "true needs an objective that is the bound .*, which the model does not have; write batches: f",
        ),
        ("sparse_coding", {"objective": "entropy"}, {}, "; write batches: false, or objective: elbo$"),
        (
            "factor_analysis",
            {},
            {"optimizer": "em"},
            "phase 0 has optimizer: em, and does not ascend .* batches: false",
        ),
        ("vae1", {}, {"optimizer": "lbfgs"}, "phase 0 has optimizer: lbfgs, and does not ascend the bound"),
        ("vae1", {}, {"prior_weight": 2.0}, "phase 0 has prior_weight: 2.0, and does not ascend the bound"),
    ],
)
def test_minibatches_without_a_bound(name, settings, phase, words):
    chosen, phase = model(name, **settings), {"batch_size": "full", **phase}
    assert reasons(chosen, phase) == []
    [reason] = reasons(chosen, phase, batches=True)
    assert reason.startswith("training.evaluation.batches: ")
    assert re.search(words, reason)


def test_undeclared_abilities_are_asked_of_the_built_model():
    """A plugin may declare nothing: the plan lets it pass, the job knows."""

    class Undeclared(MODELS["gaussian_mixture"]):
        @property
        def abilities(self):
            return None

    settings, data = Undeclared(), fitting_data(model("vae1"))
    chosen = training({"optimizer": "lbfgs", "batch_size": "full"})
    assert misfits(settings, data, chosen) == []
    able = abilities(build([settings], DIM, [torch.Generator()]), settings.abilities)
    [reason] = misfits(settings, data, chosen, abilities=able)
    assert reason.startswith("training.phases.0.optimizer: lbfgs needs")
    assert misfits(settings, data, training({"optimizer": "em", "batch_size": "full"}), abilities=able) == []


def test_lines_are_cut_when_they_are_long():
    cells = [f"vae{number % 20}/pca/latent_dim={number}" for number in range(100)]
    [few], [many] = (lines((cell, "too slow") for cell in part) for part in (cells[:2], cells))
    assert few == "too slow (vae0/pca/latent_dim=0, vae1/pca/latent_dim=1)"
    assert many == (
        "too slow (100 cells: 5 of vae0/pca, 5 of vae1/pca, 5 of vae2/pca, 5 of vae3/pca, 5 of vae4/pca, "
        "5 of vae5/pca, …)"
    )


STUDY = """\
study: a
axes:
  model: [vae1, sbn, gaussian_mixture]
  dataset: [pca, belief_network]
  optimizer: [adam, em]
  latent_dim: [2, 13]
  learning_rate: [0.1, 0.2]
  seed: {count: 3}
settings: {estimator: enumeration, batch_size: full, train: 50}
pack: {size: 4}
"""
EXCLUDE = """\
exclude:
  - {model: sbn, dataset: pca}
  - {model: [sbn, vae1], optimizer: em}
  - {model: sbn, latent_dim: 13}
"""


REASONS = [
    "training.phases.0.optimizer: em needs a step of EM (`maximise`), which the model does not have; choose adam, "
    "adamw, lbfgs or sgd (8 cells: 4 of vae1/pca, 4 of vae1/belief_network)",
    "axes.model: the model is a distribution over 0 and 1, and the data have other values: its ELBO would bound no "
    "likelihood; choose other data or another model (sbn/pca/learning_rate=0.1, sbn/pca/learning_rate=0.2, "
    "sbn/pca/optimizer=em/learning_rate=0.1, sbn/pca/optimizer=em/learning_rate=0.2)",
    "settings of model sbn: estimator: enumeration sums over all states of at most 12 latents, and directed layers × "
    "latent_dim is 13; lower one of them, or choose estimator: disarm (8 cells: 4 of sbn/pca, 4 of "
    "sbn/belief_network)",
    "training.phases.0.optimizer: em needs a step of EM (`maximise`), which the model does not have; choose adam, "
    "adamw or sgd (sbn/pca/optimizer=em/learning_rate=0.1, sbn/pca/optimizer=em/learning_rate=0.2, "
    "sbn/belief_network/optimizer=em/learning_rate=0.1, sbn/belief_network/optimizer=em/learning_rate=0.2)",
]
TOO_MANY = "fit: 22 of 48 cells cannot be; `fit: skip` leaves them out"


def said(grid):
    with pytest.raises(StudyError) as refused:
        _ = grid.jobs
    return str(refused.value).splitlines()


def test_all_misfits_are_named_at_once_with_file_key_reason_and_fix(load, tmp_path):
    assert said(load(STUDY)) == [f"{tmp_path / 'study.yaml'}: {line}" for line in (*REASONS, TOO_MANY)]


def test_cells_that_cannot_be_are_left_out_as_if_they_were_excluded(load, tmp_path):
    skipped, excluded = load(f"{STUDY}fit: skip\n"), load(STUDY + EXCLUDE)
    assert skipped.left_out == [f"{tmp_path / 'study.yaml'}: fit: left out, {reason}" for reason in REASONS]
    assert excluded.left_out == []
    assert {name: job.identity for name, job in skipped.jobs.items()} == {
        name: job.identity for name, job in excluded.jobs.items()
    }
    assert list(map(str, skipped.runs)) == list(map(str, excluded.runs))


def test_a_study_of_misfits_alone_is_an_error_in_either_case(load):
    text = "study: a\naxes: {model: [sbn], dataset: [pca], seed: [0]}\n"
    for fit in ("error", "skip"):
        with pytest.raises(StudyError, match=r"axes\.model: the model is a distribution over 0 and 1.* \(sbn/pca\)$"):
            _ = load(f"{text}fit: {fit}\n").runs


def test_blocks_leave_out_what_cannot_be(load):
    """Also where other blocks have axes on which a block has its default, which such settings do not have."""
    text = (
        "study: a\naxes: {dataset: [belief_network], seed: [0]}\n"
        "grids:\n  - {model: sbn, estimator: [enumeration, disarm], latent_dim: [2, 13]}\n"
        "  - {model: rbm, gradient: [exact, pcd], chains: [2, 3]}\n  - {model: sbn, encoder_width: 5}\n"
    )
    reason = (
        "settings of model sbn: estimator: enumeration sums over all states of at most 12 latents, and directed layers "
        "× latent_dim is 13; lower one of them, or choose estimator: disarm "
        "(sbn/belief_network/estimator=enumeration/latent_dim=13)"
    )
    first, last = said(load(text))
    assert first.endswith(reason)
    assert last.endswith("fit: 1 of 9 cells cannot be; `fit: skip` leaves them out")
    grid = load(f"{text}fit: skip\n")
    assert [line.partition("left out, ")[2] for line in grid.left_out] == [reason]
    assert Counter(run.model for run in grid.runs) == {"sbn": 4, "rbm": 4}


def test_what_is_missing_or_misspelt_is_no_misfit(load):
    for axes, words in ("array", "path: is missing; add it"), ("pcaa", "did you mean 'pca'"):
        with pytest.raises(StudyError, match=words):
            _ = load(f"study: a\naxes: {{model: [vae1], dataset: [pca, {axes}], seed: [0]}}\nfit: skip\n").jobs


def test_choices_that_a_model_does_not_have_are_left_out(load):
    """`prior: uniform` is one of belief networks, `prior: fixed` of both."""
    axes = "{model: [sparse_coding, sbn], dataset: [bars], prior: [fixed, uniform], seed: [0]}"
    grid = load(f"study: a\naxes: {axes}\nfit: skip\n")
    assert [run.coordinates["prior"] for run in grid.runs] == ["fixed", "fixed", "uniform"]
    [line] = grid.left_out
    assert "settings of model sparse_coding: prior: Input should be 'learned' or 'fixed' (got 'uniform')" in line


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            "steps: 200, batch_size: 100}], evaluation: {every: 50",
            "batch_size: 100 is more than the 50 training points; l",
        ),
        ("optimizer: em, batch_size: full}], evaluation: {every: 50", "optimizer: em needs a step of EM"),
        ("batch_size: 50}], evaluation: {subset_sizes: [10, 1000]", "subset_sizes: 1000 is more than the 100 held-out"),
    ],
)
def test_plans_and_other_commands_refuse_at_once(tmp_path, monkeypatch, capsys, changes, words):
    monkeypatch.chdir(tmp_path)
    text = "study: late\naxes: {model: [vae1], dataset: [pca], seed: [0]}\nsettings: {train: 50, test: 100}\n"
    Path("late.yaml").write_text(f"{text}training: {{phases: [{{{changes}}}}}\n")
    for command in (["plan"], ["status"], ["certify"], ["data", "pca-0"], ["train", "vae1/pca/seed=0"]):
        assert main([command[0], "late.yaml", *command[1:]]) == 2
        assert f": late.yaml: training.{'evaluation' if 'subset' in words else 'phases.0'}.{words}" in (
            capsys.readouterr().err
        )
    assert not Path("results").exists()


def test_a_name_too_long_for_a_folder(load):
    with pytest.raises(StudyError, match=r"study: String should have at most 100 characters \(got 'x{79}…\)"):
        load(f"study: {'x' * 300}\naxes: {{model: [vae1], dataset: [pca], seed: [0]}}\n")


def test_commands_say_what_is_left_out(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text("study: a\naxes: {model: [vae1, sbn], dataset: [pca], seed: [0]}\nfit: skip\n")
    line = "a.yaml: fit: left out, axes.model: the model is a distribution over 0 and 1, and the data have other values"
    for command in ("plan", "status"):
        assert main([command, "a.yaml"]) == 0
        out, error = capsys.readouterr()
        assert "sbn" not in out.replace("axis model: vae1, sbn", "")
        assert error.startswith(line)
        assert error.count("\n") == 1
    assert main(["status", "a.yaml", "--json"]) == 0
    out, error = capsys.readouterr()
    [left_out] = json.loads(out)["left_out"]
    assert left_out.startswith(line)
    assert error == ""


def test_what_the_data_themselves_tell_is_said_before_training(tmp_path, monkeypatch, capsys):
    """Of an array neither the number of points nor their values are known before."""
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", np.random.default_rng(0).normal(size=(50, 3)))
    text = "study: a\naxes: {model: [bernoulli_vae], dataset: [array], seed: [0, 1]}\nsettings: {path: x.npy}\n"
    Path("a.yaml").write_text(text)
    assert main(["plan", "a.yaml"]) == 0
    capsys.readouterr()
    assert main(["train", "a.yaml", "bernoulli_vae/array/seed=0-1"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "entropy-sums train: bernoulli_vae/array/seed=0-1: axes.model: the model is a distribution over 0 and 1, and "
        "the data have other values: its ELBO would bound no likelihood; choose other data or another model",
        "bernoulli_vae/array/seed=0-1: training.phases.0.batch_size: 100 is more than the 40 training points; lower it "
        "or write full",
    ]
    assert main(["certify", "a.yaml"]) == 2
    assert "bernoulli_vae on array: axes.model: the model is a distribution" in capsys.readouterr().err


@pytest.fixture
def own(tmp_path, monkeypatch, capsys):
    """Function that writes points and a study of them, and gives the lines that a command with it says."""
    monkeypatch.chdir(tmp_path)

    def say(command, points, model="factor_analysis", precision="float32", **settings):
        np.save("x.npy", points)
        training = {"phases": [{"steps": 2, "batch_size": "full"}], "precision": precision}
        training["evaluation"] = {"certificate": False}
        content = {"study": "a", "axes": {"model": [model], "dataset": ["array"], "seed": [0]}, "training": training}
        Path("a.yaml").write_text(json.dumps({**content, "settings": {"path": "x.npy", **settings}}))
        grid = Grid(read(Path("a.yaml")), "a.yaml")
        (job,) = grid.jobs.values()
        shutil.rmtree("results", ignore_errors=True)
        capsys.readouterr()
        status = main([command, "a.yaml", job.data if command == "data" else job.name])
        return status, capsys.readouterr().err.splitlines()

    return say


DRAWN = np.random.default_rng(0).normal(size=(400, 2))
DAYS = DRAWN * [0.2, 1] + [2459000.5, 0]


@pytest.mark.parametrize("command", ["data", "train"])
def test_a_column_that_the_precision_cannot_hold_is_refused_with_fixes_that_work(own, command):
    status, (line,) = own(command, DAYS)
    assert status == 2
    said = re.search(
        r"training.precision: float32 cannot hold column 0 of the data, whose 320 distinct values become \d; "
        r"subtract its mean \(scale: centre\), or write precision: float64( \(factor_analysis/array/seed=0\))?$",
        line,
    )
    assert said
    for fix in ({"scale": "centre"}, {"scale": "standardise"}, {"precision": "float64"}):
        assert own(command, DAYS, **fix)[0] == 0


@pytest.mark.parametrize("command", ["data", "train"])
def test_centring_is_advised_only_where_it_helps(own, command):
    two = np.where(DRAWN > 0, 1e6, 0) + 0.01 * np.random.default_rng(1).normal(size=DRAWN.shape)
    status, (line,) = own(command, two)
    assert status == 2
    assert "columns 0, 1 of the data (of the first, 320 distinct values become" in line
    assert "; write precision: float64" in line
    assert own(command, two, precision="float64")[0] == 0


@pytest.mark.parametrize("command", ["data", "train"])
def test_values_beyond_single_precision_ask_for_double(own, command):
    huge = DRAWN.copy()
    huge[3, 1] = 1e39
    status, (line,) = own(command, huge)
    assert status == 2
    assert "float32 cannot hold column 1 of the data" in line
    assert "write precision: float64" in line
    assert "infinite" not in line


def test_held_out_points_are_asked_too(own):
    np.save("y.npy", DAYS)
    status, lines_ = own("train", DRAWN, test_path="y.npy")
    assert (status, len(lines_)) == (2, 1)
    assert "float32 cannot hold column 0" in lines_[0]


@pytest.mark.parametrize("command", ["data", "train"])
@pytest.mark.parametrize(
    ("factor", "settings", "warned"),
    [
        (255, {}, True),
        (1e-3, {}, True),
        (1, {}, False),
        (255, {"scale": "unit"}, False),
        (1e-3, {"scale": "standardise"}, False),
    ],
)
def test_data_far_from_a_scale_of_one_are_warned_about(own, command, factor, settings, warned):
    status, said = own(command, factor * np.random.default_rng(0).random((40, 3)), **settings)
    assert status == 0
    found = [line for line in said if line.startswith("warning: ")]
    assert len(found) == warned
    for line in found:
        assert "scale: the data are far from a scale of one" in line
        assert "set scale: standardise, or scale: unit for images" in line


def test_models_of_counts_are_made_for_large_numbers(own):
    counts = np.random.default_rng(0).poisson(300, size=(40, 3))
    assert [line for line in own("train", counts, model="poisson_vae")[1] if line.startswith("warning: ")] == []


def test_no_data_at_hand_are_far_from_a_scale_of_one_or_lose_digits():
    for name in sorted(DATASETS.keys() - {"mnist5k", "mnist", "fashion_mnist", "celeba", "susy", "array"}):
        few = {"train": 60, "test": 40} if "train" in DATASETS[name].model_fields else {"test": 40}
        facts = Data.read(load_data(DATASETS[name](**few), Path()))
        assert facts.lost == ()
        assert facts.supports is not None
        assert facts.size is not None
        assert facts.size.far_from_one is None, name
