import csv

# flag runs where the sensor is stuck: the same reading for LIMIT samples or more
LIMIT = 4


def stuck(values, limit=LIMIT):
    runs = []
    start = 0
    for i in range(1, len(values) + 1):
        if i == len(values) or values[i] != values[start]:
            if i - start >= limit:
                runs.append((start, i - 1, values[start]))
            start = i
    return runs


with open("log.csv") as f:
    print(stuck([float(r[1]) for r in csv.reader(f)]))
