"""Problem packages of Kattis, ICPC and DOMjudge: folders with test data, submissions under the name of their label, and
sometimes a checker of their own.

    folder      what a package holds: tests with their flags, submissions with their labels, limits
    sources     a program's files as one text, and its language
    tokens      the rule of the format's own output validator
    checkers    output validators of packages, each compiled once, in jails of their own
    task        submissions through the executor, and whether each came out as labelled
"""

from .folder import Package, Submissions, read_package, submissions_file
from .sources import PYTHON
from .task import PackageTask, problems_of

__all__ = ["PYTHON", "Package", "PackageTask", "Submissions", "problems_of", "read_package", "submissions_file"]
