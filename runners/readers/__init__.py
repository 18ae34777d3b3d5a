"""Processes beside this one that work on blocks of lines: what a row needs and nothing else, so that more than one processor
reads rows.

pool      this side: starts them, hands out blocks, keeps their order, does without one that fails
process   that side: what such a process runs
link      between them: short messages over a socket, blocks and answers in memory that both have

Who owns what. A reader owns nothing: it gets lines and gives plain data for them. Order, files, counts, checkpoints, what hangs
on other rows and all that is said to anybody stay with the process that runs the stage, which also works on blocks itself
wherever it would wait.

What happens on a failure:

    a reader dies, is refused memory, answers wrong    it is given up; what it had in hand is done by this process
    it takes longer than PATIENCE_S for a block        the same
    it cannot be started                               the run goes on without
    Ctrl-C                                             only this process hears it: readers have a session of their own, and are
                                                       ended as the run is closed; blocks that were not written are done by the
                                                       next run
    this process is killed                             readers see the end of the socket, or another parent, and leave
    the disk is full, a pipe breaks                    as without readers: they have no files
    a run is resumed                                   lines that are done are passed over here; readers get those behind them
    a fork of this process holds the sockets open      a reader looks who its parent is every few seconds

A reader is a new interpreter with a command of its own: nothing is forked from a process that may have threads, and the
caller's `__main__` is not imported.
"""
