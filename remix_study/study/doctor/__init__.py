"""Checking a database and repairing what can be repaired without a loss.

In comes the URL of a database; out come findings, one a line, each repaired or with advice. Read
:mod:`~remix_study.study.doctor.checks` first: it defines what can be wrong, and only reads.
:mod:`~remix_study.study.doctor.findings` has the text of each kind of finding, and
:mod:`~remix_study.study.doctor.repair` the statement that repairs it.
"""
