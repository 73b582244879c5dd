"""Figures 4 and 8: what alpha does to rows and labels, and blends that contradict the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap, to_hex
from numpy.typing import NDArray

from remix_study.batches.strategies import Strategy, make_strategy
from remix_study.metrics import score
from remix_study.paper.demonstration import generated_data as data
from remix_study.paper.demonstration.generated_data import SEED, Points, Sample, Scale
from remix_study.paper.demonstration.samples import (
    BatchRows,
    batch_rows,
    first_visible_batch,
    plan_epochs,
)
from remix_study.report import figures
from remix_study.report.figures import Picture
from remix_study.seeds import derive_seed

DENSITY_ALPHAS = (0.1, 0.2, 0.3, 0.4, 0.5)
# Widths of the Gaussian kernels; one for all alphas, so that their curves compare.
FEATURE_WIDTH, LABEL_WIDTH = 0.15, 0.03
# A batch has one lambda, so the density of labels needs many batches.
_EXTRA_EPOCHS = 4
# Features halfway between the means, where neither class has many rows.
MIDDLE = (1.5, 2.5)
SOFT = (0.1, 0.9)
_CHUNK = 4096

PLANNED = data.smote_and_remix(0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 1)
TRAINED = data.smote_and_remix(0, 0.1, 0.3, 0.5, 1)
# A label that gives the likeliest class at a row less than this contradicts the data.
FAINT_LABEL = 0.1
TEST_ROWS = 2000


@dataclass(frozen=True, eq=False)
class Densities:
    """Features and labels of ReMix rows by alpha.

    Attributes:
        x: (241,) features at which their densities are computed.
        labels_at: (201,) labels at which their densities are computed.
        natural: (241,) density of the data.
        features: alpha -> (241,) density of the features.
        labels: alpha -> (201,) density of the label's share of the rare class, mirrored at 0 and
            1 so that no mass lies outside.
        table: one line an alpha, see :func:`measure_mixing`.
    """

    sample: Sample
    x: Points
    labels_at: Points
    natural: Points
    features: Mapping[float, Points]
    labels: Mapping[float, Points]
    table: pd.DataFrame


@dataclass(frozen=True, eq=False)
class BlendStudy:
    """Blends on one kind of data and the networks trained on them.

    Attributes:
        name: the data in names of files.
        title: the data in words.
        sample: rows of the first seed.
        shown: the rows of one batch of ReMix with a visible blend.
        contradicted: one line a strategy: share of rows whose label contradicts the data.
        scores: one line a strategy and seed: `g_mean` and `middle`, the recall of the class in
            the middle, on new rows with classes of equal size.
    """

    name: str
    title: str
    clusters: tuple[data.Cloud, ...]
    sample: Sample
    shown: BatchRows
    contradicted: pd.DataFrame
    scores: pd.DataFrame

    @property
    def shares(self) -> pd.Series:
        """Share of rows whose label contradicts the data, by strategy."""
        return self.contradicted.set_index("strategy")["contradicted"]

    @property
    def mean_scores(self) -> pd.DataFrame:
        return self.scores.groupby("strategy").mean()

    @property
    def seeds(self) -> int:
        return int(self.scores["seed"].nunique())

    @property
    def times_worse(self) -> pd.Series:
        """On how many seeds a strategy finds less of the middle class than balance."""
        middle = self.scores.pivot(index="seed", columns="strategy", values="middle")
        return middle.lt(middle["balance"], axis=0).sum()


def densities(scale: Scale) -> Densities:
    """Plan many epochs at each alpha, with the same rows and partners, and estimate densities."""
    sample = data.clouds(data.LINE, derive_seed(SEED, "line"))
    seed, epochs = derive_seed(SEED, "line", "plan"), _EXTRA_EPOCHS * scale.draws
    x, label_axis = np.linspace(-4, 8, 241), np.linspace(0, 1, 201)
    features, labels, lines = {}, {}, []
    for alpha in DENSITY_ALPHAS:
        plans = plan_epochs(sample, make_strategy("remix", alpha), seed=seed, epochs=epochs)
        rows = batch_rows(sample, plans)
        features[alpha] = kernel_density(rows.X[:, 0], x, FEATURE_WIDTH)
        labels[alpha] = kernel_density(rows.labels[:, 1], label_axis, LABEL_WIDTH, mirrored=True)
        lines.append({"alpha": alpha, **measure_mixing(rows)})
    natural = kernel_density(sample.X[:, 0], x, FEATURE_WIDTH)
    return Densities(sample, x, label_axis, natural, features, labels, pd.DataFrame(lines))


def measure_mixing(rows: BatchRows) -> dict[str, float]:
    """Measure how much was mixed, as shares of all rows.

    Returns:
        `soft_share` with a label within `SOFT`, `middle_share` with a feature within `MIDDLE`,
        `mean_label` of the rare class, `untouched_share` of rows within one per cent of one that
        was drawn.
    """
    label, x = rows.labels[:, 1], rows.X[:, 0]
    return {
        "soft_share": float(((label > SOFT[0]) & (label < SOFT[1])).mean()),
        "middle_share": float(((x > MIDDLE[0]) & (x < MIDDLE[1])).mean()),
        "mean_label": float(label.mean()),
        "untouched_share": float(rows.is_copy.mean()),
    }


def kernel_density(values: Points, at: Points, width: float, *, mirrored: bool = False) -> Points:
    """Gaussian kernel density of values; with `mirrored`, of values in 0..1 folded at both ends.

    Equal values are evaluated once: unmixed batches repeat few rows often.
    """
    distinct, counts = np.unique(values, return_counts=True)
    total = np.zeros(len(at))
    for centres in (distinct, -distinct, 2 - distinct) if mirrored else (distinct,):
        for start in range(0, len(centres), _CHUNK):
            chunk = slice(start, start + _CHUNK)
            squared = ((at[:, None] - centres[None, chunk]) / width) ** 2
            total += np.exp(-squared / 2) @ counts[chunk]
    density: Points = total / (len(values) * width * np.sqrt(2 * np.pi))
    return density


def study_blends(scale: Scale) -> tuple[BlendStudy, ...]:
    """Study two kinds of data: two clusters of one rare class, and two rare classes."""
    kinds = (
        ("two-clusters", "A rare class on both sides of the common one", data.TWO_SIDES, "sides"),
        (
            "three-classes",
            "Two rare classes on both sides of the common one",
            data.IN_A_ROW,
            "row",
        ),
    )
    studies = []
    for name, title, clusters, purpose in kinds:
        samples = [
            data.clouds(clusters, derive_seed(SEED, purpose, at)) for at in range(scale.seeds)
        ]
        shown = _planned_rows(samples, 0, make_strategy("remix", 0.5), purpose, scale.draws)
        shown = shown.select_batches([first_visible_batch(shown)])
        contradicted = _contradicted_shares(clusters, samples, purpose, scale.draws)
        scores = _scores(clusters, samples, purpose, scale.epochs)
        studies.append(BlendStudy(name, title, clusters, samples[0], shown, contradicted, scores))
    return tuple(studies)


def is_contradicted(clusters: tuple[data.Cloud, ...], rows: BatchRows) -> NDArray[np.bool_]:
    """Whether (n,) the likeliest class at a row has less than `FAINT_LABEL` of its label.

    Likeliest at equal class shares, by the densities that the data were drawn from.
    """
    likeliest = data.posterior(data.cloud_densities(clusters, rows.X)).argmax(axis=1)
    is_faint: NDArray[np.bool_] = rows.labels[np.arange(len(likeliest)), likeliest] < FAINT_LABEL
    return is_faint


def _planned_rows(
    samples: Sequence[Sample], at: int, strategy: Strategy, purpose: str, epochs: int
) -> BatchRows:
    seed = derive_seed(SEED, purpose, at, "plan")
    return batch_rows(samples[at], plan_epochs(samples[at], strategy, seed=seed, epochs=epochs))


def _contradicted_shares(
    clusters: tuple[data.Cloud, ...], samples: Sequence[Sample], purpose: str, epochs: int
) -> pd.DataFrame:
    lines = []
    for strategy in PLANNED:
        shares = [
            is_contradicted(clusters, _planned_rows(samples, at, strategy, purpose, epochs)).mean()
            for at in range(len(samples))
        ]
        lines.append(
            {
                "strategy": strategy.label,
                "alpha": strategy.alpha if strategy.sampler == "balanced" else np.nan,
                "contradicted": float(np.mean(shares)),
                "least": float(np.min(shares)),
                "most": float(np.max(shares)),
            }
        )
    return pd.DataFrame(lines)


def _scores(
    clusters: tuple[data.Cloud, ...], samples: Sequence[Sample], purpose: str, epochs: int
) -> pd.DataFrame:
    test = data.clouds(clusters, derive_seed(SEED, purpose, "test"), TEST_ROWS)
    predictions = data.probabilities(samples, test.X, TRAINED, purpose=purpose, epochs=epochs)
    lines = []
    for strategy, by_seed in zip(TRAINED, predictions, strict=True):
        for seed, p in enumerate(by_seed):
            scores = score(test.y, p, test.n_classes)
            line = {"strategy": strategy.label, "seed": seed, "g_mean": scores["g_mean"]}
            lines.append(line | {"middle": scores["recall_0"]})
    return pd.DataFrame(lines)


def density_figure(densities: Densities) -> Picture:
    """Draw Figure 4: densities of features and of soft labels by alpha."""
    shades = _shades(len(densities.features))
    with figures.figure(9.4, 3.5) as fig:
        left, right = fig.subplots(1, 2)
        left.plot(densities.x, densities.natural, color="#aaaaaa", lw=2.4, label="the data")
        for shade, (alpha, density) in zip(shades, densities.features.items(), strict=True):
            left.plot(densities.x, density, color=shade, lw=1.3, label=f"alpha {alpha:g}")
            right.plot(densities.labels_at, densities.labels[alpha], color=shade, lw=1.3)
        top = max(density.max() for density in densities.features.values())
        for code, name in enumerate(data.CLASS_NAMES):
            points = densities.sample.X[densities.sample.y == code, 0][: data.MOST_POINTS]
            height = -0.035 * top * (1 + code)
            left.plot(points, np.full(len(points), height), ls="", marker="|", markersize=5,
                      markeredgewidth=0.6, color=data.CLASSES[code], label=name)  # fmt: skip
        left.set(xlim=densities.x[[0, -1]], xlabel="feature", ylabel="density")
        right.set(xlim=(0, 1), xlabel="label: share of the rare class")
        right.set(yscale="log", ylabel="density (log scale)")
        figures.legend_below(fig, left, 8)
    alt = (
        "Densities of the features and of the soft labels of ReMix rows for alpha 0.1 to 0.5, "
        "drawn from a common and a rare Gaussian: the larger alpha, the more rows between them."
    )
    return figures.picture_of(fig, "figure-4-densities", alt, wide=True)


def blend_curves(study: BlendStudy) -> Picture:
    """Draw the shares of contradicted rows and of lost rows of the middle class by alpha."""
    mixed = study.contradicted.dropna(subset=["alpha"])
    smote = study.contradicted[study.contradicted["strategy"] == "smote"].iloc[0]
    scores = study.scores.merge(mixed[["strategy", "alpha"]], on="strategy")
    lost = (1 - scores["middle"]).groupby(scores["alpha"]).agg(["mean", "min", "max"])
    color = figures.strategy_color("remix")
    with figures.figure(4.5, 3.5) as fig:
        axes = fig.add_subplot()
        axes.fill_between(mixed["alpha"], 100 * mixed["least"], 100 * mixed["most"],
                          color=color, alpha=0.14, lw=0)  # fmt: skip
        axes.plot(mixed["alpha"], 100 * mixed["contradicted"], color=color, marker="o",
                  markersize=4, lw=1.5, label="ReMix rows against the data")  # fmt: skip
        axes.fill_between(lost.index, 100 * lost["min"], 100 * lost["max"], color=figures.INK,
                          alpha=0.08, lw=0)  # fmt: skip
        axes.plot(lost.index, 100 * lost["mean"], color=figures.INK, marker="s", markersize=4,
                  lw=1.3, ls="--", label="middle class not found")  # fmt: skip
        axes.axhline(100 * smote["contradicted"], color=figures.strategy_color("smote"), lw=1.3,
                     ls=":", label="SMOTE rows against the data")  # fmt: skip
        axes.set_ylim(bottom=0)
        axes.set(xlabel="alpha (0: balance)", ylabel="per cent of rows")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0.1, borderpad=0.2)
    alt = (
        f"{study.title}: share of ReMix rows that speak against the data, and share of the "
        "middle class that networks do not find, against alpha."
    )
    return figures.picture_of(fig, f"figure-8-{study.name}", alt, caption=study.title)


def _shades(n: int) -> list[str]:
    scale = LinearSegmentedColormap.from_list("alphas", ["#f3b48a", "#d55e00", "#6e2f00"])
    return [to_hex(scale(at / max(1, n - 1))) for at in range(n)]
