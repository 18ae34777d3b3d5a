def check_digit(nine):
    s = sum((10 - i) * int(c) for i, c in enumerate(nine))
    r = (11 - s % 11) % 11
    return "X" if r == 10 else str(r)


for line in open("books.txt"):
    code = line.strip().replace("-", "")
    if len(code) == 10 and check_digit(code[:9]) == code[9].upper():
        print(code, "ok")
    else:
        print(code, "BAD")
