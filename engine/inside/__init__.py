"""Code that runs inside the jail, in the interpreter of the checked programs (Python 3.8 or newer, standard library
only, msgpack's pure-Python half beside it). `wire` and `values` are read by the host as well: one text of the
protocol, two roles.

    wire       frames between host and zygote, no I/O
    claim      the one frame a child sends its zygote, no I/O
    values     Python values as JSON text and back
    lockdown   prctl, seccomp and rlimits of the zygote
    landlock   the kernel's Landlock by number
    confine    what zygote and children do to themselves where no jail surrounds them
    measure    sizes of the zygote where the host has no /proc
    text       the interpreter's machine code on huge pages
    prelude    imports in front of every program
    child      what a forked child does: compile, or run and report
    capture    standard output and error of a check, up to a cap
    group      the control group that checks run in
    channel    the zygote's end of the socket to the host
    supervision  waits for the end of a check that takes its time: deadlines
    ending     how an end is read
    zygote     the warm process: forks, holds deadlines, reaps, answers the host
"""
