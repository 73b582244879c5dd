"""The report page: sections of text, tables and figures, written as a folder.

In: frames of one or more studies and what makes the sections. Out: a folder with `index.html`,
which loads nothing from outside itself, figures, tables and a manifest with their hashes. Read
`page` first, then `registry`, which says what a page is made of and in which order. `page_model`
has the parts of a section, `page_tables` makes tables of records, `sentences` text of facts;
`formatting` and `figures` say how numbers and figures look; `page_files` and `table_files` write
them.
"""
