"""The metric that `evaluate.load` finds in this folder."""

from typing import Any

import datasets
import evaluate

from reexec.rewards.code_eval import TIMEOUT_S, evaluate_candidates


class CodeEval(evaluate.Metric):  # type: ignore[misc]
    """pass@k of programs, run in reexec's sandbox."""

    def _info(self) -> Any:
        return evaluate.MetricInfo(
            description="pass@k of programs under tests, run in reexec's sandbox",
            citation="",
            inputs_description="predictions: lists of programs; references: a test for each list",
            features=datasets.Features(
                {
                    "predictions": datasets.Sequence(datasets.Value("string")),
                    "references": datasets.Value("string"),
                }
            ),
        )

    def _compute(  # pyright: ignore[reportIncompatibleMethodOverride] - as its own modules do
        self, predictions: Any, references: Any, k: Any = (1, 10, 100), num_workers: Any = None, timeout: float = TIMEOUT_S
    ) -> Any:
        """`num_workers` is taken and has no effect: there are as many workers as processors."""
        return evaluate_candidates(predictions, references, k, timeout)
