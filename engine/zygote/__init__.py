"""Code that runs inside the jail, in the interpreter of the checked programs: Python 3.8 or newer, standard library only, with
msgpack's pure-Python half beside it.

    start/       what runs once, before the first check: prelude, limits, confinement, system-call filter, huge pages
    serve        the warm process: forks, holds deadlines, reaps, answers the host
    child        what a forked child does: compile, or run and report
    supervision  waits for the end of a check that takes its time: deadlines
    ending       how an end is read
    channel      the zygote's end of the socket to the host
    capture      standard output and error of a check, up to a cap
    group        the control group that checks run in
    forking      the fork itself
    sources      which sources of nondeterminism a call reads
"""
