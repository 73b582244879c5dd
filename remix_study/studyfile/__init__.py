"""The study file: the text of a TOML file comes in, a frozen :class:`~.schema.Study` goes out.

Mistakes that the file alone shows are refused here, each in one line that names the file, the key
and what is allowed; what needs data, strategies or networks is checked in ``study``. Read
``schema`` first: it has every key with its default. ``parsing`` finds the file and makes the
objects, with the help of ``search_space``, ``model_options`` and ``validation`` (types, messages).
"""
