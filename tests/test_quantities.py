"""Declarations of quantities: files stay as they are, and what follows from a declaration follows."""

import json
import re
from pathlib import Path

import pytest

from entropy_sums.data.catalogue import DATASETS
from entropy_sums.models.catalogue import MODELS
from entropy_sums.quantities import (
    COUNTED,
    DECLARED,
    DIMENSIONS,
    LABELLED,
    NAMES,
    PER_RUN,
    PER_STEP,
    QUANTITIES,
    SHOWN,
    WORDS,
    Quantity,
    Shown,
    group_name,
    twins,
    with_limits,
)

RECORDED = json.loads((Path(__file__).parent / "quantities.json").read_text(encoding="utf-8"))
"""Variable → long_name, units and dimensions, of files of format 2 in their order."""


def test_files_have_the_variables_and_attributes_that_they_had():
    """A further quantity may be declared; none of those that files have may change, or change places."""
    found = {name: [q.meaning, q.unit, list(q.dimensions)] for name, q in QUANTITIES.items() if name in RECORDED}
    assert list(found.items()) == list(RECORDED.items())


@pytest.mark.parametrize("name", QUANTITIES)
def test_a_declaration_is_whole(name):
    quantity = QUANTITIES[name]
    assert quantity.name == name
    assert all(quantity.attributes.values())
    assert set(quantity.dimensions) <= DIMENSIONS.keys()
    assert re.fullmatch(r"#[0-9A-F]{6}|", quantity.shown.colour or "")
    # A curve needs a colour, a comparison a column
    assert quantity.shown.colour or not quantity.shown.line
    assert quantity.shown.at_end or not quantity.shown.compared


def test_names_stand_for_one_thing():
    assert len(QUANTITIES) == len(PER_STEP) + len(PER_RUN)
    known = [*QUANTITIES, *DIMENSIONS, *map(group_name, MODELS), *DATASETS]
    assert len(set(known)) == len(known)
    assert len(NAMES) == len(QUANTITIES) + len(DIMENSIONS)
    labels = [quantity.label for quantity in SHOWN]
    assert len(set(labels)) == len(labels)


def test_dimensions_are_named_counted_or_have_a_meaning():
    assert {*LABELLED, *COUNTED, "factor"} == DIMENSIONS.keys()
    assert not {*LABELLED} & {*COUNTED}
    assert WORDS == ("factor", "run")


def test_what_follows_from_a_quantity():
    heldout = Shown("held-out bits", "#000000", compared=True)
    quantity = Quantity("bits", "bits", "bit", (), Shown("bits", digits=2), heldout, limits=True, note="of coins")
    (twin,) = twins([quantity, Quantity("alone", "nothing", "1")])
    assert (twin.name, twin.meaning, twin.unit, twin.label) == (
        "heldout_bits",
        "bits, held-out data",
        "bit",
        heldout.label,
    )
    assert (twin.shown, twin.heldout, twin.limits) == (heldout, None, True)
    low, high = list(with_limits([twin]))[1:]
    assert (low.name, high.name) == ("heldout_bits_low", "heldout_bits_high")
    assert low.meaning == "bits, held-out data: lower limit, 95 %"
    assert low.shown == Shown()
    assert list(with_limits([Quantity("alone", "nothing", "1")])) == [Quantity("alone", "nothing", "1")]


def test_subsets_and_batches_have_the_factors_of_their_quantity():
    for name in ("cross_entropy", "entropy"):
        assert QUANTITIES[f"subset_{name}"].dimensions == ("subset", "estimate", "factor")
    declared = {f"batch_{quantity.name}" for quantity in DECLARED if quantity.of_batches}
    assert {name for name in QUANTITIES if name.startswith("batch_")} == declared


def test_no_two_models_share_a_group():
    assert len({group_name(model) for model in MODELS}) == len(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_of_this_package_has_a_label_of_its_own(name):
    labels = [vars(schema)["label"] for schema in MODELS.values()]
    assert labels.count(vars(MODELS[name])["label"]) == 1


def test_models_are_told_apart():
    looks = [vars(schema)["look"] for schema in MODELS.values() if "look" in vars(schema)]
    assert len(set(looks)) == len(looks)
