"""How fast checks are on this machine, beside what they are measured against in the same run: `reexec bench`.

ratios      which ratios there are, which way is better, what the project promises
report      what a run came to, as one JSON object
measuring   the run: all methods in turn, several rounds
workloads   what is executed, each with its right answers
yardsticks  a bare fork, a fresh interpreter for each check, no isolation at all
methods/    how other harnesses run checks
baseline    a kept run, and what fell since
plot        a run as a picture
"""
