"""The certificates of a study: one per model that differs in more than its training, and as a file."""

import csv

import pytest

from entropy_sums.certify import structures
from entropy_sums.cli import main
from entropy_sums.models.vae.objective import WEIGHTINGS
from entropy_sums.study.grid import Grid
from entropy_sums.study.schema import Study

STUDY = """\
study: verdicts
axes: {model: [vae0, linear_vae], dataset: [pca], latent_dim: [1, 2], learning_rate: [0.1, 0.2], seed: [0, 1]}
settings: {encoder_depth: 0, decoder_depth: 0, train: 60, test: 20, dim: 4, true_latent_dim: 2, batch_size: 20}
"""


def names(**axes):
    return [key[:3] for key in structures(Grid(Study(study="a", axes={"seed": [0, 1]} | axes)))]


def test_training_does_not_make_another_model():
    axes = {"model": ["vae1"], "dataset": ["pca"], "steps": [10, 20], "batch_size": [5, "full"], "seed": [0, 1, 2]}
    assert names(**axes) == [("vae1", "pca", "")]


def test_settings_that_runs_of_a_pack_differ_in_do():
    found = names(model=["vae1"], dataset=["pca"], beta=[1, 4], entropies=["weighted", "unweighted"])
    assert [cell for *_, cell in found] == [f"beta={b}, entropies={e}" for b in (1.0, 4.0) for e in WEIGHTINGS]


def test_settings_of_model_and_data_do():
    found = names(model=["vae1"], dataset=["pca", "digits"], activation=["relu", "tanh"], true_latent_dim=[1, 2])
    pca = [f"activation={a}, true_latent_dim={h}" for a in ("relu", "tanh") for h in (1, 2)]
    digits = [f"activation={a}" for a in ("relu", "tanh")]
    assert found == [*(("vae1", "pca", s) for s in pca), *(("vae1", "digits", s) for s in digits)]


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.yaml").write_text(STUDY)
    return tmp_path / "study.yaml"


def test_the_command_says_and_writes_what_holds(study, capsys):
    assert main(["certify", str(study), "--trials", "3"]) == 0
    said = capsys.readouterr().out.splitlines()
    with open("results/verdicts/tables/certificates.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(said) == len(rows) == 2 * 2 * 3
    for row in rows:
        expected = row["model"] == "linear_vae" or row["factor"] == "prior"
        assert row["holds"] == str(expected)
        assert (float(row["residual"]) < 1e-8) == expected
        assert int(row["equations"]) >= 5 * int(row["directions"])
        assert row["trials"] == "3"
    drawn = {path.name for path in (study.parent / "results" / "verdicts" / "figures").iterdir()}
    assert drawn == {f"certificates.{suffix}" for suffix in ("pdf", "svg", "png", "txt")}
    assert said[4] == (
        "vae0 pca latent_dim=2, observation: does not hold, relative residual "
        f"{float(rows[4]['smallest_residual']):.1e} to {float(rows[4]['residual']):.1e}: no direction"
    )


def test_a_model_that_is_no_distribution_over_the_data_is_refused_as_in_training(study, capsys):
    study.write_text(STUDY.replace("[vae0, linear_vae]", "[sbn]").replace("encoder_depth: 0", "encoder_depth: 1"))
    assert main(["certify", str(study)]) == 2
    said = capsys.readouterr().err
    assert "study.yaml: axes.model: the model is a distribution over 0 and 1, and the data have other values" in said
    assert "(sbn/pca/latent_dim=1/learning_rate=0.1, " in said


def test_the_same_study_gives_the_same_file(study):
    for name in ("a.csv", "b.csv"):
        main(["certify", str(study), "--trials", "1", "--output", name])
    assert (study.parent / "a.csv").read_bytes() == (study.parent / "b.csv").read_bytes()


PLUGIN = """\
from entropy_sums.models.vae.settings import VAE1Settings


class Floored(VAE1Settings):
    \"\"\"log σ = max(s, −2).\"\"\"

    implementation = "floored_torch:floored"


MODELS = {"floored": Floored}
"""

CODE = """\
import torch
from torch import nn

from entropy_sums.distributions import Normal
from entropy_sums.models.components import StandardNormal
from entropy_sums.models.vae.vae import VAE, network_decoder, network_encoder


class Decoder(nn.Module):
    def __init__(self, mean, replicas):
        super().__init__()
        self.mean, self.s = mean, nn.Parameter(torch.zeros(replicas, 1, 1))

    def forward(self, z):
        return Normal(self.mean(z), self.s.clamp(min=-2.0))


def floored(blueprint):
    decoder = Decoder(network_decoder(blueprint), len(blueprint.replicas))
    return VAE(blueprint, network_encoder(blueprint), StandardNormal(blueprint.shared.latent_dim), decoder)
"""


def test_a_floor_under_a_standard_deviation_is_said_and_the_length_of_v(study, capsys):
    (study.parent / "floored.py").write_text(PLUGIN)
    (study.parent / "floored_torch.py").write_text(CODE)
    axes = "axes: {model: [vae1, floored], dataset: [pca], seed: [0]}\n"
    study.write_text(f"study: verdicts\nplugins: [floored.py]\n{axes}" + STUDY.splitlines()[2])
    assert main(["certify", str(study), "--trials", "2"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split(", ")[1].split(": ")[1] for line in said] == [
        *["holds"] * 4,
        *["does not hold everywhere"] * 2,
    ]
    assert "‖v‖ 1 in units of the parameters: -1 · shift of decoder.spread" in said[1]
    assert "-1/2 · shift of decoder.s, but not at decoder.s − " in said[4]
    caption = (study.parent / "results/verdicts/figures/certificates.txt").read_text()
    assert "that do not hold everywhere (hollow), as the table says: 2" in caption
