#!/usr/bin/env python3
"""Compare the change points of `bencher analyze change-points` with those of Apache Otava, series by series.

    python3 -m venv venv && venv/bin/pip install apache-otava==0.8.0
    venv/bin/python tools/compare-change-points.py --bencher target/release/bencher SERIES.json …
    venv/bin/python tools/compare-change-points.py --reference SERIES.json > REFERENCE.json

SERIES.json is an object of names and arrays of numbers. Seeded series with steps and noise are added unless `--no-synthetic`.
Prints a row per file: how many series, how many with the same indexes, change points of both, and in common; then every difference.
"""

import argparse
import json
import random
import subprocess
import sys
import warnings

from otava.analysis import compute_change_points


def synthetic():
    generator = random.Random(1)
    series = {}
    for number in range(300):
        level, points, noise = 100.0, [], generator.choice([0.005, 0.01, 0.02])
        for _ in range(generator.randrange(20, 400)):
            if generator.random() < 0.015:
                level *= generator.choice([0.8, 0.9, 0.95, 1.03, 1.05, 1.1, 1.3])
            points.append(level * (1 + generator.gauss(0, noise)))
        series[f"steps {number}"] = points
    for number in range(100):
        level, points = 100, []
        for _ in range(generator.randrange(20, 300)):
            if generator.random() < 0.02:
                level += generator.choice([-5, -2, 2, 5])
            points.append(float(level + generator.choice([0, 0, 0, 1, -1])))
        series[f"whole numbers {number}"] = points
    return series


def reference(points):
    # An array of NumPy would bypass the windows.
    found, _ = compute_change_points([float(point) for point in points])
    return [int(change.index) for change in found]


def ours(bencher, points):
    command = [bencher, "analyze", "change-points", "--format", "json", "-"]
    ended = subprocess.run(command, input=json.dumps(points), capture_output=True, text=True, check=True)
    return [change["index"] for change in json.loads(ended.stdout)["change_points"]]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", metavar="SERIES.json")
    parser.add_argument("--bencher", help="the program to compare with Otava")
    parser.add_argument("--reference", action="store_true", help="print what Otava finds, as an object of names and indexes")
    parser.add_argument("--no-synthetic", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    sets = {file: json.load(open(file, encoding="utf-8")) for file in arguments.files}
    if arguments.reference:
        found = {name: reference(points) for series in sets.values() for name, points in series.items()}
        print("{\n" + ",\n".join(f"{json.dumps(name)}: {json.dumps(indexes)}" for name, indexes in found.items()) + "\n}")
        return
    if not arguments.bencher:
        parser.error("give --bencher or --reference")
    if not arguments.no_synthetic:
        sets["synthetic"] = synthetic()
    differences = []
    print(f"{'series of':60} {'number':>6} {'same':>6} {'Otava':>6} {'ours':>6} {'common':>6}")
    for name, series in sets.items():
        same = theirs_all = ours_all = common = 0
        for title, points in series.items():
            theirs, found = reference(points), ours(arguments.bencher, points)
            same += theirs == found
            theirs_all += len(theirs)
            ours_all += len(found)
            common += len(set(theirs) & set(found))
            if theirs != found:
                differences.append(f"{name}: {title}: Otava {theirs}, ours {found}")
        print(f"{name:60} {len(series):6} {same:6} {theirs_all:6} {ours_all:6} {common:6}")
    for difference in differences:
        print(difference)
    sys.exit(1 if differences else 0)


if __name__ == "__main__":
    main()
