"""The replication of Bellinger, Corizzo and Japkowicz: their claims, Table 2, code and figures.

In: the problems of a report, as `results/` compares them. Out: sections of the page, which
`page_sections` registers with those of every page, and the demonstration, a page of its own. Read
`published` first, which holds what the paper printed, then `claims/`. `authors_code` asks whether
the errors of the authors' repository explain Table 2, `robustness` and `ablations` what becomes of
the headline on other rows or with other training; the modules of the same names in `sections/`
show it. `demonstration/` needs no database.
"""
