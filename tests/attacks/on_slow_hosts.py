"""The contract and the corpus of attacks on a machine that counts the time it waits for a processor as time it ran.

    .venv/bin/python -m tests.attacks.on_slow_hosts --times 8 [--most-mib 160] [--isolation nsjail] [--part 1/4] [--contract]

User-Mode Linux and emulators do so: while the host runs something else, their clocks of processor time go on. Every limit in
seconds is multiplied, those on memory are cut where the machine is small (a control group of checks may not swap), and all
else is as in `make attacks`. Prints what was not as expected; exit code 1 where there was such a case.
"""

import argparse
import sys
import time

from reexec import Executor
from reexec.engine.conformance import Result, bench, run_conformance
from reexec.policies.model import MIB, IsolationLevel, Policy
from tests.attacks.harness import corpus, offered


def slower(policy: Policy, times: float, most_mib: int) -> Policy:
    limits = policy.limits
    seconds = {name: getattr(limits, name) for name in ("cpu_s", "idle_s", "wall_s")}
    changed = {name: value * times for name, value in seconds.items() if value is not None}
    memory_bytes = min(limits.memory_bytes, most_mib * MIB)
    return policy.model_copy(update={"limits": limits.model_copy(update=changed | {"memory_bytes": memory_bytes})})


def main() -> int:
    parser = argparse.ArgumentParser(prog="on_slow_hosts")
    parser.add_argument("--times", type=float, default=8.0, help="what limits in seconds are multiplied by")
    parser.add_argument("--most-mib", type=int, default=1024, help="what limits on memory are cut to")
    parser.add_argument("--isolation", action="append", help="default: every isolation level that is offered here")
    parser.add_argument("--part", default="1/1", help="such as 2/4: every fourth case, from the second")
    parser.add_argument("--contract", action="store_true", help="the contract that the package brings, not the corpus")
    options = parser.parse_args()
    number, parts = map(int, options.part.split("/"))
    bench.HONEST_CPU_S *= options.times

    def factory(policy: Policy, isolation: IsolationLevel) -> Executor:
        return Executor(slower(policy, options.times, options.most_mib), workers=1, isolation=isolation)

    def tell(result: Result) -> None:
        if not result.ok:
            print(f"{result.case.id} on {result.isolation.value}: {'; '.join(result.faults)}", flush=True)

    unexpected = 0
    for offer in offered():
        if options.isolation and offer.isolation.value not in options.isolation:
            continue
        if offer.reason:
            print(offer.reason, flush=True)
            continue
        cases = None if options.contract else list(corpus())[number - 1 :: parts]
        since = time.monotonic()
        results = run_conformance(factory, offer.isolation, cases=cases, tell=tell)
        wrong = sum(not result.ok for result in results)
        unexpected += wrong
        took_s = time.monotonic() - since
        print(f"{offer.isolation.value}: {len(results)} cases, {wrong} not as expected, {took_s:.0f} s", flush=True)
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
