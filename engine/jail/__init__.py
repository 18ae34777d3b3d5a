"""The jail, seen from the host: what to mount, which ids to map, how to start nsjail with a zygote in it.

native        finds nsjail and the shared library it needs
interpreter   asks a Python what it is and which folders it needs
binds         which folders go into the jail, and which must be brought within reach first
stage         runs as root between us and nsjail: binds unreachable folders in a private mount namespace
text_place    where an interpreter's machine code lies in memory
config        the nsjail configuration, every limit named
restricted    the isolation level without a jail: what its worker gives up, and whether this host can do it
restricted_stage  becomes that worker: drops ids, groups, capabilities, descriptors
launch        starts it and makes the first handshake
ladder        which isolation level this host offers
"""
