"""Figure 4: how alpha spreads features and soft labels between two Gaussians."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from remix_study.batches.strategies import make_strategy
from remix_study.paper.demonstration.samples import Made, made_rows, plans
from remix_study.paper.demonstration.scale import SEED, Scale
from remix_study.paper.demonstration.sets import LINE, Sample, clouds
from remix_study.seeds import derive_seed

ALPHAS = (0.1, 0.2, 0.3, 0.4, 0.5)
# Widths of the Gaussian kernels; one for all alphas, so that their curves compare.
FEATURE_WIDTH, LABEL_WIDTH = 0.15, 0.03
# A batch has one lambda, so labels need many batches to show their density.
_MORE = 4
# Halfway between the means, where neither class has many rows.
MIDDLE = (1.5, 2.5)
SOFT = (0.1, 0.9)
_AT_ONCE = 4096


@dataclass(frozen=True, eq=False)
class Densities:
    """Features and labels of ReMix rows by alpha.

    Attributes:
        sample: the data.
        x: where the densities of features are given; `labels_at` those of labels.
        natural: density of the data as they are.
        features: alpha -> density of the features.
        labels: alpha -> density of the label's share of the rare class, mirrored at 0 and 1 so
            that no mass lies outside.
        table: one line an alpha.
    """

    sample: Sample
    x: NDArray[np.float64]
    labels_at: NDArray[np.float64]
    natural: NDArray[np.float64]
    features: Mapping[float, NDArray[np.float64]]
    labels: Mapping[float, NDArray[np.float64]]
    table: pd.DataFrame


def densities(scale: Scale) -> Densities:
    """Draw the batches of many epochs at each alpha, all with the same rows and partners."""
    sample = clouds(LINE, derive_seed(SEED, "line"))
    x, at = np.linspace(-4, 8, 241), np.linspace(0, 1, 201)
    features, labels, lines = {}, {}, []
    for alpha in ALPHAS:
        planned = plans(
            sample,
            make_strategy("remix", alpha),
            seed=derive_seed(SEED, "line", "plan"),
            epochs=_MORE * scale.draws,
        )
        made = made_rows(sample, planned)
        features[alpha] = kernel_density(made.X[:, 0], x, FEATURE_WIDTH)
        labels[alpha] = kernel_density(made.labels[:, 1], at, LABEL_WIDTH, mirrored=True)
        lines.append({"alpha": alpha, **measure(made)})
    natural = kernel_density(sample.X[:, 0], x, FEATURE_WIDTH)
    return Densities(sample, x, at, natural, features, labels, pd.DataFrame(lines))


def measure(made: Made) -> dict[str, float]:
    """How much was mixed: shares of all rows.

    Returns:
        `soft_share` with a label within `SOFT`, `middle_share` with a feature within `MIDDLE`,
        `mean_label` of the rare class, `untouched_share` of rows within one per cent of one that
        was drawn.
    """
    label, x = made.labels[:, 1], made.X[:, 0]
    return {
        "soft_share": float(((label > SOFT[0]) & (label < SOFT[1])).mean()),
        "middle_share": float(((x > MIDDLE[0]) & (x < MIDDLE[1])).mean()),
        "mean_label": float(label.mean()),
        "untouched_share": float(made.own.mean()),
    }


def kernel_density(
    values: NDArray[np.float64],
    at: NDArray[np.float64],
    width: float,
    *,
    mirrored: bool = False,
) -> NDArray[np.float64]:
    """Gaussian kernel density; with `mirrored`, of values in 0..1 folded back at both ends.

    Equal values are counted once with their number: unmixed batches repeat few rows often.
    """
    known, counts = np.unique(values, return_counts=True)
    found = np.zeros(len(at))
    images = (known, -known, 2 - known) if mirrored else (known,)
    for centres in images:
        for start in range(0, len(centres), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            square = ((at[:, None] - centres[None, part]) / width) ** 2
            found += np.exp(-square / 2) @ counts[part]
    density: NDArray[np.float64] = found / (len(values) * width * np.sqrt(2 * np.pi))
    return density
