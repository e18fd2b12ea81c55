#!/usr/bin/env python3
"""How often each threshold rule is wrong and how often it sees a step, on real series; prints a table in Markdown.

    python3 -m venv venv && venv/bin/pip install apache-otava==0.8.0
    venv/bin/python tools/rule-rates.py crates/bencher-analysis/tests/fixtures/series/*.json

Stretches of at least 40 points between two change points (Otava's, which are also ours) are taken for unchanged; whole runs of the
same value are left out. In each, every point after the 20th is checked against at most 64 points before it: an alert is a false one.
Then the points from a random place on are made slower by a step, 5 places each: the step is seen where its first point raises an
alert, and seen within five where one of the first five does, each against a history that has the ones before. For change points a
false one is any in the unchanged stretch, per point; a step is seen where there is one at most two points off once five or ten points
follow it. Boundaries are upper ones. The formulas are those of docs/thresholds.md; seeds are fixed.
"""

import json
import math
import random
import sys
import warnings

import numpy as np
from otava.analysis import compute_change_points
from scipy import stats

MINIMUM, MOST, LEAST_STRETCH, PLACES = 20, 64, 40, 5
STEPS = (0.02, 0.05, 0.10, 0.20)


def quantile(history, share):
    return np.quantile(history, share, method="linear")


def spread(values):
    return quantile(values, 0.75) - quantile(values, 0.25)


def z_score(history, boundary):
    return history.mean() + history.std(ddof=1) * stats.norm.ppf(boundary)


def t_test(history, boundary):
    size = len(history)
    return history.mean() + history.std(ddof=1) * math.sqrt(1 + 1 / size) * stats.t.ppf(boundary, size - 1)


def log_normal(history, boundary):
    logarithms = np.log(history)
    return math.exp(logarithms.mean() + logarithms.std(ddof=1) * stats.norm.ppf(boundary))


def percentage(history, boundary):
    return history.mean() * (1 + boundary)


def iqr(history, boundary):
    return quantile(history, 0.5) + boundary * spread(history)


def delta_iqr(history, boundary):
    changes = np.abs(np.diff(history)) / history[:-1]
    return quantile(history, 0.5) * (1 + boundary * spread(changes))


RULES = [
    ("percentage 0.05", percentage, 0.05),
    ("percentage 0.1", percentage, 0.1),
    ("z_score 0.99", z_score, 0.99),
    ("t_test 0.95", t_test, 0.95),
    ("t_test 0.99", t_test, 0.99),
    ("t_test 0.999", t_test, 0.999),
    ("log_normal 0.99", log_normal, 0.99),
    ("iqr 1.5", iqr, 1.5),
    ("iqr 3", iqr, 3.0),
    ("delta_iqr 3", delta_iqr, 3.0),
]


def indexes(points):
    found, _ = compute_change_points([float(point) for point in points])
    return [int(change.index) for change in found]


def stretches(files):
    for file in files:
        with open(file, encoding="utf-8") as opened:
            series = json.load(opened)
        for name, points in series.items():
            edges = [0, *indexes(points), len(points)]
            for start, end in zip(edges, edges[1:]):
                stretch = np.array(points[start:end], dtype=float)
                # A throughput is turned round, so that a step up is slower everywhere.
                if "ops_sec" in name:
                    stretch = 1.0 / stretch
                if len(stretch) >= LEAST_STRETCH and (stretch > 0).all() and spread(stretch) > 0:
                    yield stretch


def alert(rule, boundary, points, at):
    history = points[max(0, at - MOST) : at]
    limit = rule(history, boundary)
    return points[at] > limit


def main():
    warnings.simplefilter("ignore")
    all_stretches = list(stretches(sys.argv[1:]))
    points = sum(len(stretch) - MINIMUM for stretch in all_stretches)
    noise = sorted(stretch.std(ddof=1) / stretch.mean() for stretch in all_stretches)
    print(
        f"{len(all_stretches)} unchanged stretches, {points} checked points; their standard deviation is "
        f"{noise[0]:.1%} to {noise[-1]:.0%} of the mean, half of them below {noise[len(noise) // 2]:.1%}.\n"
    )
    columns = [f"+{step:.0%}: first, of five" for step in STEPS]
    print("| rule | false alerts | " + " | ".join(columns) + " |")
    print("|---|---|" + "---|" * len(STEPS))

    def trials():
        generator = random.Random(5)
        for stretch in all_stretches:
            for _ in range(PLACES):
                yield stretch, generator.randrange(MINIMUM, len(stretch) - 10)

    cases = list(trials())

    def stepped(stretch, at, step):
        changed = stretch.copy()
        changed[at:] *= 1 + step
        return changed

    for name, rule, boundary in RULES:
        false = sum(alert(rule, boundary, stretch, at) for stretch in all_stretches for at in range(MINIMUM, len(stretch)))
        row = []
        for step in STEPS:
            first = five = 0
            for stretch, at in cases:
                changed = stepped(stretch, at, step)
                alerts = [alert(rule, boundary, changed, number) for number in range(at, at + 5)]
                first, five = first + alerts[0], five + any(alerts)
            row.append(f"{first / len(cases):.0%}, {five / len(cases):.0%}")
        print(f"| `{name}` | {false / points:.2%} | " + " | ".join(row) + " |", flush=True)

    false = sum(len(indexes(stretch)) for stretch in all_stretches)
    row = []
    for step in STEPS:
        seen = [0, 0]
        for stretch, at in cases:
            changed = stepped(stretch, at, step)
            for number, after in enumerate((5, 10)):
                seen[number] += any(abs(index - at) <= 2 for index in indexes(changed[: at + after]))
        row.append(f"{seen[0] / len(cases):.0%} after 5, {seen[1] / len(cases):.0%} after 10")
    print(f"| change points | {false / points:.2%} | " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
