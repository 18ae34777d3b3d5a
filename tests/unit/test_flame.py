"""The picture of where the host's time goes: threads by what they are always in, boxes as wide as their samples."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

from benchmarks import flame

RAW = """\
main (run.py:1);Executor.check_many (engine/executor.py:9);Stream.__iter__ (engine/stream.py:5) 6
main (run.py:1);Executor.check_many (engine/executor.py:9) 2
Thread.run (threading.py:1);Loop._run (engine/pool/loop.py:3);Loop._round (engine/pool/loop.py:7) 4
main (run.py:1);<listcomp> (a&b.py:2) 50
"""


def test_samples_are_counted_by_thread_and_others_are_left_out() -> None:
    root = flame.read(RAW)
    assert {name: box.samples for name, box in root.inside.items()} == {"caller": 8, "I/O thread": 4}
    assert root.samples == 12
    assert flame.shares(root).most_common(2) == [("Stream.__iter__ engine/stream", 6), ("Loop._round pool/loop", 4)]


def test_boxes_are_as_wide_as_their_share() -> None:
    picture = ElementTree.fromstring(flame.drawn(flame.read(RAW), "a title with <&>"))
    named = {
        (title.text or "").partition(":")[0]: float(group[1].get("width", ""))
        for group in picture.iter("{http://www.w3.org/2000/svg}g")
        if (title := group[0]) is not None
    }
    assert named["caller"] == pytest.approx(2 * named["I/O thread"], rel=0.02)
    assert named["Stream.__iter__ engine/stream"] == pytest.approx(named["host"] / 2, rel=0.02)
    assert not re.search("listcomp", str(named))


def test_nothing_to_draw_is_said() -> None:
    with pytest.raises(SystemExit, match="more checks"):
        flame.drawn(flame.read(""), "")
