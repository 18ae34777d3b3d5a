"""The command line. All printing and all exit codes live here.

main       the door: errors to one line, exit codes
options    options that commands share
screen     progress bar, tables, summaries
pipeline, demo    many stages at once
call, verify, audit, explain, doctor, policy, transform and so on    one file a command
"""
