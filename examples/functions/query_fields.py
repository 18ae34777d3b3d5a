"""
A web form arrives as one line of `key=value` fields joined by `&`. A plus sign means a blank, a percent sign with two
hexadecimal digits the character with that code. Collect the values for each key.

Input:
  `query` (str): The line, fewer than 100 characters, ASCII only.

Output:
  `return` (dict): For each key, in order of first appearance, its value (str), or a list of str if it appears several
  times. A field without an equals sign has the value true.
"""

import re


def decode(text):
    text = text.replace("+", " ")
    return re.sub(r"%([0-9A-Fa-f]{2})", lambda match: chr(int(match.group(1), 16)), text)


def main_solution(query):
    """Decode the fields of a web form."""
    fields = {}
    for field in filter(None, query.split("&")):
        key, equals, value = field.partition("=")
        fields.setdefault(decode(key), []).append(decode(value) if equals else True)
    return {key: values[0] if len(values) == 1 else values for key, values in fields.items()}


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "text formats"
FORWARD = "I split at the ampersands, decode both sides of the first equals sign, and group by key."
BACKWARD = "I join the keys and values again, and a list simply means that its key is repeated."
INPUTS = [
    {"query": "name=Ada+L&tag=math&tag=code"},
    {"query": "q=%7B%22a%22%3A1%7D&verbose"},
    {"query": ""},
    {"query": "a=&b==&&c=1%2B1"},
    {"query": "it%27s=fine&x=1&x&x=3"},
]
