"""Sentences on what the figures show, made from their numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from remix_study.paper.demonstration.blends import FAINT_LABEL, BlendStudy
from remix_study.paper.demonstration.boundary import CLAIMED, NATURAL_TRUTH, TRUTH, BoundaryClaim
from remix_study.paper.demonstration.densities import MIDDLE, SOFT
from remix_study.paper.demonstration.generated_data import MAJORITY, MINORITY
from remix_study.paper.demonstration.scale import BATCH_SIZE
from remix_study.report.formatting import MISSING, counted, listing, number, plain, sentence

REMIX = "remix (0.1)"


def percent(share: float, digits: int = 1) -> str:
    """A share in per cent, as in '12.3 %'; a dash if it is not finite."""
    return f"{number(100 * share, digits)} %" if math.isfinite(share) else MISSING


def boundary_headline(claim: BoundaryClaim) -> str:
    """Say whether the claim of Figure 1 holds."""
    share, steepness = claim.minority_share, claim.steepness
    smaller = [name for name in CLAIMED[:2] if share[name] < share[REMIX]]
    steeper = [name for name in CLAIMED[:2] if steepness[name] > steepness[REMIX]]
    return sentence(
        f"“Pushed out and smoother” {claim.verdict} on the mean of "
        f"{counted(claim.seeds, 'seed')}: ReMix calls more of the plane rare than "
        f"{_than(smaller)}, and its probability changes more gently than {_than(steeper)}"
    )


def _than(names: Sequence[str]) -> str:
    if len(names) == 2:
        return "the baseline and SMOTE do"
    if not names:
        return "neither the baseline nor SMOTE"
    shown = ("SMOTE", "the baseline") if names == ["smote"] else ("the baseline", "SMOTE")
    return f"{shown[0]} does, but not than {shown[1]}"


def boundary_lines(measures: pd.DataFrame) -> tuple[str, ...]:
    """Describe Figure 1: where the boundary is, how steep, and how far from the truth."""
    means = measures.groupby("strategy", sort=False).mean(numeric_only=True)
    baseline, smote, remix = CLAIMED

    def each(column: str, digits: int = 2) -> str:
        return listing(
            [f"{name} {number(float(means[column][name]), digits)}" for name in CLAIMED]
        )

    def seeds_with(column: str, rival: str, *, more: bool) -> str:
        wide = measures.pivot(index="seed", columns="strategy", values=column)
        wins = wide[remix] > wide[rival] if more else wide[remix] < wide[rival]
        n = int(wide[remix].notna().sum())
        return f"{int(wins.sum())} of {n}"

    share = means["minority_share"]
    shares = listing([f"{name} {percent(share[name])}" for name in CLAIMED])
    push = (
        ("The push comes from balancing", "back")
        if share[remix] < share["balance"]
        else ("Mixing adds to the push of balancing", "further out")
    )
    steep, error = means["steepness"], means["error_equal"]
    networks = [name for name in means.index if name not in (TRUTH, NATURAL_TRUTH)]
    truest = error[networks].idxmin()
    flat = (
        " The baseline's step is gentle because it is low: its probability rises least."
        if steep[baseline] < steep[remix] and means["slope"][networks].idxmin() == baseline
        else ""
    )
    truer = (
        "Gentler is not truer here"
        if error[remix] > error["balance"]
        else "Mixing makes the probability truer here"
    )
    lines = [
        f"Share of the plane that is called the rare class: {shares}. True would be "
        f"{percent(share[TRUTH])} at equal class shares and {percent(share[NATURAL_TRUTH])} at "
        f"those of the data. ReMix calls more of it rare than the baseline on "
        f"{seeds_with('minority_share', baseline, more=True)} seeds and more than SMOTE on "
        f"{seeds_with('minority_share', smote, more=True)}.",
        f"{push[0]}: the same batches without mixing (balance) call "
        f"{percent(share['balance'])} rare, so mixing moves the boundary {push[1]}.",
        f"Steepness, the mean slope where p is within 0.1 to 0.9: {each('steepness')}; of the "
        f"true probability at equal shares {number(steep[TRUTH], 2)}, at those of the data "
        f"{number(steep[NATURAL_TRUTH], 2)}. ReMix is gentler than SMOTE on "
        f"{seeds_with('steepness', smote, more=False)} seeds and gentler than the baseline on "
        f"{seeds_with('steepness', baseline, more=False)}.{flat}",
        f"Mean |grad p| over the whole plane: {each('slope', 3)}. It measures the length of the "
        "boundary times the height of the step, so it grows with a boundary that is pushed out "
        "and does not tell a sharp step from a gentle one; steepness does.",
        f"{truer}. Distance from the true probability at equal shares "
        f"(root mean square over rows): {each('error_equal', 3)}, balance "
        f"{number(error['balance'], 3)} and remix (0.5) {number(error['remix (0.5)'], 3)}; "
        f"{truest} is nearest.",
    ]
    return tuple(lines)


def sample_lines(means: pd.DataFrame) -> tuple[str, ...]:
    """Describe Figures 2 and 3: how many rows are new, and where they lie."""
    lines = {str(line["strategy"]): line for line in means.to_dict("records")}
    smote, low, high = lines["smote"], lines[REMIX], lines["remix (0.5)"]
    in_a_batch = BATCH_SIZE * MINORITY / (MAJORITY + MINORITY)
    how_often = "rarely" if low["copy_share"] < 0.5 else "mostly"
    return (
        f"An epoch's batches hold {number(low['rows'], 0)} rows of the rare class, made from "
        f"{MINORITY} real ones. Different rows among them: "
        + listing([f"{name} {number(line['distinct'], 0)}" for name, line in lines.items()])
        + ".",
        f"At alpha 0.1 ReMix's rows {how_often} repeat: {percent(low['copy_share'], 0)} of them "
        f"lie within one per cent of a real row, at alpha 0.5 {percent(high['copy_share'], 0)}, "
        f"with SMOTE {percent(smote['copy_share'], 0)}. One lambda is drawn a batch, and "
        "Beta(0.1, 0.1) is nearly 0 or nearly 1 most of the time.",
        f"Outside the convex hull of the rare class lie {percent(smote['outside_share'])} of "
        f"SMOTE's rows, {percent(low['outside_share'])} of ReMix's at alpha 0.1 and "
        f"{percent(high['outside_share'])} at alpha 0.5.",
        f"SMOTE sees only the rare rows of its batch, here {plain(round(in_a_batch, 1))} on "
        "average: in "
        f"{percent(1 - smote['smoted_share'], 0)} of its batches it has none to blend, and in the "
        "others its rows lie on a few lines.",
    )


def density_lines(table: pd.DataFrame) -> tuple[str, ...]:
    """Describe Figure 4: how much alpha mixes."""
    low, high = table.iloc[0], table.iloc[-1]
    rises = table["soft_share"].is_monotonic_increasing
    return (
        f"Rows with a label between {plain(SOFT[0])} and {plain(SOFT[1])}: "
        f"{percent(low['soft_share'])} at alpha {plain(low['alpha'])}, "
        f"{percent(high['soft_share'])} at alpha {plain(high['alpha'])}"
        f"{', more with every step of alpha' if rises else ''}. Half of all pairs are of one "
        "class and keep a hard label whatever lambda is.",
        f"Rows with a feature between {plain(MIDDLE[0])} and {plain(MIDDLE[1])}, halfway from "
        f"one class to the other: {percent(low['middle_share'])} and "
        f"{percent(high['middle_share'])}. "
        f"Rows that stay where they were drawn, to one per cent: "
        f"{percent(low['untouched_share'], 0)} and {percent(high['untouched_share'], 0)}.",
    )


def blend_lines(studies: Sequence[BlendStudy]) -> tuple[str, ...]:
    """Describe Figure 8: blends that contradict the data, and what they cost."""
    lines = []
    for study in studies:
        shares = study.contradicted.set_index("strategy")["contradicted"]
        lines.append(
            f"{study.title}: {percent(shares[REMIX])} of ReMix's rows at alpha 0.1 and "
            f"{percent(shares['remix (1)'])} at alpha 1 lie where a class is likeliest that has "
            f"less than {plain(FAINT_LABEL)} of their label; without mixing it is "
            f"{percent(shares['balance'])}, where classes overlap, and with SMOTE "
            f"{percent(shares['smote'])}."
        )
        by_seed = study.scores.pivot(index="seed", columns="strategy", values="middle")
        means = study.scores.groupby("strategy").mean(numeric_only=True)
        middle, score = means["middle"], means["g_mean"]
        times_worse = {name: int((by_seed[name] < by_seed["balance"]).sum()) for name in by_seed}
        lines.append(
            "Networks trained on them find "
            + listing(
                [
                    f"{percent(middle[name])} of the middle class with {name}"
                    if not at
                    else f"{percent(middle[name])} with {name}"
                    for at, name in enumerate(("balance", REMIX, "remix (0.5)", "remix (1)"))
                ]
            )
            + f", and {percent(middle['smote'])} with smote; ReMix at alpha 0.1 finds fewer than "
            f"balance on {times_worse[REMIX]} of {len(by_seed)} seeds, at alpha 0.5 on "
            f"{times_worse['remix (0.5)']}. g-mean with balance {number(score['balance'])}, with "
            f"{REMIX} {number(score[REMIX])}, with remix (1) {number(score['remix (1)'])}."
        )
    return tuple(lines)
