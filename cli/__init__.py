"""The command line. All printing and all exit codes live here.

main       the door: errors to one line, exit codes
options    options that commands share
screen     progress bar, tables, summaries
call, verify, audit, explain, demo, doctor, policy    one file a command
"""
