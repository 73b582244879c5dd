"""The paper's claims and whether they hold here: one rule a claim, fixed before the full run.

In: the problems of a report. Out: for each claim parts with numbers and two verdicts, by the
order of the means and by data set. Read `claims` first, which lists what the paper says; `rules`
has the constants and what the verdicts mean, `check` applies the rules, and the modules between
(`ranks`, `gains`, `alpha`, `images`, `costs`, `single_methods`) hold them.
"""
