"""Figures 2 and 3: the rows that SMOTE and ReMix train on, taken from real batch plans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from remix_study.batches.plan import BatchPlan, plan_epoch
from remix_study.batches.plan_summary import summarise_plan
from remix_study.batches.strategies import Strategy
from remix_study.data.preprocessing import fit_preprocessing
from remix_study.paper.demonstration import generated_data as data
from remix_study.paper.demonstration.generated_data import SEED, Points, Sample, Scale
from remix_study.seeds import derive_seed

# A blend this close to one of its two rows, as a share of the way, is a copy of it.
NEAR = 0.01
STRATEGIES = data.smote_and_remix(0, 0.1, 0.3, 0.5)


@dataclass(frozen=True, eq=False)
class BatchRows:
    """The n rows of one or more epochs, batch after batch.

    Attributes:
        X: (n, d) features.
        labels: (n, K) soft labels.
        first: (n, d) features of the row that was drawn.
        second: (n, d) features of the row that it was blended with.
        weight: (n,) share of the first.
        is_copy: (n,) bool, the blend equals a row of the data to within `NEAR`.
        is_rare: (n,) bool, the row that was drawn is of a rare class.
        batch: (n,) number of the batch.
    """

    X: Points
    labels: Points
    first: Points
    second: Points
    weight: Points
    is_copy: NDArray[np.bool_]
    is_rare: NDArray[np.bool_]
    batch: NDArray[np.intp]

    def select_batches(self, batches: Sequence[int]) -> BatchRows:
        selected = np.isin(self.batch, batches)
        return BatchRows(**{name: values[selected] for name, values in vars(self).items()})


def plan_epochs(sample: Sample, strategy: Strategy, *, seed: int, epochs: int) -> list[BatchPlan]:
    """Plan epochs exactly as a network would train on them."""
    prepared = fit_preprocessing(sample.X, [np.arange(len(sample.y))])
    training = data.training_rows(sample, prepared)
    return [
        plan_epoch(strategy, training, batch_size=data.BATCH_SIZE, seed=seed, epoch=epoch)
        for epoch in range(epochs)
    ]


def batch_rows(sample: Sample, plans: Sequence[BatchPlan]) -> BatchRows:
    """Compute the rows and labels of batch plans, in the units of the data."""
    first_rows = np.concatenate([plan.first.ravel() for plan in plans])
    second_rows = np.concatenate([plan.second.ravel() for plan in plans])
    weight = np.concatenate([plan.weight.ravel() for plan in plans]).astype(np.float64)
    label_share = np.concatenate([plan.label_weight.ravel() for plan in plans]).astype(np.float64)
    one_hot = np.eye(sample.n_classes)[sample.y]
    is_near_end = np.minimum(weight, 1 - weight) < NEAR
    return BatchRows(
        X=weight[:, None] * sample.X[first_rows] + (1 - weight[:, None]) * sample.X[second_rows],
        labels=label_share[:, None] * one_hot[first_rows]
        + (1 - label_share[:, None]) * one_hot[second_rows],
        first=sample.X[first_rows],
        second=sample.X[second_rows],
        weight=weight,
        is_copy=is_near_end | (first_rows == second_rows),
        is_rare=sample.y[first_rows] > 0,
        batch=np.arange(len(first_rows)) // data.BATCH_SIZE,
    )


def visible_batches(sample: Sample, *, seed: int, epochs: int) -> list[tuple[str, BatchRows]]:
    """Titles and rows of the first batch of SMOTE and of ReMix with a visible blend."""
    batches = []
    for strategy in data.smote_and_remix(0.5):
        rows = batch_rows(sample, plan_epochs(sample, strategy, seed=seed, epochs=epochs))
        batch = rows.select_batches([first_visible_batch(rows)])
        batches.append((f"{strategy.label}, one batch", batch))
    return batches


def first_visible_batch(rows: BatchRows, low: float = 0.25, least: int = 3) -> int:
    """Number of the first batch whose blend a reader can see; 0 if no batch has one.

    It has at least so many different real rows of the rare classes, and neither of two blended
    rows has a share below `low`.
    """
    shows = np.minimum(rows.weight, 1 - rows.weight) >= low
    for batch in np.unique(rows.batch[shows]):
        visible = rows.select_batches([batch])
        if len(np.unique(visible.first[visible.is_rare], axis=0)) >= least:
            return int(batch)
    return 0


def summarise_rows(
    sample: Sample, strategy: Strategy, *, seed: int, epochs: int
) -> dict[str, object]:
    """Count and describe the rows whose label is mostly the rare class, on the average epoch.

    Returns:
        `strategy`; `rows` and `distinct` (different feature vectors, in float32) an epoch;
        `copy_share` of rows within `NEAR` of one that was drawn; `outside_share` of rows outside
        the convex hull of the rare class; `soft_share` of rows with a label within 0.1 to 0.9;
        `smoted_share` of batches in which a row lies between two of its class.
    """
    hull = Delaunay(sample.X[sample.y == 1])
    counts = []
    for plan in plan_epochs(sample, strategy, seed=seed, epochs=epochs):
        rows = batch_rows(sample, [plan])
        label = rows.labels[:, 1]
        is_rare = label > 0.5
        X = rows.X[is_rare]
        counts.append(
            {
                "rows": len(X),
                "distinct": len(np.unique(X.astype(np.float32), axis=0)),
                "copy_share": float(rows.is_copy[is_rare].mean()),
                "outside_share": _outside_share(hull, X),
                "soft_share": float(((label > 0.1) & (label < 0.9)).mean()),
                "smoted_share": summarise_plan(plan, sample.y, sample.n_classes).smote_share,
            }
        )
    means = {str(name): mean for name, mean in pd.DataFrame(counts).mean().items()}
    return {"strategy": strategy.label, **means}


def _outside_share(hull: Delaunay, X: Points) -> float:
    # A drawn row may lie on the hull itself; a hair inside counts as inside.
    middle = hull.points.mean(axis=0)
    return float((hull.find_simplex(middle + (X - middle) * (1 - 1e-9)) < 0).mean())


@dataclass(frozen=True)
class CopiesClaim:
    """Evidence on the claim "resampled rows rarely repeat", from epochs of batches.

    Each mapping goes from a strategy to a column of :func:`copy_means`.
    """

    seeds: int
    rows: dict[str, float]
    distinct: dict[str, float]
    copy_share: dict[str, float]

    @property
    def holds(self) -> bool:
        """Whether fewer than half of the rows of ReMix at alpha 0.1 are copies."""
        return self.copy_share["remix (0.1)"] < 0.5


def copy_means(scale: Scale) -> pd.DataFrame:
    """Average :func:`summarise_rows` over the moons of all seeds, one line a strategy.

    All strategies have the same draws.
    """
    lines = []
    for at in range(scale.seeds):
        sample = data.moons(derive_seed(SEED, "moons", at))
        seed = derive_seed(SEED, f"moons {at}", "plan")
        lines += [summarise_rows(sample, s, seed=seed, epochs=scale.draws) for s in STRATEGIES]
    return pd.DataFrame(lines).groupby("strategy", sort=False).mean().reset_index()


def judge_copies(means: pd.DataFrame, seeds: int) -> CopiesClaim:
    """Make the claim from the lines of :func:`copy_means`."""
    columns = means.set_index("strategy").to_dict()
    return CopiesClaim(seeds, columns["rows"], columns["distinct"], columns["copy_share"])
