"""Code that graders run inside the jail, as programs: Python 3.8 and newer, standard library only."""
