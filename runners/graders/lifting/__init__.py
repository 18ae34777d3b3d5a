"""Lifting: a test's assertions as calls to make and conditions to judge, with the expected values on the host.

A test such as `assert f([1, 2]) == 3` tells the program under test what it should return, and leaves the judging to code
that the program can reach. Lifted, the program gets the call `f([1, 2])` and nothing else; its value comes back as plain
data, and `== 3` is decided here.

How. The test's text is rewritten (rewrite.py) so that its assertions build trees instead of being decided, and is run
once, in the jail, without any solution (inside/recorder.py): the functions under test are stand-ins that note their
arguments. So loops, helpers, set-up code and computed arguments need no special rules. What comes back is plain
data: calls, and a tree a check over their values (tree.py). A test that does more with a value than the tree can say, or
passes objects that are not plain data, is not lifted; it runs as `Asserts`.
"""

from .lift import Lifted, LiftedCheck, joined_source, lift_all
from .tree import Tree, judge_tree, written

__all__ = ["Lifted", "LiftedCheck", "Tree", "joined_source", "judge_tree", "lift_all", "written"]
