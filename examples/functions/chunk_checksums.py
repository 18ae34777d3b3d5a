"""
A file transfer splits its text into pieces of equal length (the last may be shorter) and computes a checksum for each:
starting from 7, the checksum is multiplied by 31 and the code of the next character is added, modulo 65521. The pieces
can be handled one after another or by several workers.

Input:
  `text` (str): The text to send, ASCII only.
  `size` (int): Length of a piece, at least 1.
  `backend` (str): `"inline"` handles the pieces in order in the calling thread.

Output:
  `return` (list of int): The checksum of every piece, in order.
"""

import os
import threading


def checksum(piece):
    value = 7
    for character in piece:
        value = (value * 31 + ord(character)) % 65521
    return value


def run_threads(pieces):
    results = [0] * len(pieces)

    def work(index):
        results[index] = checksum(pieces[index])

    threads = [threading.Thread(target=work, args=(index,)) for index in range(len(pieces))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def run_forks(pieces):
    results = []
    for piece in pieces:
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.write(writer, str(checksum(piece)).encode())
            os._exit(0)
        os.wait()
        results.append(int(os.read(reader, 16)))
        os.close(reader)
        os.close(writer)
    return results


def main_solution(text, size, backend):
    """Compute one checksum for each piece of a text."""
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    if backend == "threads":
        return run_threads(pieces)
    if backend == "forks":
        return run_forks(pieces)
    return [checksum(piece) for piece in pieces]


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "hashing"
FORWARD = "I cut the text into pieces and run the recurrence value = value * 31 + code on each of them."
BACKWARD = "Dividing the checksum by powers of 31 shows the character codes, so I can read the pieces off."
INPUTS = [
    {"text": "ab", "size": 1, "backend": "inline"},
    {"text": "hello", "size": 2, "backend": "inline"},
    {"text": "", "size": 4, "backend": "inline"},
    {"text": "0123456789", "size": 5, "backend": "inline"},
    {"text": "zzzz", "size": 10, "backend": "inline"},
]
