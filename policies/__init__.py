"""What a run may do and what counts as equal. Policies know nothing of how they are enforced.

model        the policy: every field with unit, default and effect
comparison   when two values are equal; size: how large a recorded value may be
layers       where a policy comes from; reading: presets and files as trees of values
faults       what is said of a wrong value; errors: the exceptions of this package
"""
