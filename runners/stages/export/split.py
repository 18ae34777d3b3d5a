"""Which rows are for validation: decided by the function, so that no function is on both sides, whatever the order and
the number of the rows."""

import hashlib
import re

from ...digests import digest_of

# What a prompt of CodeI/O says of the pair begins here; all before it is about the function. Code or no code, the
# rows about a function share that part.
_PAIR = re.compile(r"^\W*given the following (?:input|output)\b", re.IGNORECASE | re.MULTILINE)
_FENCED = re.compile(r"^(`{3,})[^\n]*\n(.*?)^\1\s*$", re.DOTALL | re.MULTILINE)


def function_key(prompt: str) -> str:
    """Stands for the function in rows without `function_id`: the digest of the prompt's part about the function. That is
    what comes before `Given the following input` or `output`, the words of CodeI/O's prompts; else the longest fenced
    block, the code; else the whole prompt."""
    found = _PAIR.search(prompt)
    part = prompt[: found.start()].strip() if found else ""
    if not part:
        part = max((code for _, code in _FENCED.findall(prompt)), key=len, default="").strip()
    return digest_of(part or prompt)


def is_validation(key: str, share: float) -> bool:
    """The same for all rows of a function, in every run; about `share` of all functions."""
    number = int.from_bytes(hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8, person=b"split").digest())
    return number < share * 2**64
