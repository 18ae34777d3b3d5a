n = int(input("table of: "))
for row in range(1, n + 1):
    print(" ".join("%4d" % (row * col) for col in range(1, n + 1)))
