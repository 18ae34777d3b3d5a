# two queues at a desk: members are served first, but after three of them in a row a guest gets a turn
from collections import deque


def serve(people):
    members, guests = deque(), deque()
    for name, kind in people:
        (members if kind == "member" else guests).append(name)
    order, streak = [], 0
    while members or guests:
        if members and (streak < 3 or not guests):
            order.append(members.popleft())
            streak += 1
        else:
            order.append(guests.popleft())
            streak = 0
    return order


print(serve([("ann", "member"), ("bo", "guest"), ("cy", "member")]))
