"""The command line: words of a shell come in; printed lines, files and exit codes go out.

One module a command (``run``, ``worker``, ``status``, ``report``, ``datasets``, ``dashboard``;
``maintain`` has ``repair``, ``export`` and ``import``), each a thin layer over a call into the
package, with ``add_command`` and heavy imports only where the command needs them. ``arguments``
holds what they share, ``display`` what a person sees while a study runs. Read ``main`` first.
"""
