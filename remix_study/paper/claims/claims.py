"""The 25 claims: what the paper says, where, and the rule that checks it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from remix_study.paper.claims import alpha, costs, gains, images, ranks, single_methods
from remix_study.paper.claims.evidence import Evidence
from remix_study.paper.claims.parts import Part
from remix_study.paper.claims.rules import ALPHA_RANGE, GOOD_ALPHA, MOST_ALPHA, MUCH_LARGER
from remix_study.report.formatting import plain

Check = Callable[[Evidence], list[Part]]
_LOW, _HIGH = (plain(end) for end in ALPHA_RANGE)


@dataclass(frozen=True)
class Claim:
    """A claim of the paper and its rule.

    Attributes:
        id: as in "C1".
        text: the claim in one line.
        place: where the paper makes it.
        rule: its check in one line.
        section: anchor of the section of the page that shows the numbers.
        check: computes the parts; None where another report shows the claim.
        about: text in the names of the numbers that the short table shows; "" for all.
    """

    id: str
    text: str
    place: str
    rule: str
    section: str
    check: Check | None
    about: str = ""


CLAIMS = (
    Claim(
        "C1",
        "ReMix ranks first in g-mean and balanced Brier, binary and multi-class.",
        "Table 2",
        "Its rank sum is the lowest of the five published rows in all four columns.",
        "ranks",
        ranks.remix_first,
        "remix",
    ),
    Claim(
        "C2",
        "SMOTE is the second best in g-mean.",
        "Table 2, Results",
        "Its rank sum in g-mean is the second lowest in both kinds; ReMix is better than SMOTE, "
        "SMOTE better than the rest.",
        "ranks",
        ranks.smote_second,
        "smote",
    ),
    Claim(
        "C3",
        "ReMix gains most over the baseline, in g-mean and in balanced Brier.",
        "Figure 5",
        "Its mean gain is the largest of the published rows over all problems and at each "
        "imbalance ratio.",
        "gains",
        gains.remix_gains_most,
        "remix",
    ),
    Claim(
        "C4",
        "The greatest gains in g-mean are those of ReMix on binary problems.",
        "Results",
        "Its mean gain there is the largest of all rows on both kinds.",
        "gains",
        gains.remix_binary_greatest,
        "remix",
    ),
    Claim(
        "C5",
        "The g-mean gains of ReMix and SMOTE decline as the imbalance grows.",
        "Results, binary",
        "The mean gain never rises from one ratio to the next more extreme one and is lower at "
        "the last.",
        "gains",
        gains.gains_decline,
        "gain",
    ),
    Claim(
        "C6",
        "ReMix improves balanced Brier much more than the others do.",
        "Results",
        f"Its mean gain is at least {plain(MUCH_LARGER)} times that of the runner-up.",
        "gains",
        gains.remix_calibrates_much_more,
        "ratio",
    ),
    Claim(
        "C7",
        "The advantage of ReMix is smaller on multi-class problems.",
        "Discussion, multi-class",
        "Its lead over the best other published row is smaller there, in mean gain and in mean "
        "rank.",
        "gains",
        gains.advantage_smaller,
    ),
    Claim(
        "C8",
        "Class weights do no better than the baseline.",
        "Table 2, binary",
        "Their rank sum is no lower than the baseline's in both scores.",
        "ranks",
        single_methods.weights_no_better,
        "rank",
    ),
    Claim(
        "C9",
        "MixUp is the last in g-mean.",
        "Table 2",
        "Its rank sum in g-mean is the highest of the published rows in both kinds.",
        "ranks",
        ranks.mixup_last,
        "mixup",
    ),
    Claim(
        "C10",
        "MixUp is second in balanced Brier on multi-class problems.",
        "Table 2",
        "Its rank sum is the second lowest; ReMix is better than MixUp, MixUp better than the "
        "rest.",
        "ranks",
        ranks.mixup_second,
        "mixup",
    ),
    Claim(
        "C11",
        "Resampling as it was does not improve calibration.",
        "Introduction, related work",
        "In-batch SMOTE and in-batch oversampling (balance) gain nothing over the baseline in "
        "plain Brier and class-wise ECE.",
        "gains",
        single_methods.resampling_does_not_calibrate,
    ),
    Claim(
        "C12",
        f"G-mean is stable for alpha between {_LOW} and {_HIGH}.",
        "Sensitivity",
        "On every problem the best and the worst mean in that range differ by no more than a "
        "corrected standard error; the ends are practically equal.",
        "sensitivity",
        alpha.stable,
    ),
    Claim(
        "C13",
        f"Balanced Brier falls with alpha up to {_HIGH}.",
        "Sensitivity",
        "The rank correlation of alpha and balanced Brier is below zero on every data set.",
        "sensitivity",
        alpha.bbs_falls,
    ),
    Claim(
        "C14",
        "Larger alpha helps on seizure, most at the most extreme ratio.",
        "Sensitivity",
        f"The slope of g-mean over alpha from {_LOW} to {_HIGH} is above zero at each ratio and "
        "largest at the most extreme one.",
        "sensitivity",
        alpha.seizure_gains,
        "slope",
    ),
    Claim(
        "C15",
        "Larger alpha lowers g-mean a little on musk.",
        "Sensitivity",
        f"The mean slope of g-mean over alpha from {_LOW} to {_HIGH} is below zero.",
        "sensitivity",
        alpha.musk_drops,
        "mean slope",
    ),
    Claim(
        "C16",
        f"Alpha above {plain(MOST_ALPHA)} can degrade performance.",
        "Demonstration, Figure 4",
        "On some data set the larger alphas score worse, in either score, than the alpha up to "
        f"{plain(MOST_ALPHA)} that each fold's validation part chooses.",
        "sensitivity",
        alpha.large_alpha_can_degrade,
    ),
    Claim(
        "C17",
        f"Alpha {plain(GOOD_ALPHA)} is a good setting.",
        "Sensitivity",
        "In both scores it loses at most the region of practical equivalence against the alpha "
        "that each fold's validation part chooses.",
        "sensitivity",
        alpha.good_alpha,
        "mean",
    ),
    Claim(
        "C18",
        "On images ReMix gains more than MixUp, class weights and SMOTE.",
        "Figure 6",
        "Its mean gains in g-mean and balanced Brier are larger than each of theirs.",
        "gains",
        images.remix_first_on_images,
    ),
    Claim(
        "C19",
        "On binary images ReMix with augmentation is first and augmentation alone second; on "
        "multi-class images the other way round.",
        "Figure 6",
        "The two largest mean gains are theirs, in that order, in both scores.",
        "gains",
        images.augmentation_order,
    ),
    Claim(
        "C20",
        "The gains are smaller on multi-class images.",
        "Figure 6",
        "The mean gain of ReMix is smaller there, in both scores.",
        "gains",
        images.image_gains_smaller,
    ),
    Claim(
        "C21",
        "ReMix pushes the boundary out and makes the probabilities smoother.",
        "Figure 1",
        "Share of the plane that is called minority, and mean gradient of the probability.",
        "",
        None,
    ),
    Claim(
        "C22",
        "ReMix needs little more computation; the neighbours of SMOTE slow a batch down.",
        "Introduction",
        "The median time of an epoch is at most a tenth above the baseline's, and SMOTE's is "
        "longer. Wall time on whatever machine ran it.",
        "results",
        costs.little_computation,
    ),
    Claim(
        "C23",
        "The rows that ReMix resamples rarely repeat.",
        "Introduction, advantage a",
        "At most one row in twenty of an epoch was drawn before and then hardly mixed.",
        "results",
        costs.rarely_repeats,
    ),
    Claim(
        "C24",
        "Mixing adds to balancing.",
        "asked here",
        "ReMix is better than balance, the same batches without mixing, in all five scores.",
        "ranks",
        single_methods.mixing_adds,
    ),
    Claim(
        "C25",
        "The gain is more than a shift of the prior.",
        "asked here",
        "ReMix is better than the logit-adjusted baseline in all five scores.",
        "ranks",
        single_methods.beats_prior_shift,
    ),
)
