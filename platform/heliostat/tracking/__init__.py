"""Tracking runs of any code: the explicit run, the global one, and what is captured without being asked.

The public names are those of :mod:`heliostat`; code that was written for the ``sigopt`` module works with
``import heliostat as sigopt``. Modules by what they hold::

    given        what users give, in the one form that is kept
    params       a run's parameters, by key or by attribute
    images       pictures, as bytes of a known type
    recording    the log_* calls, which every kind of run shares
    run_context  the explicit run
    creation     create_run, get_run, upload_runs, …
    current      which run is meant when none is named
    global_run   the run that this process is
    calls        the log_* calls without a run
    left_behind  runs whose process is gone without a word
    capture      what is recorded without being asked
    command      a tracked program of any kind
    adapters     finding who can track an optimizer's object
"""
