"""Problems as they are compared: methods, their scores fold by fold, and names in words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pandas as pd

from remix_study.results.best_methods import best_methods
from remix_study.results.bootstrap import Bootstrap, has_repeated_draws, problem_bootstrap
from remix_study.results.effects import Effects
from remix_study.results.frames import StudyFrames
from remix_study.results.intervals import influence_ratio
from remix_study.results.methods import Method, is_same_alpha, methods_of_runs
from remix_study.results.problem_names import imbalance_name, problem_title, rare_classes
from remix_study.results.score_frames import scores_by_fold

# Share of a method's folds.
_DID_NOT_TRAIN = 0.25


@dataclass(frozen=True)
class Untrained:
    """On how many folds of all the networks of a method learned nothing, and mostly why."""

    n_folds: int
    folds: int
    reason: str


@dataclass(frozen=True, eq=False)
class Comparison:
    """One problem of one study with all that a comparison of its methods needs.

    Attributes:
        name: the problem's name, unique in the report ("<study>/<problem>" where two studies
            share it).
        title: the problem in words, without its imbalance ratio.
        imbalance_name: the imbalance in words, such as "rare 1:20".
        info: the problem's row of `StudyFrames.problems`.
        methods: in the order in which every table and figure shows them.
        folds: `StudyFrames.folds` of these methods.
        scores: (part, metric) -> (folds, methods) frame; NaN where a fold failed.
        ratio: n_test / n_train of the corrected standard error; NaN where the test parts are no
            repeated draws.
        bootstrap: draws of test rows for such problems; None for others, and without stored
            probabilities.
        n_left_out: methods with lower validation scores, where there are too many to compare.
    """

    study: str
    problem: str
    name: str
    title: str
    imbalance_name: str
    info: Mapping[str, Any]
    methods: tuple[Method, ...]
    folds: pd.DataFrame
    scores: Mapping[tuple[str, str], pd.DataFrame]
    ratio: float
    bootstrap: Bootstrap | None = None
    n_left_out: int = 0

    @property
    def full_title(self) -> str:
        return f"{self.title}, {self.imbalance_name}"

    @property
    def kind(self) -> str:
        """Kind of problem: "binary" or "multi-class"."""
        return str(self.info["kind"])

    @property
    def dataset(self) -> str:
        """Name of the data set that the problem was made from."""
        return str(self.info["dataset"])

    @property
    def objectives(self) -> tuple[str, ...]:
        """Metrics that the study optimises, the first one first."""
        return tuple(self.info["objectives"])

    @property
    def imbalance(self) -> float:
        """The requested imbalance ratio; NaN when the data were taken as they are."""
        return float(self.info["imbalance"])

    @property
    def n_rare(self) -> int:
        """Number of rows of all rare classes together."""
        counts: Mapping[str, int] = self.info["counts"]
        return sum(counts[name] for name in rare_classes(self.info))

    @property
    def definition(self) -> Mapping[str, Any] | None:
        """All that the study's numbers depend on, by sections and keys; early databases: None."""
        definition = self.info.get("definition")
        return definition if isinstance(definition, Mapping) else None

    @property
    def split(self) -> str:
        """How the data split themselves: "fold", "test" or "time"; "" where they do not."""
        return str(self.info.get("split", ""))

    @property
    def has_repeated_draws(self) -> bool:
        """Whether folds are draws that could be made again, unlike a test file or times."""
        return has_repeated_draws(self.info)

    @property
    def interval_name(self) -> str:
        """Which interval its scores have, for tables: "corrected t", "bootstrap" or "none"."""
        if self.has_repeated_draws:
            return "corrected t"
        return "bootstrap" if self.bootstrap else "none"

    @property
    def planned_folds(self) -> int:
        return int(self.info["folds"]) * int(self.info["repeats"])

    @property
    def is_grid(self) -> bool:
        """Whether configurations were planned; those that Optuna suggested are not compared."""
        return str(self.info["algorithm"]) == "grid"

    @cached_property
    def effects(self) -> Effects:
        return Effects(self.scores, self.ratio, bootstrap=self.bootstrap)

    def effects_of_runs(
        self, scores: Mapping[tuple[str, str], pd.DataFrame], labels: Mapping[int, str]
    ) -> Effects:
        """Effects of other test scores, of the trials of a search; run -> label of each."""
        runs = {label: run for run, label in labels.items()}
        bootstrap = self.bootstrap and replace(self.bootstrap, runs=runs, _cache={})
        return Effects(scores, self.ratio, bootstrap=bootstrap)

    @cached_property
    def _validation(self) -> Effects:
        return Effects(self.scores, self.ratio, "validation")

    def score(self, label: str, metric: str, part: str = "test") -> pd.Series[float]:
        """Scores of a method on "test" or "validation" parts, by (repeat, fold).

        Folds that have none are left out; all are where the method was not run.
        """
        return (self.effects if part == "test" else self._validation).by_fold(label, metric)

    def metrics(self, part: str = "test") -> tuple[str, ...]:
        """Names of the metrics that trained methods have scores in on this part."""
        labels = {method.label for method in self.methods}
        return tuple(
            metric
            for (scored_part, metric), frame in self.scores.items()
            if scored_part == part and not labels.isdisjoint(frame)
        )

    def trained_folds(self, method: Method | None) -> pd.DataFrame:
        """Rows of `folds` of this method that did not fail; none for None."""
        run = -1 if method is None else method.run
        return self._trained_folds.get(run, self.folds.iloc[:0])

    @cached_property
    def _trained_folds(self) -> dict[int, pd.DataFrame]:
        trained = self.folds[self.folds["failed"] == ""]
        return {int(str(run)): folds for run, folds in trained.groupby("run", sort=False)}

    @cached_property
    def _by_label(self) -> dict[str, Method]:
        return {method.label: method for method in self.methods}

    def untrained(self, label: str) -> Untrained | None:
        """How a method did not train; None if it did on more than three quarters of its folds."""
        folds = self.trained_folds(self._by_label.get(label))
        if "untrained" not in folds:
            return None
        reasons = Counter(reason for reason in folds["untrained"] if reason)
        n_folds = sum(reasons.values())
        if not n_folds or n_folds < _DID_NOT_TRAIN * len(folds):
            return None
        return Untrained(n_folds, len(folds), reasons.most_common(1)[0][0])

    def method(self, strategy: str, alpha: float | None = None) -> Method | None:
        """The first method of a strategy at this alpha; None if the problem has no such method."""
        of_strategy = (m for m in self.methods if m.strategy == strategy)
        return next((method for method in of_strategy if is_same_alpha(method.alpha, alpha)), None)

    def first_method(self, strategy: str, settings: str = "") -> Method | None:
        """The first method of a strategy with these settings, but for a ratio if it takes none."""
        plain = ", ".join(s for s in settings.split(", ") if not s.startswith("ratio "))
        of_strategy = [m for m in self.methods if m.strategy == strategy]
        return next((m for s in (settings, plain) for m in of_strategy if m.settings == s), None)

    def unmixed(self, mixed: Method) -> Method | None:
        """The method that differs from this one only in not mixing; None if it was not run.

        For `remix` that is `balance`, for `mixup` `baseline`, for `remix-aug` `augment`.
        """
        sampler, _, loss = mixed.parts
        candidates = (m for m in self.methods if m.parts == (sampler, "none", loss))
        settings = mixed.settings, mixed.is_augmented
        return next((m for m in candidates if (m.settings, m.is_augmented) == settings), None)

    def missing_folds(self, label: str, metric: str) -> int:
        """Number of planned folds without a test score of this method in the metric."""
        return self.planned_folds - self.effects.n_folds(label, metric)

    def has_all_scores(self, label: str, metric: str) -> bool:
        """Whether every planned fold has a validation and a test score of this method."""
        n_validation = self._validation.n_folds(label, metric)
        return n_validation == self.planned_folds and not self.missing_folds(label, metric)


def comparisons(frames: StudyFrames) -> tuple[Comparison, ...]:
    """Make a comparison of every problem of the frames, the milder imbalance first."""
    problems = _in_page_order(_records(frames.problems))
    names = [str(problem["problem"]) for problem in problems]
    failed = frames.folds.loc[frames.folds["failed"] != "", ["run", "repeat", "fold"]]
    scores = frames.scores.merge(failed, how="left", indicator="failed")
    scores = scores[scores["failed"] == "left_only"]
    return tuple(
        _comparison(frames, scores, problem, is_unique=names.count(name) == 1)
        for problem, name in zip(problems, names, strict=True)
    )


def _comparison(
    frames: StudyFrames, scores: pd.DataFrame, problem: Mapping[str, Any], *, is_unique: bool
) -> Comparison:
    study, name = str(problem["study"]), str(problem["problem"])
    runs = frames.runs[(frames.runs["study"] == study) & (frames.runs["problem"] == name)]
    all_methods = methods_of_runs(runs, grid=str(problem["algorithm"]) == "grid")
    methods = best_methods(all_methods, tuple(problem["objectives"]))
    labels = {method.run: method.label for method in methods}
    folds = frames.folds[frames.folds["run"].isin(list(labels))]
    ratio = math.nan
    if len(folds) and has_repeated_draws(problem):
        ratio = influence_ratio(
            folds["n_train"],
            folds["n_validation"],
            folds["n_test"],
            early_stopping=bool(problem["early_stopping"]),
        )
    return Comparison(
        study=study,
        problem=name,
        name=name if is_unique else f"{study}/{name}",
        title=problem_title(problem),
        imbalance_name=imbalance_name(problem),
        info=problem,
        methods=methods,
        folds=folds,
        scores=scores_by_fold(scores[scores["run"].isin(list(labels))], labels),
        ratio=ratio,
        bootstrap=problem_bootstrap(frames, problem, {m.label: m.run for m in methods}),
        n_left_out=len(all_methods) - len(methods),
    )


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def _in_page_order(problems: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """By study, binary before multi-class, then in the given order, milder imbalance first."""
    studies = list(dict.fromkeys(problem["study"] for problem in problems))
    titles = list(dict.fromkeys(problem_title(problem) for problem in problems))

    def place(problem: Mapping[str, Any]) -> tuple[int, bool, int, float]:
        imbalance = float(problem["imbalance"])
        return (
            studies.index(problem["study"]),
            problem["kind"] != "binary",
            titles.index(problem_title(problem)),
            -math.inf if math.isnan(imbalance) else -imbalance,
        )

    return sorted(problems, key=place)
