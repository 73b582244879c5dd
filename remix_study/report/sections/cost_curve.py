"""The figure of a decision with costs: what other costs of a miss would change."""

from __future__ import annotations

from remix_study.metrics.class_scores import RARE
from remix_study.report import figures
from remix_study.report.figures import Picture
from remix_study.report.formatting import plain
from remix_study.results.decision import Decision


def picture(place: int, decision: Decision) -> Picture | None:
    """Relative cost against the ratio of costs; None where there are no curves."""
    curves = decision.cost_curves
    if not curves:
        return None
    ratios = curves[0].ratios
    stated_ratio = float(1 / decision.aim.usual_threshold - 1)
    with figures.figure(5.6, 3.2) as fig:
        axes = fig.subplots()
        axes.axhline(1, color=figures.FAINT, zorder=0)
        axes.axvline(stated_ratio, color=figures.FAINT, zorder=0)
        for curve in curves:
            is_chosen = curve.method.label == decision.chosen.method.label
            axes.plot(
                ratios,
                curve.costs,
                color=figures.strategy_color(curve.method.strategy),
                linewidth=2.2 if is_chosen else 1.2,
                linestyle="-" if is_chosen or not curve.method.is_estimator else "--",
                label=curve.method.label + (" (chosen)" if is_chosen else ""),
            )
        axes.set_xscale("log")
        ticks = [float(ratios[0]), stated_ratio, float(ratios[-1])]
        axes.set_xticks(ticks, [plain(float(f"{tick:.3g}")) for tick in ticks])
        axes.minorticks_off()
        axes.set_ylim(bottom=0)
        axes.set_xlabel("cost of a missed row / cost of a false alarm")
        axes.set_ylabel("cost / cost of a constant answer")
        axes.legend()
    rare = decision.comparison.info["classes"][RARE]
    caption = (
        f"Cost of decisions on {rare} where a miss costs more or less, each method with the "
        "threshold that validation rows choose there. At 1 a constant answer is as good."
    )
    alt = f"Relative cost of {len(curves)} methods on {decision.comparison.name}."
    return figures.picture_of(fig, f"cost-curve-{place}", alt, caption=caption)
