"""The specification curve: the paper's claims at one set of free choices after the other.

A specification is one network, alpha, way of mixing, training and split at which the published
methods are compared among themselves; "balance" stands beside them. Its methods are put under the
labels of those whose place they take, so that the rules of `claims` apply to it as they are. The
rules of the verdict over a curve were fixed before the runs: `reports/capacity/PLAN.md`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import pandas as pd

from remix_study.batches.strategies import PUBLISHED_ALPHA
from remix_study.metrics import METRICS
from remix_study.paper.claims import CLAIMS
from remix_study.paper.claims.evidence import evidence_of
from remix_study.paper.claims.verdicts import Claim, Part
from remix_study.paper.table2 import METHODS, STRATEGIES
from remix_study.results.columns import grouped
from remix_study.results.comparison import Comparison
from remix_study.results.methods import Method
from remix_study.results.problem_names import RATIO_WORDS
from remix_study.results.rank_sums import KINDS, Ranking, published_ranks
from remix_study.results.score_frames import relabelled

CURVE_CLAIMS = ("C1", "C2", "C3", "C6", "C8", "C9", "C10", "C11", "C24")
"""Claims on methods at one alpha, which the plan names."""

PLANNED = {"binary": 16, "multi-class": 18}
"""Kind of problems -> the specifications that the plan names."""

# Fewer say more of the choices that were run than of the claim: nothing holds or is contradicted.
LEAST_SPECIFICATIONS = 5
REFERENCE_WIDTH = "authors"
_COMPARED = (*STRATEGIES, "balance")
# Sampler -> the strategy that mixes its batches.
_MIXED = {"natural": "mixup", "balanced": "remix"}
_PREFIX = "specification-"

CurveVerdict = Literal["holds", "contradicted", "cannot be told"]


@dataclass(frozen=True)
class Choice:
    """One set of free choices.

    Attributes:
        width: hidden layers, as a study file gives them.
        change: what else differs from the reference, such as "quantile"; "" for nothing.
    """

    width: str = REFERENCE_WIDTH
    alpha: float = PUBLISHED_ALPHA
    change: str = ""

    @property
    def name(self) -> str:
        if self.change:
            return self.change
        return self.width + ("" if self.alpha == PUBLISHED_ALPHA else f", alpha {self.alpha:g}")

    @property
    def is_reference(self) -> bool:
        return self == Choice()


@dataclass(frozen=True, eq=False)
class Specification:
    """The problems of one kind at one set of choices, with the published methods and `balance`."""

    choice: Choice
    kind: str
    problems: tuple[Comparison, ...]

    @cached_property
    def rankings(self) -> dict[str, Ranking]:
        """Metric -> the five published strategies, ranked; none where one is not complete."""
        names = dict(zip(METHODS, STRATEGIES, strict=True))
        return {
            r.metric: replace(
                r,
                means=r.means.rename(columns=names),
                ranks=r.ranks.rename(columns=names),
                sums=r.sums.rename(names),
            )
            for r in published_ranks(self.problems).rankings
            if len(r.sums) == len(STRATEGIES)
        }

    @property
    def capacity(self) -> float:
        """Mean trainable parameters of the networks over the problems."""
        return float(pd.Series([c.methods[0].capacity for c in self.problems]).mean())

    def gain(self, strategy: str, metric: str, sign: float) -> float:
        """Mean lead of a strategy over the baseline, above zero where it is better."""
        gains = (_mean(c, strategy, metric) - _mean(c, "baseline", metric) for c in self.problems)
        return sign * float(pd.Series(list(gains)).mean())

    def on(self, problems: Sequence[Comparison]) -> Specification:
        """The same choices on those problems that these are variants of."""
        keys = {_problem_key(c) for c in problems}
        return replace(self, problems=tuple(c for c in self.problems if _problem_key(c) in keys))

    def without(self, dataset: str) -> Specification:
        """The same choices without the problems of a data set."""
        return replace(self, problems=tuple(c for c in self.problems if c.dataset != dataset))


@dataclass(frozen=True, eq=False)
class Curve:
    """One part of a claim, such as its g-mean on binary problems, over the specifications."""

    claim: Claim
    name: str
    parts: Mapping[str, Part]

    @property
    def n_holding(self) -> int:
        return sum(part.holds for part in self.parts.values())

    def count(self, inferential: str) -> int:
        """At how many specifications the verdict by data set is this one."""
        return sum(part.inferential == inferential for part in self.parts.values())

    @property
    def verdict(self) -> CurveVerdict:
        """The plan's rule: all means agree, half the posteriors do, and none says the reverse."""
        n = len(self.parts)
        supported, contradicted = self.count("supported"), self.count("contradicted")
        if n < LEAST_SPECIFICATIONS:
            return "cannot be told"
        if self.n_holding == n and 2 * supported >= n and not contradicted:
            return "holds"
        if not self.n_holding and 2 * contradicted >= n and not supported:
            return "contradicted"
        return "cannot be told"

    @property
    def turning(self) -> tuple[str, ...]:
        """Specifications at which the means say otherwise than at most of them."""
        mostly = 2 * self.n_holding > len(self.parts)
        return tuple(name for name, part in self.parts.items() if part.holds != mostly)


def specifications(
    comparisons: Sequence[Comparison], headline: Sequence[Comparison] = ()
) -> tuple[Specification, ...]:
    """The specifications of studies of width by alpha and of one choice at a time.

    The headline is the reference of a kind of problems whose studies have none.

    Binary before multi-class ones, the reference first, then widths by their capacity, then other
    choices in the order of their studies. Only those whose five methods are complete on every
    problem of their study are kept.
    """
    entries = _entries(comparisons)
    with_reference = {c.kind for choice, c, _ in entries if choice.is_reference}
    added = _entries(headline) if entries else []
    entries += [e for e in added if e[0].is_reference and e[1].kind not in with_reference]
    reference = {_problem_key(c): _placed(c, m) for choice, c, m in entries if choice.is_reference}
    specifications = []
    for kind in KINDS:
        of_kind = [entry for entry in entries if entry[1].kind == kind]
        for choice, items in grouped(of_kind, lambda entry: entry[0]).items():
            problems = (_completed(_placed(c, methods), reference) for _, c, methods in items)
            specifications.append(Specification(choice, kind, tuple(problems)))
    return tuple(sorted((s for s in specifications if s.rankings), key=_order))


def curves(specs: Sequence[Specification]) -> tuple[Curve, ...]:
    """Check every part of the plan's claims at every specification of its kind."""
    checks = [(claim, claim.check) for claim in CLAIMS if claim.id in CURVE_CLAIMS and claim.check]
    parts: dict[tuple[Claim, str], dict[str, Part]] = {}
    for spec in specs:
        evidence = evidence_of(spec.problems)
        for claim, check in checks:
            # Single ratios have too few problems of most specifications.
            for part in check(evidence, lambda name: f", {RATIO_WORDS}" not in name):
                if not part.missing:
                    parts.setdefault((claim, part.name), {})[spec.choice.name] = part
    ordered = sorted(parts.items(), key=lambda item: CURVE_CLAIMS.index(item[0][0].id))
    return tuple(Curve(claim, name, values) for (claim, name), values in ordered)


def claim_verdict(of_claim: Sequence[Curve]) -> CurveVerdict:
    """The verdict on a claim: contradicted if one of its parts is, and holds if all do."""
    verdicts = {curve.verdict for curve in of_claim}
    if "contradicted" in verdicts:
        return "contradicted"
    return "holds" if verdicts == {"holds"} else "cannot be told"


def _entries(
    comparisons: Sequence[Comparison],
) -> list[tuple[Choice, Comparison, dict[str, Method]]]:
    # A problem that two studies have at the same choice counts once, as the first one has it.
    entries: dict[Any, tuple[Choice, Comparison, dict[str, Method]]] = {}
    for c in (c for c in comparisons if c.is_grid and c.methods):
        for choice, methods in _choices(c).items():
            entries.setdefault((choice, _problem_key(c)), (choice, c, methods))
    return list(entries.values())


def _choices(comparison: Comparison) -> dict[Choice, dict[str, Method]]:
    """The choices of a problem of one study -> strategy -> the method that has its place."""
    prefix, _, suffix = comparison.study.partition(_PREFIX)
    change = "" if prefix else suffix.replace("-", " ")
    choices: dict[Choice, dict[str, Method]] = {}
    of_study = ((comparison.definition or {}).get("model") or {}).get("hidden")
    by_width = grouped(
        comparison.methods, lambda m: _width(m.parameters.get("model.hidden", of_study))
    )
    for width, methods in by_width.items():
        plain = {m.strategy: m for m in methods if m.alpha is None and m.strategy in _COMPARED}
        for alpha in dict.fromkeys(m.alpha for m in methods if m.alpha):
            mixed = {
                _MIXED[m.parts[0]]: m
                for m in methods
                if m.alpha == alpha and m.parts[0] in _MIXED and m.loss == "cross-entropy"
            }
            choices[Choice(width, alpha, change)] = plain | mixed
    return choices


def _width(hidden: object) -> str:
    """Width in words of `model.hidden`, which trials have as text: "[128, 64]" is "128-64"."""
    if hidden is None:
        return REFERENCE_WIDTH
    widths = re.findall(r"\w+", str(hidden))
    is_even = len(set(widths)) == 1 and len(widths) > 1
    return f"{widths[0]} x {len(widths)}" if is_even else "-".join(widths)


def _placed(comparison: Comparison, methods: Mapping[str, Method]) -> Comparison:
    """The problem with these methods alone, under the labels of those whose place they take."""
    alphas = {strategy: PUBLISHED_ALPHA for strategy in _MIXED.values()}
    labels = {
        method.label: f"{strategy} ({PUBLISHED_ALPHA:g})" if strategy in alphas else strategy
        for strategy, method in methods.items()
    }
    return replace(
        comparison,
        name=comparison.problem,
        methods=tuple(
            replace(m, label=labels[m.label], strategy=s, alpha=alphas.get(s), settings="")
            for s, m in methods.items()
        ),
        # Those of single classes, which no claim is about, are many.
        scores=relabelled({k: f for k, f in comparison.scores.items() if k[1] in METRICS}, labels),
    )


def _completed(
    comparison: Comparison, reference: Mapping[tuple[str, ...], Comparison]
) -> Comparison:
    """The problem with methods that its study left out, on its folds: its choice is not theirs."""
    labels = {method.label for method in comparison.methods}
    plain = reference.get(_problem_key(comparison))
    added = [m for m in plain.methods if m.label not in labels] if plain else []
    if not plain or not added:
        return comparison
    names = [method.label for method in added]
    return replace(
        comparison,
        methods=(*comparison.methods, *added),
        scores={
            key: pd.concat([frame, plain.scores[key].filter(names).reindex(frame.index)], axis=1)
            for key, frame in comparison.scores.items()
            if key in plain.scores
        },
        folds=pd.concat(
            [comparison.folds, plain.folds[plain.folds["run"].isin([m.run for m in added])]],
            ignore_index=True,
        ),
    )


def _problem_key(comparison: Comparison) -> tuple[str, ...]:
    return comparison.kind, comparison.title, f"{comparison.imbalance:g}"


def _mean(comparison: Comparison, strategy: str, metric: str) -> float:
    method = comparison.first_method(strategy)
    return comparison.effects.mean(method.label, metric) if method else float("nan")


def _order(spec: Specification) -> tuple[int, bool, bool, float, float]:
    choice = spec.choice
    size = 0.0 if choice.change else spec.capacity
    return KINDS.index(spec.kind), not choice.is_reference, bool(choice.change), size, choice.alpha
