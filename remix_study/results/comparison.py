"""The rows that are compared on one problem, and their scores fold by fold."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from remix_study.batches.strategies import STRATEGIES
from remix_study.results.frames import StudyFrames
from remix_study.results.intervals import influence_ratio

STRATEGY_KEYS = ("strategy", "sampler", "mixing", "alpha", "loss")
ORDER = (
    *("baseline", "cost", "smote", "mixup", "balance", "augment", "remix", "remix-aug"),
    "logit-adjusted",
)


@dataclass(frozen=True)
class Row:
    """One row of a comparison: a strategy at one fixed alpha, trained once on every fold.

    Attributes:
        label: unique within its problem, such as "remix (0.1)".
        run: the run that holds its scores.
        strategy: its name; "" for a composed one.
        parts: sampler, mixing and loss.
        alpha: mixing parameter; None where the strategy does not mix.
        settings: what else the study varies, such as "learning_rate 0.01"; "" if nothing.
        values: the trial's values: mean validation scores, one an objective.
        seconds: training time; an equal share of it where `beside`.
        beside: whether it trained side by side with others, so that its time is not its own.
        study: the study that it was run in.
    """

    label: str
    run: int
    strategy: str
    parts: tuple[str, str, str]
    alpha: float | None
    settings: str
    values: tuple[float, ...]
    seconds: float
    study: str = ""
    beside: bool = False

    @property
    def family(self) -> str:
        """The row's name without its alpha: the strategy, or the parts of a composed one."""
        return self.strategy or " + ".join(
            part for part in self.parts if part not in ("none", "cross-entropy")
        )

    @property
    def augments(self) -> bool:
        """Whether its images were augmented, which no part tells."""
        known = STRATEGIES.get(self.strategy)
        return known is not None and known.augment


@dataclass(frozen=True, eq=False)
class Comparison:
    """One problem of one study with everything that its comparison needs.

    Attributes:
        name: the problem's name, unique in the report ("<study>/<problem>" where two studies
            share it).
        title: the problem in words, without its imbalance ratio.
        imbalance_name: the imbalance in words, such as "IR 0.05".
        info: the problem's row of `StudyFrames.problems`.
        rows: in the order in which every table and figure shows them.
        folds: `StudyFrames.folds` of these rows.
        scores: (part, metric) -> (folds, rows) frame; NaN where a fold failed.
        ratio: n_test / n_train of the corrected standard error.
    """

    study: str
    problem: str
    name: str
    title: str
    imbalance_name: str
    info: Mapping[str, Any]
    rows: tuple[Row, ...]
    folds: pd.DataFrame
    scores: Mapping[tuple[str, str], pd.DataFrame]
    ratio: float

    @property
    def kind(self) -> str:
        return str(self.info["kind"])

    @property
    def objectives(self) -> tuple[str, ...]:
        return tuple(self.info["objectives"])

    @property
    def imbalance(self) -> float:
        """The requested imbalance ratio; NaN when the data were taken as they are."""
        return float(self.info["imbalance"])

    @property
    def planned_folds(self) -> int:
        return int(self.info["folds"]) * int(self.info["repeats"])

    @property
    def is_grid(self) -> bool:
        """Whether the points were planned; Optuna's own choices are no rows to compare."""
        return str(self.info["algorithm"]) == "grid"

    def score(self, label: str, metric: str, part: str = "test") -> pd.Series[float]:
        """The scores of one row, one a fold that has any; empty where the metric is missing."""
        frame = self.scores.get((part, metric))
        if frame is None or label not in frame:
            return pd.Series(dtype=float)
        return frame[label].dropna()

    def metrics(self, part: str = "test") -> tuple[str, ...]:
        return tuple(metric for where, metric in self.scores if where == part)

    def find(self, strategy: str, alpha: float | None = None) -> Row | None:
        """The first row of a strategy at this alpha; None if the problem has no such row."""
        return next(
            (row for row in self.rows if row.strategy == strategy and same(row.alpha, alpha)), None
        )

    def unmixed(self, row: Row) -> Row | None:
        """The row that differs from this one in not mixing at all; None if it was not run.

        For `remix` that is `balance`, for `mixup` `baseline`, for `remix-aug` `augment`.
        """
        sampler, _, loss = row.parts
        return next(
            (
                other
                for other in self.rows
                if other.parts == (sampler, "none", loss)
                and (other.settings, other.augments) == (row.settings, row.augments)
            ),
            None,
        )

    def missing_folds(self, label: str, metric: str) -> int:
        """How many of the planned folds have no test score of this row in the metric."""
        return self.planned_folds - len(self.score(label, metric))


def same(first: float | None, second: float | None) -> bool:
    """Whether two alphas are one, None meaning that nothing is mixed."""
    if first is None or second is None:
        return first is second
    return math.isclose(first, second)


def comparisons(frames: StudyFrames) -> tuple[Comparison, ...]:
    """Every problem of the frames with its rows and scores, the harder after the easier."""
    problems = _ordered(_records(frames.problems))
    names = [str(problem["problem"]) for problem in problems]
    failed = frames.folds.loc[frames.folds["failed"] != "", ["run", "repeat", "fold"]]
    scores = frames.scores.merge(failed, how="left", indicator="failed")
    scores = scores[scores["failed"] == "left_only"]
    made = []
    for problem, name in zip(problems, names, strict=True):
        study = str(problem["study"])
        runs = frames.runs[(frames.runs["study"] == study) & (frames.runs["problem"] == name)]
        rows = _rows(runs, grid=str(problem["algorithm"]) == "grid")
        labels = {row.run: row.label for row in rows}
        folds = frames.folds[frames.folds["run"].isin(list(labels))]
        made.append(
            Comparison(
                study=study,
                problem=name,
                name=name if names.count(name) == 1 else f"{study}/{name}",
                title=_title(problem),
                imbalance_name=_imbalance_name(problem),
                info=problem,
                rows=rows,
                folds=folds,
                scores=_by_fold(scores[scores["run"].isin(list(labels))], labels),
                ratio=influence_ratio(
                    folds["n_train"],
                    folds["n_validation"],
                    folds["n_test"],
                    early_stopping=bool(problem["early_stopping"]),
                )
                if len(folds)
                else float("nan"),
            )
        )
    return tuple(made)


def row_order(row: Row) -> tuple[int, str, str, float, str]:
    """Sorts rows: the known strategies first, then by name, other settings and alpha."""
    known = ORDER.index(row.strategy) if row.strategy in ORDER else len(ORDER)
    return known, row.family, row.settings, -1.0 if row.alpha is None else row.alpha, row.label


def _rows(runs: pd.DataFrame, *, grid: bool) -> tuple[Row, ...]:
    records = _records(runs.sort_values("trial"))
    settings = _settings([record["parameters"] for record in records]) if grid else []
    rows: dict[str, Row] = {}
    for at, record in enumerate(records):
        setting = settings[at] if grid else ""
        label = ", ".join(filter(None, (str(record["row"]), setting)))
        if not grid:
            label = f"{label} #{record['trial']}"
        alpha = float(record["alpha"])
        # A point that was run twice counts once: the seeds are those of the point.
        rows.setdefault(
            label,
            Row(
                label=label,
                run=int(record["run"]),
                strategy=str(record["strategy"]),
                parts=(str(record["sampler"]), str(record["mixing"]), str(record["loss"])),
                alpha=None if math.isnan(alpha) else alpha,
                settings=setting,
                values=tuple(float(value) for value in record["values"]),
                seconds=float(record["seconds"]),
                study=str(record["study"]),
                beside=_beside(record),
            ),
        )
    return tuple(sorted(rows.values(), key=row_order))


def _beside(record: Mapping[str, Any]) -> bool:
    """Whether a trial's time is a share of that which passed, half of it at most."""
    if not {"started", "finished"} <= record.keys():
        return False
    began, ended = (datetime.fromisoformat(record[name]) for name in ("started", "finished"))
    return float(record["seconds"]) < 0.75 * (ended - began).total_seconds()


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def _settings(parameters: Sequence[Mapping[str, Any]]) -> list[str]:
    """What each point of a grid sets beside its strategy, where the points differ in it."""
    keys = dict.fromkeys(key for point in parameters for key in point if key not in STRATEGY_KEYS)
    varied = [key for key in keys if len({repr(point.get(key)) for point in parameters}) > 1]
    return [
        ", ".join(f"{key} {point[key]}" for key in varied if key in point) for point in parameters
    ]


def _ordered(problems: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """By study, binary before multi-class, then as first met, the mildest imbalance first."""
    studies = list(dict.fromkeys(problem["study"] for problem in problems))
    bases = list(dict.fromkeys(_title(problem) for problem in problems))

    def place(problem: Mapping[str, Any]) -> tuple[int, bool, int, float]:
        imbalance = float(problem["imbalance"])
        return (
            studies.index(problem["study"]),
            problem["kind"] != "binary",
            bases.index(_title(problem)),
            -math.inf if math.isnan(imbalance) else -imbalance,
        )

    return sorted(problems, key=place)


def _by_fold(
    scores: pd.DataFrame, labels: Mapping[int, str]
) -> dict[tuple[str, str], pd.DataFrame]:
    if scores.empty:
        return {}
    wide = scores.pivot(
        index=["repeat", "fold"], columns=["part", "metric", "run"], values="value"
    ).sort_index()
    found = {}
    for part, metric in scores[["part", "metric"]].drop_duplicates().itertuples(index=False):
        frame = wide[part][metric].rename(columns=labels)
        found[part, metric] = frame[[name for name in labels.values() if name in frame]]
    return found


def _title(problem: Mapping[str, Any]) -> str:
    minority: Sequence[str] = problem["minority"]
    dataset = str(problem["dataset"])
    if not minority:
        return f"{dataset}, classes as they are"
    rare = ("class " if len(minority) == 1 else "classes ") + ", ".join(minority)
    if problem["kind"] == "binary":
        return f"{dataset}, {rare} against the rest"
    return f"{dataset}, {rare} rare among {len(problem['classes'])}"


def _imbalance_name(problem: Mapping[str, Any]) -> str:
    imbalance = float(problem["imbalance"])
    if not math.isnan(imbalance):
        return f"IR {imbalance:g}"
    counts: Mapping[str, int] = problem["counts"]
    rare = set(problem["minority"]) or {min(counts, key=lambda name: counts[name])}
    others = [count for name, count in counts.items() if name not in rare]
    if not others:
        return "as it is"
    return f"as it is (IR {min(counts[name] for name in rare) / max(others):.2g})"
