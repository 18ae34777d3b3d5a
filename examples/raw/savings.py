# when does the account reach the goal? interest in per cent a year, paid monthly, rounded to cents
def months(start, monthly, rate, goal):
    cents, n = start * 100, 0
    while cents < goal * 100 and n < 1200:
        cents += round(cents * rate / 1200)
        cents += monthly * 100
        n += 1
    return n, cents / 100


if __name__ == "__main__":
    for rate in (1, 2, 3):
        print(rate, months(1000, 50, rate, 5000))
