"""Studies: from a study file to complete trials in a database.

In comes a parsed study file and the URL of a database; out come trials in Optuna's tables, with
their scores, probabilities and curves in the project's own tables beside them. Read
:mod:`~remix_study.study.runner` first: it prepares the tasks (:mod:`~remix_study.study.task`),
registers them in the database and runs the :mod:`~remix_study.study.trial_loop` of each, where
workers lease configurations, train them and finish their trials.
"""
