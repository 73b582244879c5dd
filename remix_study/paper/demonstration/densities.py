"""Figure 4: how alpha spreads features and soft labels between two Gaussians."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from remix_study.batches.strategies import make_strategy
from remix_study.paper.demonstration.generated_data import LINE, Sample, clouds
from remix_study.paper.demonstration.samples import BatchRows, batch_rows, plan_epochs
from remix_study.paper.demonstration.scale import SEED, Scale
from remix_study.seeds import derive_seed

ALPHAS = (0.1, 0.2, 0.3, 0.4, 0.5)
# Widths of the Gaussian kernels; one for all alphas, so that their curves compare.
FEATURE_WIDTH, LABEL_WIDTH = 0.15, 0.03
# A batch has one lambda, so the density of labels needs many batches.
_EXTRA_EPOCHS = 4
# Features halfway between the means, where neither class has many rows.
MIDDLE = (1.5, 2.5)
SOFT = (0.1, 0.9)
_CHUNK = 4096


@dataclass(frozen=True, eq=False)
class Densities:
    """Features and labels of ReMix rows by alpha.

    Attributes:
        sample: the data.
        x: (241,) features at which their densities are computed.
        labels_at: (201,) labels at which their densities are computed.
        natural: (241,) density of the data.
        features: alpha -> (241,) density of the features.
        labels: alpha -> (201,) density of the label's share of the rare class, mirrored at 0 and
            1 so that no mass lies outside.
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
    """Plan many epochs at each alpha, with the same rows and partners, and estimate densities."""
    sample = clouds(LINE, derive_seed(SEED, "line"))
    x, label_axis = np.linspace(-4, 8, 241), np.linspace(0, 1, 201)
    features, labels, lines = {}, {}, []
    for alpha in ALPHAS:
        plans = plan_epochs(
            sample,
            make_strategy("remix", alpha),
            seed=derive_seed(SEED, "line", "plan"),
            epochs=_EXTRA_EPOCHS * scale.draws,
        )
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


def kernel_density(
    values: NDArray[np.float64],
    at: NDArray[np.float64],
    width: float,
    *,
    mirrored: bool = False,
) -> NDArray[np.float64]:
    """Gaussian kernel density of values; with `mirrored`, of values in 0..1 folded at both ends.

    Equal values are evaluated once: unmixed batches repeat few rows often.
    """
    values_present, counts = np.unique(values, return_counts=True)
    total = np.zeros(len(at))
    images = (
        (values_present, -values_present, 2 - values_present) if mirrored else (values_present,)
    )
    for centres in images:
        for start in range(0, len(centres), _CHUNK):
            chunk = slice(start, start + _CHUNK)
            squared = ((at[:, None] - centres[None, chunk]) / width) ** 2
            total += np.exp(-squared / 2) @ counts[chunk]
    density: NDArray[np.float64] = total / (len(values) * width * np.sqrt(2 * np.pi))
    return density
