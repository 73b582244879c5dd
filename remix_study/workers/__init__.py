"""Several processes on one study: a study and a pool come in, a summary of the run goes out.

The coordinator (this process) registers the study, starts the worker processes and passes their
events on to a reporter; the database holds all state, so that any process may die. Read ``pool``
first: it runs a study in processes of this machine, ``dask_pool`` on a Dask cluster.
``worker_process`` keeps one slot of the pool filled, ``worker_spec`` is what a process is sent,
``main`` is the program that it runs, and ``coordinator`` handles its events.
"""
