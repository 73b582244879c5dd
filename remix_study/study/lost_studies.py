"""Studies that somebody deletes or renames in the dashboard while a run works on them.

Their problems end with a line of their own; the other problems of the run go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from remix_study.errors import RemixStudyError
from remix_study.study.reporter import ALL_OTHERS, Failure, Reporter, Summary
from remix_study.study.schedule import Schedule
from remix_study.study.trials import StudyLost

T = TypeVar("T")


@dataclass(eq=False)
class LostStudies:
    """Which problems of a run have lost a study.

    Attributes:
        schedules: Of all problems.
        reporter: Is told once of each.
        summary: Gets a failure for each.
        problems: Their names.
    """

    schedules: Sequence[Schedule]
    reporter: Reporter
    summary: Summary
    problems: set[str] = field(default_factory=set)

    def attempt(self, schedule: Schedule, action: Callable[[], T], default: T) -> T:
        """Do something with a schedule; the default where its problem has lost a study.

        Raises:
            Exception: What the action raises for any other reason.
        """
        try:
            return action()
        except Exception as error:
            problem = schedule.trials.task.problem.name
            is_other = isinstance(error, RemixStudyError) and not isinstance(error, StudyLost)
            failure = None if is_other else self._failure(problem)
            if failure is None:
                raise
        if problem not in self.problems:
            self.problems.add(problem)
            self.summary.failures.append(failure)
            self.reporter.failed(failure.configuration, f"{failure.study}: {failure.reason}")
        return default

    def _failure(self, problem: str) -> Failure | None:
        # The schedules of a problem need each other.
        for schedule in self.schedules:
            trials = schedule.trials
            if trials.task.problem.name == problem:
                try:
                    trials.check_study()
                except StudyLost as error:
                    return Failure(trials.task.name, ALL_OTHERS, str(error))
        return None
