"""The judgement on one prediction: pure functions over decoded values, the same answer everywhere.

compare     two values under a rule
keys, numbers, text, paths   its parts
attainable  whether any result can equal an expected value
size_guard  whether a value is small enough, as JSON says it; strict_size: any object (size_table: sizes of CPython 3.12)
verdict     an outcome, an expected value and a rule make one word
"""
