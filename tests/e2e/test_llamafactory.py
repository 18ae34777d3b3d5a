"""Every training config of an export, through LLaMA-Factory's own parser. Skipped where that is not installed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reexec.runners.stages.export import ExportSettings, export
from tests.support.helpers import EXAMPLES

PYTHON = os.environ.get("LLAMAFACTORY_PYTHON", sys.executable)
"""An interpreter that has it; LLaMA-Factory may live in an environment of its own."""
PARSE = """
import json, pathlib, sys, yaml
from llamafactory.data.template import TEMPLATES
from llamafactory.hparams import get_train_args
found = {}
for path in sorted(pathlib.Path(".").glob("*.yaml")):
    # Neither of the two is part of a config: this machine may have no GPU, and nobody listens to its reports.
    given = {**yaml.safe_load(path.read_text()), "use_cpu": True, "report_to": "none"}
    _, data, training, _, _ = get_train_args(given)
    found[path.name] = [data.template in TEMPLATES, training.learning_rate, training.lr_scheduler_kwargs]
print(json.dumps(found))
"""
ALONE = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29577"}


@pytest.mark.slow
def test_llamafactory_parses_every_config(tmp_path: Path) -> None:
    probe = [PYTHON, "-c", "import llamafactory, deepspeed"]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("llamafactory and deepspeed are not installed (LLAMAFACTORY_PYTHON names an interpreter that has them)")
    export(EXAMPLES / "final.jsonl", tmp_path / "out", ExportSettings(to="llamafactory-alpaca", validation_share=0.4))
    done = subprocess.run(
        [PYTHON, "-c", PARSE],
        cwd=tmp_path / "out",
        env={**os.environ, **ALONE, "DISABLE_VERSION_CHECK": "1", "DS_ACCELERATOR": "cpu"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert len(found) == 8
    assert all(known for known, _, _ in found.values())
    rates = {name: kwargs["min_lr_rate"] * rate for name, (_, rate, kwargs) in found.items() if "stage2" in name}
    assert rates["gemma2-27b.stage2.yaml"] == pytest.approx(3e-7, rel=1e-4)
    assert rates["qwen2_5-coder-7b.stage2.yaml"] == pytest.approx(1e-6, rel=1e-4)
