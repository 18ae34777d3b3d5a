"""
A teaching computer has a stack of whole numbers and executes a short program. `push N` puts a number on the stack,
`add`, `sub` and `mul` replace the two topmost numbers by the result, `dup` copies the top, `swap` exchanges the two
topmost, `jz K` removes the top and jumps to instruction K if it was zero, and `halt` stops. Any system call is a trap,
handled the way a real kernel would. At most 200 instructions are executed.

Input:
  `program` (list of str): The instructions, numbered from 0.

Output:
  `return` (dict): `stack` (list of int, bottom first), `executed` (int), and `halted` (bool, true after a `halt`).
"""

import os
import signal

BINARY = {
    "add": lambda left, right: left + right,
    "sub": lambda left, right: left - right,
    "mul": lambda left, right: left * right,
}


def trap():
    # a system call that the machine does not know ends the process
    os.kill(os.getpid(), signal.SIGSYS)


def main_solution(program):
    """Run a program on the stack machine."""
    stack = []
    position = executed = 0
    while position < len(program) and executed < 200:
        name, _, argument = program[position].partition(" ")
        position += 1
        executed += 1
        if name == "halt":
            return {"stack": stack, "executed": executed, "halted": True}
        if name == "push":
            stack.append(int(argument))
        elif name in BINARY:
            right, left = stack.pop(), stack.pop()
            stack.append(BINARY[name](left, right))
        elif name == "dup":
            stack.append(stack[-1])
        elif name == "swap":
            stack[-1], stack[-2] = stack[-2], stack[-1]
        elif name == "jz":
            if stack.pop() == 0:
                position = int(argument)
        elif name == "syscall":
            trap()
        else:
            raise ValueError(f"unknown instruction {name!r}")
    return {"stack": stack, "executed": executed, "halted": False}


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "state machines"
FORWARD = "I trace the stack after every instruction and keep count of how many were executed."
BACKWARD = "I look for instructions that leave this stack and then match the number executed."
INPUTS = [
    {"program": ["push 6", "push 7", "mul", "halt"]},
    {"program": ["push 5", "dup", "mul", "push 1", "sub"]},
    {"program": ["push 0", "jz 3", "push 9", "push 4", "halt"]},
    {"program": ["push 1", "push 2", "swap", "sub", "dup"]},
    {"program": ["halt"]},
]
