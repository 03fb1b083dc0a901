import numpy as np

from entropy_sums.analysis import cells
from entropy_sums.figures import style, variance_reduction


def test_medians_over_seeds_of_the_deviation_over_estimates(study):
    ax = variance_reduction.draw(cells.narrow(study, "pca")).axes[6]
    runs = study["vae1"].to_dataset().sel(dataset="pca", latent_dim=4)
    for name in ("elbo", "entropy_sum"):
        (line,) = [line for line in ax.lines if line.get_color() == style.QUANTITIES[name]]
        expected = np.median(runs[f"subset_{name}"].transpose("seed", "subset", "estimate").std("estimate", ddof=1), 0)
        np.testing.assert_allclose(line.get_ydata(), expected)
        assert line.get_xdata().tolist() == [10, 100, 1000]
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")


def test_the_guide_falls_with_the_root(study):
    ax = variance_reduction.draw(cells.narrow(study, "pca")).axes[0]
    values = ax.lines[-1].get_ydata()
    np.testing.assert_allclose(values / values[0], [1, 10**-0.5, 0.1])


def test_rows_without_subsets_have_no_place(study):
    """As of cells that a study does not estimate from few points."""
    tree = cells.narrow(study, "pca").filter(lambda node: node.name in ("vae1", "vae3"))
    for node in tree.children.values():
        ds = node.to_dataset()
        parts = {name: ds[name].where(ds["latent_dim"] > 2) for name in ds if name.startswith("subset_")}
        node.dataset = ds.assign(parts)
    figure = variance_reduction.draw(tree)
    assert len(figure.axes) == 2
    assert [text.get_text() for text in figure.axes[1].texts] == ["latent size 4"]


def test_a_study_without_subsets_says_so(single):
    ds = single["vae1"].to_dataset()
    ds = ds.drop_vars([name for name in ds if name.startswith("subset_")])
    tree = type(single).from_dict({"/": single.to_dataset(), "vae1": ds})
    texts = [text.get_text() for text in variance_reduction.draw(tree).axes[0].texts]
    assert "no estimates\nfrom subsets" in texts


def test_estimates_that_do_not_vary_have_no_place(single):
    ds = single["vae1"].to_dataset().copy(deep=True)
    ds["subset_entropy_sum"][:] = -1.0
    ax = variance_reduction.draw(type(single).from_dict({"/": single.to_dataset(), "vae1": ds})).axes[0]
    assert [line.get_xdata().size for line in ax.lines] == [3, 0, 3]
    assert "entropy sum:\nno variation" in [text.get_text() for text in ax.texts]
