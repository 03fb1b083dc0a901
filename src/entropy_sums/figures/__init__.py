"""Figures of a study, one module each; this mapping is all that the workflow needs to know of them."""

FIGURES: dict[str, bool] = {
    "traces": True,
    "gap_by_model": False,
    "gap_decomposition": True,
    "gap_versus_gradient": False,
    "latent_entropies": True,
}
"""Name of every figure → whether there is one per dataset (then called `<name>_<dataset>`)."""
