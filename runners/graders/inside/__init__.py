"""Code that graders run inside the jail, as programs: Python 3.8 and newer, standard library only.

recorder   a test with stand-ins for the functions under test (lifting/)
asserts    a test that cannot be lifted, beside its solution
unit       a solution as a compile unit of its own, and one call of it
"""
