"""How other harnesses run checks, written anew and small: what a process, an interpreter or a request per check costs. None of
them isolates anything. Each gets the same checks and must give the same words.

interpreter  a new interpreter for every check, as CodeI/O does it
manager      a manager's process and a process for every check, as CRUXEval's harness does it
process      a process for every sample with all of its tests, as HumanEval's harness does it
service      a request over HTTP for every test, each a new interpreter behind it, as SandboxFusion does it
drive        runs one of the last three in a process of its own, because they fork
"""

from .drive import NAMES, Setting, words_of

__all__ = ["NAMES", "Setting", "words_of"]
