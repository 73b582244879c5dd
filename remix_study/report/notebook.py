"""What a run from Python returns: counts, and scores that a notebook or a terminal shows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from html import escape

import pandas as pd

from remix_study.errors import RemixStudyError
from remix_study.metrics import find_metric, short_name
from remix_study.results.tidy import PLANNED, SUGGESTED, Results, read_results
from remix_study.study.reporter import Summary

# Trials of a search that are shown for a problem, the best first.
_SHOWN_TRIALS = 5


@dataclass(eq=False, repr=False)
class StudySummary(Summary):
    """What a run did, shown with the scores that the study has now.

    Attributes:
        study: Name of the study.
        storage: URL of the database.
        study_file: Text of the study file.
    """

    study: str = ""
    storage: str = ""
    study_file: str = ""

    @cached_property
    def results(self) -> Results:
        """Trials and scores as tidy data frames, read once.

        Raises:
            StorageError: The database cannot be read.
        """
        return read_results(self.storage, self.study)

    @property
    def progress(self) -> str:
        """How much is complete, in one line, and what has failed, one line each."""
        lines = [
            f"{self.study}: {self.complete} of {self.configurations} configurations complete, "
            f"{self.completed} of them new"
        ]
        lines += [f"failed: {f.study}, {f.configuration}: {f.reason}" for f in self.failures]
        return "\n".join(lines)

    def tables(self) -> dict[str, pd.DataFrame]:
        """Problem -> its methods with mean scores on validation and test parts.

        The methods of a grid come first, then the best trials of a search by the first objective
        on validation.
        """
        results, tables = self.results, {}
        metrics = {metric: find_metric(metric) for metric in results.objectives}
        names = {
            f"{metric}_{part}": f"{short_name(metric)} {'↑' if facts.is_maximized else '↓'} {part}"
            for metric, facts in metrics.items()
            for part in ("validation", "test")
        }
        for problem in dict.fromkeys(results.trials["problem"]):
            is_planned = results.trials["source"] == PLANNED
            planned = results.trials[is_planned & (results.trials["problem"] == problem)]
            suggested = results.best_first(problem, SUGGESTED).head(_SHOWN_TRIALS)
            shown = pd.concat([planned, suggested.assign(method="Optuna: " + suggested["method"])])
            tables[str(problem)] = (
                shown.set_index("method")[list(names)].rename(columns=names).rename_axis(None)
            )
        return tables

    def __repr__(self) -> str:
        """The progress, and a table for each problem."""
        parts = [f"{name}\n{table.to_string(float_format='{:.4f}'.format)}"
                 for name, table in self._tables().items()]  # fmt: skip
        return "\n\n".join([self.progress, *parts])

    def _repr_html_(self) -> str:
        """The same for a notebook; all texts are escaped."""
        parts = [f"<p>{escape(line)}</p>" for line in self.progress.splitlines()]
        for name, table in self._tables().items():
            html = table.to_html(float_format="{:.4f}".format, escape=True, border=0)
            parts.append(f"<h4>{escape(name)}</h4>{html}")
        return f"<div>{''.join(parts)}</div>"

    def _tables(self) -> dict[str, pd.DataFrame]:
        """The tables; none where the database cannot be read, such as from another folder."""
        try:
            return self.tables()
        except RemixStudyError:
            return {}
