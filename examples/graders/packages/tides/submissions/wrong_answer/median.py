input()
levels = list(map(int, input().split()))
print(levels[len(levels) // 2])
