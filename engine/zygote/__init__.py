"""Code that runs inside the jail, in the interpreter of the checked programs: Python 3.8 or newer, standard library only.

start/       what runs once, before the first check: prelude, limits, confinement, system-call filter, huge pages
serve        the warm process: forks, holds deadlines, reaps, answers the host
secrets      the pages that forks do not copy, where everything of programs lies
channel      the zygote's end of the socket to the host: what came, what waits to be sent
programs     sources and code of the programs that are loaded
task         what one child needs, in the buffer that it inherits
child        what a forked child does: compile, or run and report
supervision  waits for the end of a check that takes its time: deadlines
ending       how an end is read
capture      standard output and error of a check, up to a cap
scratch      the writable folder, as it was made for every check
own_terms    limits and files that one check has for itself
group        the control group that checks run in
forking      the fork itself
determinism  clocks and entropy of the programs, where the policy gives them their own
sources      which sources of nondeterminism a call reads
"""
