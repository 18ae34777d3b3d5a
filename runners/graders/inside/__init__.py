"""Code that graders run inside the jail, as programs: Python 3.8 and newer, standard library only.

recorder        a test with stand-ins for the functions under test (lifting/)
apart           a test without its solution, as far as the values that are known carry it (apart.py)
apart_objects   the same, with stand-ins for the solution's classes
answer          one question about a solution, in its own process
exchange        part of the last two: objects as rows
ending          part of the tests: how one failed
asserts         a test that cannot be lifted, beside its solution
unit            a solution as a compile unit of its own, and one call of it
"""
