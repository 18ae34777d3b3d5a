"""The script behind the plot of a million rows: it runs, counts what it made, and draws."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[2]


def test_predictions_are_verified_counted_and_drawn(tmp_path: Path) -> None:
    picture = tmp_path / "rows.svg"
    command = [sys.executable, "-m", "benchmarks.million", "--rows", "3000", "--svg", str(picture), "--folder", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["rows"] == 3000
    assert told["rows_per_s"] > 0
    assert told["verdicts"] == {"accepted": 2400, "wrong-answer": 450, "no-answer": 150}
    assert len(ElementTree.parse(picture).getroot().findall("{*}polyline")) == 2
    assert list(tmp_path.iterdir()) == [picture]
