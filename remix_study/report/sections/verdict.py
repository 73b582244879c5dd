"""The verdict section: warnings, headline and answers of each problem, and the numbers behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from remix_study.metrics import CORE_METRICS, short_name
from remix_study.report.figures import strategy_color
from remix_study.report.formatting import MISSING, digits, heading, number, span
from remix_study.report.page_model import (
    Block,
    Cell,
    Head,
    Section,
    Table,
    fold,
    has_many_problems,
)
from remix_study.report.page_tables import Column, difference_cell, line_table, metric_columns
from remix_study.report.sentences import SENTENCES
from remix_study.results.effects import Difference, Score
from remix_study.results.selection import Selection
from remix_study.results.verdict import (
    FEW_FOLDS,
    FEW_ROWS,
    PROBABILITY_METRIC,
    Rival,
    Verdict,
    choice_table,
    table,
    tally,
)

# With more problems than this the tables of each are folded away.
SHOWN_OPEN = 2


def section(verdicts: Sequence[Verdict]) -> Section:
    """The section at the top of the page."""
    shown = [verdict for verdict in verdicts if verdict.comparison.methods]
    planned = [verdict for verdict in shown if verdict.remix]
    table_title = "The differences behind this" if len(shown) > SHOWN_OPEN else ""
    blocks = [_block(verdict, table_title) for verdict in shown]
    if has_many_problems(shown):
        blocks = list(map(fold, blocks))
    if len(planned) > 1:
        blocks.insert(0, Block(text=tally_lines(planned), tables=(_glance_table(planned),)))
    if not shown:
        blocks = [Block(text=SENTENCES.paragraphs("verdict.nothing"))]
    files = {"verdict": table(shown), "choices": choice_table(shown)}
    return Section("verdict", "Verdict", SENTENCES.text("verdict.lead"), tuple(blocks), files)


def headline(verdict: Verdict) -> str:
    """The verdict in one or two sentences."""
    return SENTENCES.text("verdict.headline", verdict)


def tally_lines(verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    """How often ReMix is better and worse than the baseline and than balancing, one a metric."""
    return SENTENCES.paragraphs("verdict.tally", tally(verdicts))


def _block(verdict: Verdict, table_title: str) -> Block:
    tables = [_difference_table(verdict)] if verdict.rivals else []
    tables += [_selection_table(verdict)] if verdict.selections else []
    return Block(
        title=verdict.comparison.full_title,
        warnings=SENTENCES.paragraphs("verdict.warnings", verdict, FEW_FOLDS, FEW_ROWS),
        headline=headline(verdict),
        answers=SENTENCES.answers("verdict.answers", verdict),
        tables=tuple(tables),
        folded=table_title,
    )


def _difference_table(verdict: Verdict) -> Table:
    """ReMix minus each rival."""

    metrics = [
        metric
        for metric in dict.fromkeys((*verdict.comparison.objectives, *CORE_METRICS))
        if any(metric in rival.differences for rival in verdict.rivals)
    ]

    def rival_cell(rival: Rival) -> Cell:
        mark = "did not train" if verdict.is_untrained(rival) else ""
        return Cell(rival.name, mark, "name", strategy_color(rival.strategy))

    return line_table(
        f"{verdict.remix_name} minus each rival on the test parts of {verdict.comparison.name}: "
        "▲ better, ▼ worse, no mark: not told apart",
        verdict.rivals,
        (
            Column("against", rival_cell),
            *metric_columns(metrics, lambda r, m: difference_cell(r.differences.get(m))),
        ),
    )


def _glance_table(verdicts: Sequence[Verdict]) -> Table:
    """The main differences, one line a problem."""
    metrics = list(dict.fromkeys(m for v in verdicts for m in v.comparison.objectives))

    def change(source: object, field: str, metric: str) -> Cell:
        """The difference in a metric, from a field of a rival or of probabilities if there are."""
        differences: Mapping[str, Difference] = getattr(source, field, {})
        return difference_cell(differences.get(metric), ends=False)

    def rival_columns(name: str) -> list[Column[Verdict]]:
        return metric_columns(metrics, lambda v, m: change(v.rival(name), "differences", m))

    def quality_column(head: str, stage: str) -> Column[Verdict]:
        return Column(head, lambda v: change(v.probability_quality, stage, PROBABILITY_METRIC))

    def choice_column(metric: str) -> Column[Verdict]:
        def cell(verdict: Verdict) -> Cell:
            labels = [label for label, chosen in verdict.choices.items() if metric in chosen]
            return Cell(labels[0] if labels else MISSING, kind="short")

        return Column(Head(short_name(metric), kind="text"), cell)

    return line_table(
        "Every problem at a glance: ▲ better, ▼ worse, no mark: not told apart",
        verdicts,
        (
            Column[Verdict]("problem", lambda verdict: verdict.comparison.name),
            *rival_columns("baseline"),
            *rival_columns("balance"),
            quality_column("as trained", "as_trained"),
            quality_column("corrected", "corrected"),
            *map(choice_column, metrics),
        ),
        groups=(
            Head(""),
            Head("ReMix − baseline", span=len(metrics)),
            Head("ReMix − balance", "what mixing adds", span=len(metrics)),
            Head("log-loss − baseline", span=2),
            Head("choice of validation", span=len(metrics)),
        ),
    )


def _selection_table(verdict: Verdict) -> Table:
    """The choices of validation and their test scores."""
    return line_table(
        "What the validation parts choose, and what that scores on the test parts. Over all "
        "folds, a validation row of one fold is a test row of another; fold by fold it never is",
        verdict.selections,
        (
            Column("chosen by", lambda selection: heading(selection.metric)),
            _score_column("over all folds", lambda s: (s.overall.label, s.overall_test)),
            _score_column(
                "fold by fold, most often",
                lambda s: (f"{s.most_often}, {s.times} of {s.folds}", s.by_fold_test),
            ),
            Column(
                f"fold by fold against {verdict.remix_name}",
                lambda s: difference_cell(s.by_fold_gain),
            ),
            _score_column(
                "best on test, in hindsight", lambda s: (s.hindsight.method, s.hindsight)
            ),
        ),
    )


def _score_column(
    head: str, named_score: Callable[[Selection], tuple[str, Score]]
) -> Column[Selection]:
    def cell(selection: Selection) -> Cell:
        name, score = named_score(selection)
        n = digits(score.metric)
        ends = span(score.interval.low, score.interval.high, n)
        return Cell(name, f"{number(score.mean, n)} ({ends})", kind="short")

    return Column(Head(head, kind="text"), cell)
