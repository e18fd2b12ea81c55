#!/usr/bin/env python3
"""Cuts a `data.js` of github-action-benchmark to what tests need: one suite whole, the first and last runs of the others, and of the
commits only hash and time.

    tools/trim-data-js.py 'Rust Benchmark' < data.js > crates/bencher-analysis/tests/fixtures/github-action-benchmark/data.js
"""

import json
import sys

whole = sys.argv[1]
text = sys.stdin.read()
data = json.loads(text[text.index("{"):].rstrip().rstrip(";"))


def line(run):
    commit = {key: run["commit"][key] for key in ("id", "timestamp") if key in run["commit"]}
    return json.dumps({**run, "commit": commit}, ensure_ascii=False, separators=(",", ":"))


def suite(name, runs):
    kept = runs if name == whole else runs[:1] + runs[-2:]
    return json.dumps(name) + ": [\n" + ",\n".join(map(line, kept)) + "\n]"


print("window.BENCHMARK_DATA = {")
print(f'"lastUpdate": {data["lastUpdate"]}, "repoUrl": {json.dumps(data["repoUrl"])}, "entries": {{')
print(",\n".join(suite(name, runs) for name, runs in data["entries"].items()))
print("}}")
