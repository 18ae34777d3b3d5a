"""What the zygote does once, before it serves: it warms up, gives up what it may not keep, and tidies its memory for forks.

prelude   imports in front of every program
lockdown  prctl, seccomp and resource limits of the zygote
landlock  the kernel's Landlock, called by number
confine   what zygote and children do to themselves where no jail surrounds them
measure   sizes of the zygote where the host has no /proc
text      the interpreter's machine code on huge pages
heap      objects that no child writes to
"""
