"""The pool: one I/O thread owns all workers; callers enqueue jobs and wait. Decision 0025 has the whole picture.

    job           one call on its way, who it is for, and what that caller holds
    answer        what came of one run, as bytes
    retry         what runs again, and what its runs amount to (no I/O, no clock)
    scheduler     which worker gets which job: callers take turns (no I/O)
    worker        one zygote with its jail: its state, its frames in flight, its programs
    fleet         workers come and go
    starts        how often a start may fail, and how much time one has (no I/O, no clock)
    preload       which modules a program's worker should have imported
    cpu_affinity  which processor a worker runs on
    future        what `submit` returns, and the thread for callbacks
    loop          the I/O thread: moves frames, ends what was cancelled, holds backstops, delivers

Who owns what: a Job belongs to its caller until it is in the inbox, to the I/O thread until it is delivered, and to its
caller again. Workers, their sockets and processes are touched by the I/O thread only.

What happens on a failure that is not a check's own:

    a worker dies, breaks the protocol, is   `retry` decides on the check that it was at; the others go back to their places
    killed, or is silent past the backstop
    a worker does not come up                three times in a row: those that run go on without it, and an idle one makes room;
                                             where there is none, every waiting job ends as `engine-error`
    it does not say `hello`                  given up after 120 s of its own time: what it waits for a processor is not counted
    killed from outside while it starts      started again: thirty times before the first worker is up, after that until none
                                             has come up for five minutes
    the caller shuts down                    jobs that are not done end as `engine-error`; workers are killed and reaped
"""
