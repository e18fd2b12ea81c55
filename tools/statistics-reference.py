#!/usr/bin/env python3
"""Compute with SciPy what bencher-analysis must compute, and print it as JSON.

    python3 -m venv venv && venv/bin/pip install scipy==1.16.3
    venv/bin/python tools/statistics-reference.py > crates/bencher-analysis/tests/fixtures/statistics/scipy.json

Thresholds: a history (oldest first), a boundary, and baseline, lower and upper limit of each test.
Comparisons: ratio, BCa interval, p-value of two sets of measurements. P-values adjusted for several.
"""

import json
import math
import random
import warnings

import numpy as np
import scipy
from scipy import stats


def histories():
    generator = random.Random(20261122)
    yield [10.0, 12.0, 11.0, 13.0, 9.0]
    yield [1.0, 2.0]
    yield [103.2, 99.8, 101.1, 100.4, 98.9, 100.0, 102.7, 99.1]
    for size in (3, 17, 64):
        yield [round(generator.lognormvariate(3.0, 0.2), 3) for _ in range(size)]
    yield [round(generator.gauss(2.5e6, 4e4), 1) for _ in range(40)]


def limits(test, boundary, history):
    values = np.array(history)
    mean, deviation, size = values.mean(), values.std(ddof=1), len(values)
    if test == "percentage":
        baseline, distance = mean, mean * boundary
    elif test == "z_score":
        baseline, distance = mean, stats.norm(mean, deviation).ppf(boundary) - mean
    elif test == "t_test":
        scale = deviation * math.sqrt(1 + 1 / size)
        baseline, distance = mean, stats.t(size - 1, mean, scale).ppf(boundary) - mean
    elif test == "log_normal":
        logarithms = np.log(values)
        baseline = math.exp(logarithms.mean())
        distance = stats.lognorm(logarithms.std(ddof=1), scale=baseline).ppf(boundary) - baseline
    else:
        baseline = np.quantile(values, 0.5, method="linear")
        if test == "iqr":
            distance = boundary * stats.iqr(values, interpolation="linear")
        else:
            changes = np.abs(np.diff(values)) / values[:-1]
            distance = baseline * boundary * stats.iqr(changes, interpolation="linear")
    return [float(baseline), float(baseline - distance), float(baseline + distance)]


def thresholds():
    for history in histories():
        for test in ("percentage", "z_score", "t_test", "log_normal", "iqr", "delta_iqr"):
            if test == "delta_iqr" and len(history) < 3:
                continue
            probability = test in ("z_score", "t_test", "log_normal")
            for boundary in (0.5, 0.9, 0.95, 0.99, 0.999) if probability else (0.0, 0.1, 1.5):
                yield {"test": test, "boundary": boundary, "history": history, "limits": limits(test, boundary, history)}


def mean_of_logarithms(sample, axis=-1):
    return np.mean(sample, axis=axis)


def difference_of_means(one, other, axis=-1):
    return np.mean(one, axis=axis) - np.mean(other, axis=axis)


def comparison(design, old, new):
    old_logarithms, new_logarithms = np.log(old), np.log(new)
    if design == "paired":
        samples, statistic = (new_logarithms - old_logarithms,), mean_of_logarithms
        p_value = stats.permutation_test(
            samples, statistic, permutation_type="samples", n_resamples=200_000, rng=np.random.default_rng(1)
        ).pvalue
    else:
        samples, statistic = (new_logarithms, old_logarithms), difference_of_means
        p_value = stats.mannwhitneyu(new, old, alternative="two-sided").pvalue
    interval = stats.bootstrap(
        samples, statistic, n_resamples=200_000, confidence_level=0.95, method="BCa", batch=2_000,
        rng=np.random.default_rng(2),
    ).confidence_interval
    return {
        "design": design,
        "old": old,
        "new": new,
        "ratio": float(np.exp(statistic(*samples))),
        "interval": [float(np.exp(interval.low)), float(np.exp(interval.high))],
        "p_value": float(p_value),
    }


def comparisons():
    generator = random.Random(7)

    def around(mean, spread, size, digits=3):
        return [round(mean * math.exp(generator.gauss(0, spread)), digits) for _ in range(size)]

    for size in (6, 10, 14):
        hour = around(1.0, 0.05, size)
        old = [round(100 * drift * math.exp(generator.gauss(0, 0.01)), 3) for drift in hour]
        yield comparison("paired", old, [round(value * 1.03 * math.exp(generator.gauss(0, 0.01)), 3) for value in old])
    yield comparison("paired", around(50, 0.02, 40), around(50, 0.02, 40))
    yield comparison("unpaired", around(50, 0.02, 6), around(52, 0.02, 8))
    yield comparison("unpaired", around(50, 0.1, 30), around(51, 0.05, 25))
    yield comparison("unpaired", around(9, 0.1, 30, 0), around(9.5, 0.1, 25, 0))


def adjusted():
    generator = random.Random(3)
    for size in (1, 4, 25):
        p_values = [generator.random() ** 3 for _ in range(size)]
        yield {"p_values": p_values, "adjusted": [float(p) for p in stats.false_discovery_control(p_values)]}


def main():
    warnings.simplefilter("error")
    document = {
        "scipy": scipy.__version__,
        "thresholds": list(thresholds()),
        "comparisons": list(comparisons()),
        "adjusted": list(adjusted()),
    }
    # One case on a line, so that a change shows which.
    for number, (name, value) in enumerate(document.items()):
        cases = json.dumps(value) if isinstance(value, str) else "[\n" + ",\n".join(map(json.dumps, value)) + "\n]"
        print("," if number else "{", f"{json.dumps(name)}: {cases}")
    print("}")


if __name__ == "__main__":
    main()
