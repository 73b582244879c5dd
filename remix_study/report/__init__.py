"""The report page: sections of text, tables and figures, written as a folder.

In: frames of one or more studies and a registry of sections. Out: a folder with `index.html`,
which loads nothing from outside itself, figures, tables and a manifest with their hashes. Read
`page` first, then `registry` and `standard_sections`, which say what a page is made of and in
which order. `page_model` has the parts of a section, `formatting` and `figures` how numbers and
figures look; `page_files`, `folder`, `table_files`, `latex` and `svg` write them.
"""
