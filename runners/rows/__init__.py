"""JSON Lines files, read and written so that nothing is lost: by bad rows, by `kill -9`, by a run that goes on later.

text     JSON text of a row, exact in both directions; members spliced into a row's own line
source   lines of a file (plain, .gz, .zst) as a stream
sink     whole lines appended to a file, cut back to a known size on resume
run      one stage's run: its key, manifest, progress, rejects; what to do with an output that exists
"""
