"""The pool: one I/O thread owns all workers; callers enqueue jobs and wait.

    job        one call on its way, and who waits for it
    worker     one zygote with its jail: its state, its frames in flight, its programs
    warmth     which modules a program's worker should have imported
    scheduler  which worker gets which job (no I/O)
    confirmation  a second run for limits on time
    placement  which processor a worker runs on
    loop       the I/O thread: starts workers, moves frames, holds backstops, applies the retry rule

Who owns what: a Job belongs to its caller until it is in the inbox, to the I/O thread until it is done, and to its
caller again. Workers, their sockets and processes are touched by the I/O thread only.

What happens on a failure:

    a worker dies under a check              its other checks go back into the queue; the check runs once more, alone on
                                             a fresh worker
    a second time, nobody outside to blame   `denied`, or memory-limit where the kernel's evidence says so
    a limit on time ends a check             run again alone; where the two disagree, the run that came to its end stands
    killed from outside                      run again, up to five times, then `engine-error`
    a worker breaks the protocol             the same as a death
    a worker stays silent past the backstop  killed, the same as a death
    a worker does not come up                three times in a row: those that run go on without it, and an idle one makes room;
                                             where there is none, every waiting job ends as `engine-error`
    killed from outside while it starts      started again, up to thirty times
    the caller shuts down                    waiting jobs are cancelled or finished, as asked; workers are killed, reaped
"""
