"""The protocol between host and jail, read by both sides: Python 3.8 or newer, no I/O.

wire    frames between host and zygote
claim   the one frame that a child sends its zygote
values  Python values as JSON text and back
"""
