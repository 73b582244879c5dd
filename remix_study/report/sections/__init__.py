"""The sections of the page: numbers made elsewhere, put into words, tables and figures."""
