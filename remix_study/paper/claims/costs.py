"""Claims on what ReMix costs and draws: C22 and C23."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from remix_study.batches.strategies import PUBLISHED_ALPHA
from remix_study.paper.claims.evidence import Evidence
from remix_study.paper.claims.findings import Part, contrast, not_run, part
from remix_study.paper.claims.rules import COPY, MINIMAL_EXTRA, RARELY
from remix_study.paper.claims.score_matrix import ScoreMatrix
from remix_study.results.comparison import Comparison


def little_computation(evidence: Evidence) -> list[Part]:
    """C22: an epoch of ReMix takes at most `MINIMAL_EXTRA` times the baseline's, SMOTE's longer.

    The median over problems of seconds per epoch over the baseline's. Wall time on whatever
    machine ran it is no sample of anything, so nothing is inferred.
    """
    found = []
    for board in evidence.tabular:
        rows = ("baseline", "smote", "remix")
        name = f"{board.name}, seconds per epoch"
        lacking = board.lacking(rows, ["g_mean"])
        if lacking:
            found.append(not_run(name, lacking))
            continue
        seconds = pd.DataFrame(
            [[_per_epoch(c, board, row) for row in rows] for c in board.problems], columns=rows
        )
        if not (seconds > 0).to_numpy().all():
            found.append(not_run(name, "training times of trials alone"))
            continue
        times = seconds.div(seconds["baseline"], axis=0).median()
        numbers = {
            "remix over baseline": float(times["remix"]),
            "smote over baseline": float(times["smote"]),
        }
        holds = times["remix"] <= MINIMAL_EXTRA and times["smote"] > times["remix"]
        found.append(part(name, bool(holds), numbers, (), board.basis))
    return found


def rarely_repeats(evidence: Evidence) -> list[Part]:
    """C23: at most `RARELY` of the rows of an epoch are repeats that mixing leaves as they are.

    A row is a repeat where the epoch drew it before. Mixing leaves it where lambda is within
    `COPY` of 0 or 1, which Beta(alpha, alpha) says; the two are taken as independent.
    """
    unmixed = 1 - float(
        np.diff(stats.beta(PUBLISHED_ALPHA, PUBLISHED_ALPHA).cdf([COPY, 1 - COPY]))[0]
    )
    found = []
    for board in evidence.tabular:
        name = f"{board.name}, share of repeats"
        lacking = board.lacking(["remix"], ["g_mean"])
        shares = [] if lacking else [_distinct(c, board) for c in board.problems]
        if lacking or np.isnan(shares).any():
            found.append(not_run(name, lacking or "shares of distinct rows"))
            continue
        drawn = 1 - pd.Series(shares, index=[c.problem for c in board.problems])
        repeats = drawn * unmixed
        numbers = {
            "drawn again": float(drawn.mean()),
            "hardly mixed": unmixed,
            "share of repeats": float(repeats.mean()),
        }
        contrasts = [contrast("below the limit", RARELY - repeats, board.datasets)]
        holds = float(repeats.mean()) <= RARELY
        found.append(part(name, holds, numbers, contrasts, board.basis))
    return found


def _per_epoch(comparison: Comparison, board: ScoreMatrix, strategy: str) -> float:
    row = board.rows[strategy][comparison.problem]
    if row.beside:
        return float("nan")
    epochs = comparison.folds.loc[comparison.folds["run"] == row.run, "epochs"].sum()
    return row.seconds / float(epochs) if epochs else float("nan")


def _distinct(comparison: Comparison, board: ScoreMatrix) -> float:
    row = board.rows["remix"][comparison.problem]
    folds = comparison.folds[comparison.folds["run"] == row.run]
    if "distinct_share" not in folds:
        return float("nan")
    return float(folds["distinct_share"].astype(float).mean())
