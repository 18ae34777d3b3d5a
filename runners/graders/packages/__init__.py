"""Problem packages of Kattis, ICPC and DOMjudge: folders with test data, submissions under the name of their label, and
sometimes a checker of their own.

    folder      what a package holds: tests with their flags, submissions with their labels, limits
    tokens      the rule of the format's own output validator
    task        submissions through the executor, and whether each came out as labelled
"""

from .folder import Package, read_package, submissions_file
from .task import PackageTask, problems_of

__all__ = ["Package", "PackageTask", "problems_of", "read_package", "submissions_file"]
