"""The protocol between host and jail, read by both sides: Python 3.8 or newer, no I/O.

frames   what host and zygote say to each other
setup    what a zygote is told first
files    files around one run of a script
claim    what a child writes into its result channel
endings  why a worker ended
values   Python values as JSON text and back
"""
