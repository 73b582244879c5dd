"""Figure 1: where networks put the boundary around a rare ring, and how steep it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from remix_study.batches.strategies import make_strategy
from remix_study.paper.demonstration import generated_data as data
from remix_study.paper.demonstration.generated_data import SEED, Points, Sample, Scale
from remix_study.report.figures import FAINT, INK, Picture, figure, picture_of, strategy_color
from remix_study.results.columns import Record
from remix_study.seeds import derive_seed

# Half the side of the plane that is evaluated.
REACH = 1.6
# Probabilities at which the network is in doubt between the classes.
BAND = (0.1, 0.9)
SHARES = (
    data.MAJORITY / (data.MAJORITY + data.MINORITY),
    data.MINORITY / (data.MAJORITY + data.MINORITY),
)
STRATEGIES = (make_strategy("baseline"), *data.smote_and_remix(0, 0.1, 0.3, 0.5))
# The three of the paper's figure.
RIVALS, REMIX = ("baseline", "smote"), "remix (0.1)"
CLAIMED = (*RIVALS, REMIX)
TRUTH = "truth, equal shares"
NATURAL_TRUTH = "truth, shares as they are"


@dataclass(frozen=True, eq=False)
class Surfaces:
    """Probabilities of the rare class on the plane.

    Attributes:
        sample: the rows of the first seed.
        axis: (side,) coordinates along both axes.
        p: label of a strategy -> (seeds, side, side), first the vertical axis.
        truth: (side, side) true probability at equal class shares.
        natural_truth: (side, side) true probability at the class shares of the data.
        measures: one line a strategy and seed, see :func:`measure_surface`.
    """

    sample: Sample
    axis: Points
    p: Mapping[str, Points]
    truth: Points
    natural_truth: Points
    measures: pd.DataFrame


@dataclass(frozen=True)
class BoundaryClaim:
    """Evidence on the claim "the boundary is pushed out, the probability is smoother".

    Each mapping goes from a method's label (`CLAIMED`) to a mean over seeds. Pushed out means a
    larger share of the plane than baseline and SMOTE, smoother a smaller steepness than both.

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
        """ "holds", "holds in part" or "does not hold", by the order of the means alone."""
        if self.pushed_out and self.smoother:
            return "holds"
        return "holds in part" if self.pushed_out or self.smoother else "does not hold"

    @property
    def wider_than(self) -> list[str]:
        """Rivals that call less of the plane rare than ReMix does."""
        return [r for r in RIVALS if self.minority_share[r] < self.minority_share[REMIX]]

    @property
    def gentler_than(self) -> list[str]:
        """Rivals whose probability is steeper than that of ReMix."""
        return [r for r in RIVALS if self.steepness[r] > self.steepness[REMIX]]


def train_surfaces(scale: Scale) -> Surfaces:
    """Train every strategy on the rings of every seed and predict the whole plane."""
    samples = [data.rings(derive_seed(SEED, "ring", at)) for at in range(scale.seeds)]
    axis = np.linspace(-REACH, REACH, scale.side)
    points = np.stack([grid.ravel() for grid in np.meshgrid(axis, axis)], axis=1)
    shape = (scale.side, scale.side)
    densities = data.ring_densities(points)
    truth = data.posterior(densities)[:, 1].reshape(shape)
    natural_truth = data.posterior(densities, SHARES)[:, 1].reshape(shape)
    predictions = data.probabilities(
        samples, points, STRATEGIES, purpose="ring", epochs=scale.epochs
    )
    p = {
        strategy.label: values[:, :, 1].reshape(-1, *shape)
        for strategy, values in zip(STRATEGIES, predictions, strict=True)
    }
    step = float(axis[1] - axis[0])
    weights = densities.mean(axis=1).reshape(shape), (densities @ SHARES).reshape(shape)
    lines = [
        {
            "strategy": label,
            "seed": seed,
            **measure_surface(surface, step),
            "error_equal": weighted_distance(surface, truth, weights[0]),
            "error_natural": weighted_distance(surface, natural_truth, weights[1]),
        }
        for label, values in (p | {TRUTH: truth[None], NATURAL_TRUTH: natural_truth[None]}).items()
        for seed, surface in enumerate(values)
    ]
    return Surfaces(samples[0], axis, p, truth, natural_truth, pd.DataFrame(lines))


def measure_surface(p: Points, step: float) -> dict[str, float]:
    """Measure where (side, side) probabilities have their boundary and how steeply they cross it.

    Returns:
        `minority_share` of the plane with p > 0.5, `slope` (mean of |grad p|), `steepness` (the
        same where p is within `BAND`, NaN if nowhere) and `band_share` of the plane there.
    """
    down, across = np.gradient(p, step)
    slope = np.hypot(down, across)
    in_band = (p > BAND[0]) & (p < BAND[1])
    return {
        "minority_share": float((p > 0.5).mean()),
        "slope": float(slope.mean()),
        "steepness": float(slope[in_band].mean()) if in_band.any() else float("nan"),
        "band_share": float(in_band.mean()),
    }


def weighted_distance(p: Points, truth: Points, density: Points) -> float:
    """Root mean squared distance of probabilities from the true ones, weighted by density."""
    is_known = np.isfinite(truth)
    return float(np.sqrt(np.average((p - truth)[is_known] ** 2, weights=density[is_known])))


def judge_boundary(measures: pd.DataFrame) -> BoundaryClaim:
    """Judge the claim by `Surfaces.measures`."""
    columns = measures.groupby("strategy").mean().loc[list(CLAIMED)].to_dict()
    share, steepness = columns["minority_share"], columns["steepness"]
    return BoundaryClaim(
        seeds=int(measures["seed"].nunique()),
        minority_share=share,
        slope=columns["slope"],
        steepness=steepness,
        pushed_out=share[REMIX] > max(share[rival] for rival in RIVALS),
        smoother=steepness[REMIX] < min(steepness[rival] for rival in RIVALS),
    )


def boundary_facts(measures: pd.DataFrame) -> Record:
    """Compare ReMix with its rivals and the truth by `Surfaces.measures`.

    Returns:
        means: one line a strategy or truth, its measures as means over seeds.
        wider: rival -> on how many seeds ReMix calls more of the plane rare, as in "7 of 10".
        gentler: rival -> on how many seeds ReMix is less steep.
        nearest: the strategy whose probability is nearest to the truth at equal class shares.
        mixing_pulls_back: whether balance calls more of the plane rare than ReMix does.
        mixing_is_truer: whether balance is no nearer to that truth than ReMix.
        baseline_is_low: whether the baseline is gentler than ReMix because it rises least.
    """
    means = measures.groupby("strategy", sort=False).mean()
    columns = ("minority_share", "steepness", "error_equal")
    share, steepness, error = (means[name] for name in columns)
    networks = means.drop(index=[TRUTH, NATURAL_TRUTH])

    def seeds_above(column: str, sign: int) -> dict[str, str]:
        by_seed = sign * measures.pivot(index="seed", columns="strategy", values=column)
        n = by_seed[REMIX].notna().sum()
        return {rival: f"{(by_seed[REMIX] > by_seed[rival]).sum()} of {n}" for rival in RIVALS}

    is_flattest = networks["slope"].idxmin() == "baseline"
    return Record(
        means=means,
        wider=seeds_above("minority_share", 1),
        gentler=seeds_above("steepness", -1),
        nearest=str(networks["error_equal"].idxmin()),
        mixing_pulls_back=bool(share[REMIX] < share["balance"]),
        mixing_is_truer=bool(error[REMIX] <= error["balance"]),
        baseline_is_low=bool(steepness["baseline"] < steepness[REMIX] and is_flattest),
    )


def radial_profiles(surfaces: Surfaces, bins: int = 40) -> pd.DataFrame:
    """Average each strategy's probability, and both truths, by distance from the centre."""
    radius = np.hypot(*np.meshgrid(surfaces.axis, surfaces.axis)).ravel()
    edges = np.linspace(0, REACH, bins + 1)
    bin_numbers = np.digitize(radius, edges) - 1
    inside = bin_numbers < bins
    counts = np.bincount(bin_numbers[inside], minlength=bins)

    def mean(values: Points) -> Points:
        sums = np.bincount(bin_numbers[inside], values.ravel()[inside], bins)
        return sums / np.maximum(counts, 1)

    frame = pd.DataFrame({"distance": (edges[:-1] + edges[1:]) / 2})
    for label, p in surfaces.p.items():
        frame[label] = mean(p.mean(axis=0))
    frame[TRUTH] = mean(np.nan_to_num(surfaces.truth))
    frame[NATURAL_TRUTH] = mean(np.nan_to_num(surfaces.natural_truth))
    return frame[counts > 0].reset_index(drop=True)


def label_color(label: str) -> str:
    """The colour of the strategy with this label."""
    return strategy_color(label.split(" ")[0])


def profile_figure(profile: pd.DataFrame) -> Picture:
    """Draw the probabilities against the distance from the centre, means over all seeds."""
    with figure(5.2, 3.4) as fig:
        axes = fig.add_subplot()
        x = profile["distance"]
        axes.fill_between(x, profile[TRUTH], color="#eeeeee", lw=0, zorder=0, label=TRUTH)
        axes.plot(x, profile[NATURAL_TRUTH], color="#aaaaaa", lw=1.2, ls=":",
                  label=NATURAL_TRUTH)  # fmt: skip
        for label in profile.columns[1:]:
            if label not in (TRUTH, NATURAL_TRUTH, "remix (0.3)"):
                axes.plot(x, profile[label], color=label_color(label), lw=1.6,
                          ls="--" if label == "remix (0.5)" else "-", label=label)  # fmt: skip
        axes.axhline(0.5, color=FAINT, lw=0.8, zorder=0)
        axes.set(xlim=(0, REACH), ylim=(0, 1.02), ylabel="probability of the rare class")
        axes.set_xlabel("distance from the centre (rare ring at 0.5, common ring at 1)")
        axes.legend(loc="upper right", fontsize=8)
    alt = (
        "Mean probability of the rare class against the distance from the centre, for each "
        "strategy and for the truth at equal class shares and at those of the data."
    )
    return picture_of(fig, "figure-1-profile", alt)


def seed_figure(measures: pd.DataFrame) -> Picture:
    """Draw the steepness against the share of the plane called rare, a point a seed."""
    with figure(5.2, 3.4) as fig:
        axes = fig.add_subplot()
        for label, lines in measures.groupby("strategy", sort=False):
            axes.plot(100 * lines["minority_share"], lines["steepness"], ls="", label=label,
                      **_point_style(str(label)))  # fmt: skip
        axes.set_ylim(bottom=0)
        axes.set_xlabel("per cent of the plane called rare")
        axes.set_ylabel("steepness where p is within 0.1 to 0.9")
        axes.legend(loc="upper left", fontsize=8)
    alt = (
        "Steepness of the probability against the share of the plane called rare, one point for "
        "each seed and strategy, with both truths marked."
    )
    return picture_of(fig, "figure-1-seeds", alt)


def _point_style(label: str) -> dict[str, Any]:
    if label in (TRUTH, NATURAL_TRUTH):
        return {"marker": "*" if label == TRUTH else "X", "color": INK, "markersize": 9}
    is_hollow = label in ("remix (0.3)", "remix (0.5)")
    return {
        "marker": "s" if label == "remix (0.5)" else "o",
        "color": label_color(label),
        "markersize": 5,
        "markerfacecolor": "white" if is_hollow else label_color(label),
    }
