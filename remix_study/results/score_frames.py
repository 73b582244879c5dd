"""Scores laid out by fold and method, one frame a metric and part."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd


def scores_by_fold(
    scores: pd.DataFrame, labels: Mapping[int, str]
) -> dict[tuple[str, str], pd.DataFrame]:
    """(part, metric) -> (folds, methods) frame, its columns in the order of the labels."""
    if scores.empty:
        return {}
    # With arrays, since to pivot and to slice wide frames takes several times as long.
    n_folds = int(scores["fold"].max()) + 1
    folds, rows = np.unique(scores["repeat"] * n_folds + scores["fold"], return_inverse=True)
    index = pd.MultiIndex.from_arrays(divmod(folds, n_folds), names=["repeat", "fold"])
    columns = scores["run"].map({run: place for place, run in enumerate(labels)}).to_numpy()
    names, values = pd.Index(list(labels.values()), name="run"), scores["value"].to_numpy()
    lines_by_key = scores.groupby(["part", "metric"]).indices
    frames = {}
    for part, metric in scores[["part", "metric"]].drop_duplicates().itertuples(index=False):
        lines = lines_by_key[part, metric]
        table = np.full((len(index), len(names)), np.nan)
        table[rows[lines], columns[lines]] = values[lines]
        is_scored = np.isin(np.arange(len(names)), columns[lines])
        frames[part, metric] = pd.DataFrame(
            table[:, is_scored], index=index, columns=names[is_scored]
        )
    return frames


def relabelled(
    frames: Mapping[tuple[str, str], pd.DataFrame], labels: Mapping[str, str]
) -> dict[tuple[str, str], pd.DataFrame]:
    """The columns of these labels that each frame has, under the names that the labels get."""
    renamed, names = {}, {}
    for key, frame in frames.items():
        columns = frame.columns.tolist()
        kept = tuple(label for label in labels if label in columns)
        if kept not in names:
            # Made once: most of the frames have the same columns.
            names[kept] = pd.Index([labels[label] for label in kept])
        values = frame.to_numpy()[:, [*map(columns.index, kept)]]
        renamed[key] = pd.DataFrame(values, index=frame.index, columns=names[kept])
    return renamed
