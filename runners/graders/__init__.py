"""Graders: benchmark files and samples in, verdicts and pass@k out.

    registry     the tasks by name
    stage        one run of a task: rows in, graded rows out, resumable
    flow         many samples' tests through the executor at once, each sample stopped where its score is settled
    plan         what a task makes of a sample: tests, and how each is judged
    lifting/     assertions as calls, with the expected values on the host
    packages/    folders of Kattis, ICPC and DOMjudge with labelled submissions
    code         the code in a model's answer
    pass_at_k    the unbiased estimate and its interval

One file a task: cruxeval, humaneval, mbpp, evalplus, tests. A task knows its format and its scoring, and nothing of
executors, files or output.
"""
