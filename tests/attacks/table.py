"""What the corpus came to, for the table at the end of a run."""

from reexec.engine.conformance import Result

RESULTS: list[Result] = []


def lines() -> list[str]:
    widest = max(len(result.case.id) for result in RESULTS)
    found = [f"{'case':{widest}}  {'isolation':14} {'verdict':15} {'expected':15} left-overs"]
    for result in RESULTS:
        word = f"{result.word}*" if result.widened else result.word
        remark = result.left_over or ("none" if result.ok else "none; " + "; ".join(result.faults))
        found.append(f"{result.case.id:{widest}}  {result.isolation.value:14} {word:15} {result.expected:15} {remark[:120]}")
    return found


def summary() -> str:
    counts = [
        f"{len(RESULTS)} runs",
        f"{sum(result.ok for result in RESULTS)} as expected",
        f"{sum(result.widened for result in RESULTS)} widened (*)",
        f"{sum(result.word == 'refused' for result in RESULTS)} refused by a level that lacks what the policy asks for",
        f"{sum(bool(result.left_over) for result in RESULTS)} with left-overs",
    ]
    return ", ".join(counts)
