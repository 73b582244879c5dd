"""Figures 2 and 3: the rows that SMOTE and ReMix make, taken from real batch plans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from remix_study.batches.plan import BatchPlan, plan_epoch
from remix_study.batches.plan_summary import summarise_plan
from remix_study.batches.strategies import Strategy, make_strategy
from remix_study.data.preprocessing import fit_preprocessing
from remix_study.paper.demonstration.networks import training_rows
from remix_study.paper.demonstration.scale import BATCH_SIZE, FULL, SEED, Scale
from remix_study.paper.demonstration.sets import Sample, moons
from remix_study.seeds import derive_seed

# A row that differs by less than this share of the way from one that was drawn is a copy of it.
NEAR = 0.01
STRATEGIES: tuple[Strategy, ...] = (
    make_strategy("smote"),
    make_strategy("balance"),
    make_strategy("remix", 0.1),
    make_strategy("remix", 0.3),
    make_strategy("remix", 0.5),
)


@dataclass(frozen=True, eq=False)
class Made:
    """The rows of some epochs, batch after batch.

    Attributes:
        X: (n, d) float64 features.
        labels: (n, K) soft labels.
        first: (n, d) features of the row that was drawn.
        second: (n, d) features of the row that it was blended with.
        weight: (n,) share of the first.
        own: (n,) bool, both rows are one, or the blend is one of them.
        rare: (n,) bool, the row that was drawn is of a rare class.
        batch: (n,) number of the batch.
    """

    X: NDArray[np.float64]
    labels: NDArray[np.float64]
    first: NDArray[np.float64]
    second: NDArray[np.float64]
    weight: NDArray[np.float64]
    own: NDArray[np.bool_]
    rare: NDArray[np.bool_]
    batch: NDArray[np.intp]

    def of_batches(self, batches: Sequence[int]) -> Made:
        """The rows of these batches alone."""
        kept = np.isin(self.batch, batches)
        return Made(**{name: values[kept] for name, values in vars(self).items()})


def plans(sample: Sample, strategy: Strategy, *, seed: int, epochs: int) -> list[BatchPlan]:
    """The plans of some epochs, exactly those that a network would train on."""
    prepared = fit_preprocessing(sample.X, [np.arange(len(sample.y))])
    training = training_rows(sample, prepared)
    return [
        plan_epoch(strategy, training, batch_size=BATCH_SIZE, seed=seed, epoch=epoch)
        for epoch in range(epochs)
    ]


def made_rows(sample: Sample, planned: Sequence[BatchPlan]) -> Made:
    """The rows and labels that plans stand for, in the units of the data."""
    first = np.concatenate([plan.first.ravel() for plan in planned])
    second = np.concatenate([plan.second.ravel() for plan in planned])
    weight = np.concatenate([plan.weight.ravel() for plan in planned]).astype(np.float64)
    share = np.concatenate([plan.label_weight.ravel() for plan in planned]).astype(np.float64)
    hot = np.eye(sample.n_classes)[sample.y]
    near = np.minimum(weight, 1 - weight) < NEAR
    return Made(
        X=weight[:, None] * sample.X[first] + (1 - weight[:, None]) * sample.X[second],
        labels=share[:, None] * hot[first] + (1 - share[:, None]) * hot[second],
        first=sample.X[first],
        second=sample.X[second],
        weight=weight,
        own=near | (first == second),
        rare=sample.y[first] > 0,
        batch=np.arange(len(first)) // BATCH_SIZE,
    )


def facts(sample: Sample, strategy: Strategy, *, seed: int, epochs: int) -> dict[str, object]:
    """What the rows of the rare class are, those that carry more than half of its label.

    Returns:
        `rows` and `distinct` (different feature vectors, in float32) an epoch, `copy_share` of
        rows within `NEAR` of one that was drawn, `outside_share` of rows outside the convex hull
        of the rare class, `soft_share` of rows with a label within 0.1 to 0.9, and `smoted_share`
        of batches in which a row lies between two of its class.
    """
    planned = plans(sample, strategy, seed=seed, epochs=epochs)
    hull = Delaunay(sample.X[sample.y == 1])
    counts = []
    for plan in planned:
        made = made_rows(sample, [plan])
        rare = made.labels[:, 1] > 0.5
        X = made.X[rare]
        counts.append(
            {
                "rows": len(X),
                "distinct": len(np.unique(X.astype(np.float32), axis=0)),
                "copy_share": float(made.own[rare].mean()),
                "outside_share": _outside(hull, X),
                "soft_share": float(
                    ((made.labels[:, 1] > 0.1) & (made.labels[:, 1] < 0.9)).mean()
                ),
                "smoted_share": summarise_plan(plan, sample.y, sample.n_classes).smote_share,
            }
        )
    means = pd.DataFrame(counts).mean()
    return {"strategy": strategy.label, **{str(name): float(means[name]) for name in means.index}}


def table(sample: Sample, *, purpose: str, epochs: int) -> pd.DataFrame:
    """`facts` of every strategy, all on the same draws."""
    seed = derive_seed(SEED, purpose, "plan")
    return pd.DataFrame([facts(sample, s, seed=seed, epochs=epochs) for s in STRATEGIES])


@dataclass(frozen=True)
class CopiesClaim:
    """What an epoch of batches says to "resampled rows rarely repeat".

    Attributes:
        seeds: data sets.
        rows: strategy -> rows of the rare class an epoch.
        distinct: strategy -> different feature vectors among them.
        copy_share: strategy -> share of rows that are a drawn row to within one per cent.
    """

    seeds: int
    rows: dict[str, float]
    distinct: dict[str, float]
    copy_share: dict[str, float]

    @property
    def holds(self) -> bool:
        """Whether fewer than half of the rows of ReMix at alpha 0.1 are copies."""
        return self.copy_share["remix (0.1)"] < 0.5


def copies_claim(scale: Scale = FULL) -> CopiesClaim:
    """Distinct rows of the rare class on the moons, means over data sets; nothing is trained."""
    return judge(copies(scale), scale.seeds)


def copies(scale: Scale) -> pd.DataFrame:
    """`facts` of every strategy on the moons, means over data sets, one line a strategy."""
    found = pd.concat(
        [
            table(moons(derive_seed(SEED, "moons", at)), purpose=f"moons {at}", epochs=scale.draws)
            for at in range(scale.seeds)
        ]
    )
    return found.groupby("strategy", sort=False).mean(numeric_only=True).reset_index()


def judge(means: pd.DataFrame, seeds: int) -> CopiesClaim:
    """The claim of the lines that :func:`copies` gives."""
    by_strategy = means.set_index("strategy")
    rows, distinct, copy_share = (
        {str(name): float(value) for name, value in by_strategy[column].items()}
        for column in ("rows", "distinct", "copy_share")
    )
    return CopiesClaim(seeds, rows, distinct, copy_share)


def visible_batch(made: Made, low: float = 0.25, least: int = 3) -> int:
    """The first batch whose blend shows; the first of all where none does.

    Args:
        made: rows of some epochs.
        low: share that neither of two blended rows is below.
        least: different real rows of the rare classes in the batch.
    """
    shows = np.minimum(made.weight, 1 - made.weight) >= low
    for batch in np.unique(made.batch[shows]):
        own = made.of_batches([batch])
        if len(np.unique(own.first[own.rare], axis=0)) >= least:
            return int(batch)
    return 0


def _outside(hull: Delaunay, X: NDArray[np.float64]) -> float:
    # A drawn row may lie on the hull itself; a hair inside counts as inside.
    middle = hull.points.mean(axis=0)
    return float((hull.find_simplex(middle + (X - middle) * (1 - 1e-9)) < 0).mean())
