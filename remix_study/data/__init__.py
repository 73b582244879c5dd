"""Data sets, the problems made of them, and their folds.

In: a name of the catalogue, a user's CSV or image files, or arrays. Out: a ``Dataset`` (rows as
published, class codes, groups), from it a ``Problem`` (a selection of rows with the wanted
imbalance) and ``Fold`` objects (training, validation and test rows), and the preprocessing fitted
on each fold's training rows. Every loader ends in a ``Dataset``, so read ``dataset`` first, then
``problems`` and ``folds``. Published data sets are entries of ``catalogue.toml``
(``catalogue``), downloaded by ``fetch``, found and verified by ``published_files`` and parsed by
``published_formats`` or ``cifar``; a user's own come through ``table_file``, ``images`` and
``arrays``. Every format of a table has a parser that returns a ``RawTable`` (``raw_table``).
"""
