CODE = {"a": ".-", "b": "-...", "e": ".", "i": "..", "n": "-.", "o": "---", "r": ".-.", "s": "...", "t": "-"}
BACK = {v: k for k, v in CODE.items()}


def encode(text):
    return " / ".join(" ".join(CODE[c] for c in word if c in CODE) for word in text.lower().split())


def decode(signal):
    return " ".join("".join(BACK.get(s, "?") for s in word.split()) for word in signal.split("/"))


print(encode("to be or not"))
print(decode("- --- / -... ."))
