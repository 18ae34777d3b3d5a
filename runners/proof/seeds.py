"""Executors of one policy under different seeds: hash seed, random seed, numpy seed, entropy, clock and addresses."""

from collections.abc import Sequence

from reexec.engine.executor import Executor
from reexec.policies.model import Policy

from ..execution import ExecutorOptions

_DAY_S = 24 * 3600
# (hash seed, random seed, seconds that the clock is ahead) of the two sides. The first side's clock is the host's: what it
# gives is what is recorded. The others differ from it in year, month, day, weekday, half of the day, minute and second.
SEEDS = ((1, 11, 0), (2, 22, 4027 * _DAY_S + 41_023))
MORE_SEEDS = (  # for what two runs do not settle
    (3, 33, 571 * _DAY_S + 63_791),
    (4, 44, 1622 * _DAY_S + 23_477),
    (5, 55, 2676 * _DAY_S + 75_169),
)


def reseeded(policy: Policy, hash_seed: int, random_seed: int, clock_shift_s: int) -> Policy:
    """The policy under other seeds and another clock, with addresses at random. Entropy is seeded too: where two runs agree by
    luck, they do so in every proof of the same pair."""
    seeds = {
        "hash_seed": hash_seed,
        "random_seed": random_seed,
        "numpy_seed": random_seed,
        "entropy_seed": random_seed,
        "clock_shift_s": clock_shift_s,
        "fixed_addresses": False,
    }
    return policy.model_copy(update={"determinism": policy.determinism.model_copy(update=seeds)})


class SeededExecutors:
    """Two sides that share the workers, and three more when they are first needed. An executor that is given says how they are
    opened; it is not used itself, as it has one seed."""

    def __init__(self, given: Executor | ExecutorOptions | None) -> None:
        options = ExecutorOptions.of(given)
        self.policy = Policy.preset(options.policy) if isinstance(options.policy, str) else options.policy
        self._options = options
        self._more: list[Executor] = []
        first, second = (reseeded(self.policy, *seeds) for seeds in SEEDS)
        self.one = options.open_part(first, "first half")
        try:
            self.two = options.open_part(second, "second half")
        except BaseException:
            self.one.shutdown()
            raise

    def close(self) -> None:
        for executor in (self.one, self.two, *self._more):
            executor.shutdown()

    def more(self) -> Sequence[Executor]:
        if not self._more:
            self._more = [self._options.open_part(reseeded(self.policy, *seeds), "one") for seeds in MORE_SEEDS]
        return self._more
