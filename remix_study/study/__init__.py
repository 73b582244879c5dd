"""Studies: from a study file to complete trials in a database.

In comes a parsed study file and the URL of a database; out come trials in Optuna's tables, with
their scores, probabilities and curves in the project's own tables beside them. Read
:mod:`~remix_study.study.runner` first: it prepares the tasks (:mod:`~remix_study.study.task`),
registers them in the database and makes the schedule of each
(:mod:`~remix_study.study.schedules`): which configurations there are and what is open. A worker's
:mod:`~remix_study.study.trial_loop` leases them, trains them and finishes their trials.
"""
