"""The jail, seen from the host: what to mount, which ids to map, how to start nsjail with a zygote in it.

levels        which isolation level to use for a policy
backends/     the isolation levels: what each offers and refuses, and how it starts a worker
launch        a started worker as the host holds it, and what its zygote is told
interpreter   asks a Python what it is and which files it needs
binds         which files go into the jail, and which must be brought within reach first
tools         what a jail shows and allows for another language
config        the nsjail configuration, every limit named
entry/        scripts that run between the host and a worker's first process
seccomp/      assembles the system-call filters
cgroup        a control group for the checks of one worker
folders       the temporary folder of a worker's start
native        finds nsjail and the shared library it needs
text_place    where an interpreter's machine code lies in memory
run_delay     how long a check was runnable without running
"""
