"""The generate stage: responses in the unified form to functions with proven input/output pairs.

reasons   the closed list of why a function, a generator's call or a pair is dropped
unified   the four sections of a response
readers   a row of a file to the source of a function: `codeio`, `reasoning-gym`
inputs    a generator's calls in the jail, many to a fork
proof     the runs that a pair must pass
function  one function on its way: rounds of inputs, waves of proofs
stage     the run over a file
"""

from .stage import Generate, GenerateSettings, generate

__all__ = ["Generate", "GenerateSettings", "generate"]
