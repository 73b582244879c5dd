"""What optuna-dashboard shows of a study: a database comes in; notes, graphs and files go out.

All of it is made from validation parts alone, as whoever looks at a running study may act on what
it shows. Read ``pages`` first: it renews the pages of studies when trials have ended. ``notes``
and ``graphs`` make what a page has, ``study_attributes`` writes it into the database, and
``server`` opens and serves that.
"""
