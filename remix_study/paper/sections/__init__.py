"""The paper's sections of a report page: text, tables and figures from the paper's results.

In: comparisons of problems, as each section's function takes them. Out: sections with their table
files, none if there is nothing to show. Read `claims` first; `table2` is no section but a block
of the section on ranks.
"""
