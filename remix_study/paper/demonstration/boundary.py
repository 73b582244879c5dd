"""Figure 1: where networks put the boundary around a rare ring, and how sharp it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from remix_study.batches.strategies import Strategy, make_strategy
from remix_study.errors import UsageError
from remix_study.paper.demonstration.networks import probabilities
from remix_study.paper.demonstration.scale import FULL, SEED, Scale
from remix_study.paper.demonstration.sets import (
    MAJORITY,
    MINORITY,
    Rows,
    Sample,
    posterior,
    ring_densities,
    rings,
)
from remix_study.seeds import derive_seed

# Half the side of the plane that is looked at.
REACH = 1.6
# Where a network changes its mind: neither class is beyond doubt.
BAND = (0.1, 0.9)
SHARES = (MAJORITY / (MAJORITY + MINORITY), MINORITY / (MAJORITY + MINORITY))
STRATEGIES: tuple[Strategy, ...] = (
    make_strategy("baseline"),
    make_strategy("smote"),
    make_strategy("balance"),
    make_strategy("remix", 0.1),
    make_strategy("remix", 0.3),
    make_strategy("remix", 0.5),
)
# The three of the paper's figure.
CLAIMED = ("baseline", "smote", "remix (0.1)")
TRUTH = "truth, equal shares"
NATURAL_TRUTH = "truth, shares as they are"


@dataclass(frozen=True, eq=False)
class Surfaces:
    """Probabilities of the rare class on the plane.

    Attributes:
        sample: the rows of the first seed.
        axis: (side,) coordinates along both axes.
        p: label of a strategy -> (seeds, side, side), first the vertical axis.
        truth: (side, side) true probability at equal class shares; at the natural ones in
            `natural_truth`.
        measures: one line a strategy and seed, see `measure`.
    """

    sample: Sample
    axis: NDArray[np.float64]
    p: Mapping[str, NDArray[np.float64]]
    truth: NDArray[np.float64]
    natural_truth: NDArray[np.float64]
    measures: pd.DataFrame


@dataclass(frozen=True)
class BoundaryClaim:
    """What the networks say to "the boundary is pushed out, the probability is smoother".

    Each mapping goes from a row's label (`CLAIMED`) to a mean over seeds. The rule: pushed out
    means a larger share of the plane than both others, smoother a smaller steepness than both;
    the claim holds when both do.

    Attributes:
        seeds: data sets, each with its own network a strategy.
        minority_share: share of the plane with probability of the rare class above one half.
        slope: mean of |grad p| over the plane.
        steepness: mean of |grad p| where p is between 0.1 and 0.9.
        pushed_out: whether the first half of the claim holds.
        smoother: whether the second half does.
    """

    seeds: int
    minority_share: Mapping[str, float]
    slope: Mapping[str, float]
    steepness: Mapping[str, float]
    pushed_out: bool
    smoother: bool

    @property
    def verdict(self) -> str:
        """One of "holds", "holds in part", "does not hold": the order of the means, no test."""
        if self.pushed_out and self.smoother:
            return "holds"
        return "holds in part" if self.pushed_out or self.smoother else "does not hold"


def boundary_claim(folder: Path | None = None, scale: Scale = FULL) -> BoundaryClaim:
    """The numbers behind the claim of Figure 1.

    Args:
        folder: a demonstration that was written before; its numbers are read, nothing is
            trained. Networks are trained when None.
        scale: how much to train.

    Raises:
        UsageError: the folder holds no demonstration.
    """
    if folder is None:
        return judge(surfaces(scale).measures)
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        return BoundaryClaim(**manifest["facts"]["boundary"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{folder} holds no demonstration; write one with report --demonstration"
        ) from error


def surfaces(scale: Scale) -> Surfaces:
    """Train every strategy on the rings of every seed and look at the plane."""
    samples = [rings(derive_seed(SEED, "ring", at)) for at in range(scale.seeds)]
    axis = np.linspace(-REACH, REACH, scale.side)
    places = np.stack([grid.ravel() for grid in np.meshgrid(axis, axis)], axis=1)
    shape = (scale.side, scale.side)
    densities = ring_densities(places)
    truth = posterior(densities)[:, 1].reshape(shape)
    natural_truth = posterior(densities, SHARES)[:, 1].reshape(shape)
    found = probabilities(samples, places, STRATEGIES, purpose="ring", epochs=scale.epochs)
    p = {
        strategy.label: values[:, :, 1].reshape(-1, *shape)
        for strategy, values in zip(STRATEGIES, found, strict=True)
    }
    step = float(axis[1] - axis[0])
    weights = densities.mean(axis=1).reshape(shape), (densities @ SHARES).reshape(shape)
    lines = [
        {
            "strategy": label,
            "seed": seed,
            **measure(surface, step),
            "error_equal": distance(surface, truth, weights[0]),
            "error_natural": distance(surface, natural_truth, weights[1]),
        }
        for label, values in (p | {TRUTH: truth[None], NATURAL_TRUTH: natural_truth[None]}).items()
        for seed, surface in enumerate(values)
    ]
    return Surfaces(samples[0], axis, p, truth, natural_truth, pd.DataFrame(lines))


def measure(p: Rows, step: float) -> dict[str, float]:
    """Where a surface puts its boundary and how it crosses it.

    Args:
        p: (side, side) probabilities of the rare class.
        step: distance of neighbouring points.

    Returns:
        `minority_share` of the plane with p > 0.5, `slope` (mean of |grad p|), `steepness` (the
        same where p is within `BAND`, NaN if nowhere) and `band_share` of the plane there.
    """
    down, across = np.gradient(p, step)
    slope = np.hypot(down, across)
    band = (p > BAND[0]) & (p < BAND[1])
    return {
        "minority_share": float((p > 0.5).mean()),
        "slope": float(slope.mean()),
        "steepness": float(slope[band].mean()) if band.any() else float("nan"),
        "band_share": float(band.mean()),
    }


def distance(p: Rows, truth: Rows, density: Rows) -> float:
    """Root mean squared distance of probabilities from the true ones, over rows of a density."""
    known = np.isfinite(truth)
    return float(np.sqrt(np.average((p - truth)[known] ** 2, weights=density[known])))


def judge(measures: pd.DataFrame) -> BoundaryClaim:
    """The verdict on `Surfaces.measures`."""
    means = measures.groupby("strategy")[["minority_share", "slope", "steepness"]].mean()
    baseline, smote, remix = CLAIMED

    def of(column: str) -> dict[str, float]:
        return {label: float(means[column][label]) for label in CLAIMED}

    share, steepness = of("minority_share"), of("steepness")
    return BoundaryClaim(
        seeds=int(measures.loc[measures["strategy"] == remix, "seed"].nunique()),
        minority_share=share,
        slope=of("slope"),
        steepness=steepness,
        pushed_out=share[remix] > max(share[baseline], share[smote]),
        smoother=steepness[remix] < min(steepness[baseline], steepness[smote]),
    )


def profiles(found: Surfaces, bins: int = 40) -> pd.DataFrame:
    """Mean probability by distance from the centre, one column a strategy and the two truths."""
    radius = np.hypot(*np.meshgrid(found.axis, found.axis)).ravel()
    edges = np.linspace(0, REACH, bins + 1)
    place = np.digitize(radius, edges) - 1
    inside = place < bins
    count = np.bincount(place[inside], minlength=bins)

    def mean(values: Rows) -> Rows:
        return np.bincount(place[inside], values.ravel()[inside], bins) / np.maximum(count, 1)

    frame = pd.DataFrame({"distance": (edges[:-1] + edges[1:]) / 2})
    for label, p in found.p.items():
        frame[label] = mean(p.mean(axis=0))
    frame[TRUTH] = mean(np.nan_to_num(found.truth))
    frame[NATURAL_TRUTH] = mean(np.nan_to_num(found.natural_truth))
    return frame[count > 0].reset_index(drop=True)


def as_facts(claim: BoundaryClaim) -> dict[str, object]:
    """The claim as plain numbers, ready for JSON."""
    return asdict(claim)
