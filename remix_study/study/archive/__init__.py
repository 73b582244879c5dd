"""Studies as files: exported from one database, imported into another.

An export reads studies into snapshots and writes these as JSON, CSV or Parquet; an import reads
them back and writes them into a database. Read :mod:`~remix_study.study.archive.layout` first: it
says which tables and fields a snapshot has. :mod:`~remix_study.study.archive.snapshot` and
:mod:`~remix_study.study.archive.restore` are the side of the database,
:mod:`~remix_study.study.archive.files` is the side of the files.
"""
