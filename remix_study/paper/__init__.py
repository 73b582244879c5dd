"""The replication of Bellinger, Corizzo and Japkowicz: their claims, Table 2, code and figures.

In: the problems of a report, as `results/` compares them. Out: sections of the page, which
`sections/` adds to those of every page, and the demonstration, a page of its own. Read
`table2` first, which holds what the paper printed, then `claims/`. `authors_code` asks whether
the errors of the authors' repository explain Table 2; `robustness` in `sections/` asks what
becomes of the headline on other rows, `specifications` what becomes of the claims with other
networks and training. `demonstration/` needs no database.
"""

from __future__ import annotations

from remix_study.report.sentences import Sentences

SENTENCES = Sentences("remix_study.paper")  # Macros of `paper/templates`; see `report/sentences`
