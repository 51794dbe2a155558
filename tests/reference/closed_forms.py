#!/usr/bin/env python3
"""Reference numbers for the closed forms, by quadrature in float64.

Nothing here uses a closed form for a mixture's posterior: the clean point x_1 is integrated over a grid (the trapezoid
rule converges exponentially for Gaussians that the grid resolves), with the likelihood of x_t, or of x_t and I_s,
written out as in methods.md 1. The score is a finite difference of the integrated log density.

    python3 tests/reference/closed_forms.py

writes closed_forms.json and metrics.json beside this file. Needs numpy.
"""

import json
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
LIMIT, COUNT = 9.0, 1501  # spacing 0.012; the narrowest likelihood below has a standard deviation of 0.1
AXIS = np.linspace(-LIMIT, LIMIT, COUNT)
GRID_X, GRID_Y = np.meshgrid(AXIS, AXIS, indexing="ij")
CELL = (AXIS[1] - AXIS[0]) ** 2


def axes(major, minor, angle):
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, -s], [s, c]])
    return turn @ np.diag([major**2, minor**2]) @ turn.T


def normal(x, y, mean, cov):
    d = np.linalg.det(cov)
    p = np.linalg.inv(cov)
    a, b = x - mean[0], y - mean[1]
    return np.exp(-0.5 * (p[0, 0] * a * a + 2 * p[0, 1] * a * b + p[1, 1] * b * b)) / (2 * np.pi * np.sqrt(d))


def document(modes):
    return {
        "modes": [
            {"weight": w, "mean": list(m), "cov": {"xx": c[0, 0], "xy": c[0, 1], "yy": c[1, 1]}} for w, m, c in modes
        ]
    }


def likelihood(point, t):
    """N(point; t x_1, (1 - t)^2 I) as a function of x_1 on the grid."""
    v = (1 - t) ** 2
    return np.exp(-((point[0] - t * GRID_X) ** 2 + (point[1] - t * GRID_Y) ** 2) / (2 * v)) / (2 * np.pi * v)


def log_density(parts, x, t):
    return np.log(sum(p.sum() for p in (part * likelihood(x, t) for part in parts)) * CELL)


def case(modes, parts, t, x):
    like = likelihood(x, t)
    shares = np.array([(part * like).sum() for part in parts]) * CELL
    total = shares.sum()
    joint = sum(parts) * like / total * CELL
    mean = np.array([(joint * GRID_X).sum(), (joint * GRID_Y).sum()])
    dx, dy = GRID_X - mean[0], GRID_Y - mean[1]
    h = 2e-3
    score = []
    for axis in range(2):
        def at(by):
            y = np.array(x, float)
            y[axis] += by
            return log_density(parts, y, t)
        # Sixth order: truncation about h^6, rounding about 1e-15 / h.
        score.append((45 * (at(h) - at(-h)) - 9 * (at(2 * h) - at(-2 * h)) + at(3 * h) - at(-3 * h)) / (60 * h))
    return {
        "mixture": document(modes),
        "t": t,
        "x": list(x),
        "log_density": float(np.log(total)),
        "denoiser": mean.tolist(),
        "covariance": [float((joint * a).sum()) for a in (dx * dx, dx * dy, dy * dy)],
        # E[x_1 - x_0 | x_t] with x_0 = (x_t - t x_1) / (1 - t).
        "velocity": ((mean - np.array(x)) / (1 - t)).tolist(),
        "score": [float(v) for v in score],
        "responsibilities": (shares / total).tolist(),
    }


def glass_case(modes, parts, s, inner, t, x_t):
    joint = sum(parts) * likelihood(x_t, t) * likelihood(inner, s)
    joint /= joint.sum()
    mean = np.array([(joint * GRID_X).sum(), (joint * GRID_Y).sum()])
    return {
        "mixture": document(modes),
        "s": s,
        "inner": list(inner),
        "t": t,
        "x_t": list(x_t),
        "velocity": ((mean - np.array(inner)) / (1 - s)).tolist(),
    }


def sliced_w2(a, b, directions=128):
    theta = np.pi * (np.arange(directions) + 0.5) / directions
    d = np.stack([np.cos(theta), np.sin(theta)])
    return float(np.sqrt(np.mean((np.sort(a @ d, 0) - np.sort(b @ d, 0)) ** 2)))


def repeated_sliced_w2(a, b, directions=128):
    """Unequal sizes: repeat every point until the sizes agree; the empirical laws stay the same."""
    n = np.lcm(len(a), len(b))
    return sliced_w2(np.repeat(a, n // len(a), 0), np.repeat(b, n // len(b), 0), directions)


def kernel(a, b):
    d2 = ((a[:, None] - b[None]) ** 2).sum(-1)
    return np.mean([np.exp(-d2 / (2 * s * s)) for s in (0.25, 0.5, 1, 2, 4)], 0)


def mmd_squared_unbiased(a, b):
    n, m = len(a), len(b)
    xx, yy = kernel(a, a), kernel(b, b)
    return float(
        (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1)) - 2 * kernel(a, b).mean()
    )


def mean_pairwise_distance(a):
    d = np.sqrt(((a[:, None] - a[None]) ** 2).sum(-1))
    return float(d.sum() / (len(a) * (len(a) - 1)))


def main():
    tilted = [
        (0.5, (-1.0, 0.4), axes(0.9, 0.3, 0.6)),
        (0.2, (1.2, 1.0), axes(0.5, 0.4, -0.3)),
        (0.3, (0.3, -1.5), axes(0.7, 0.2, 2.0)),
    ]
    ring = [
        (k / 36, (3 * np.cos(2 * np.pi * (k - 1) / 8), 3 * np.sin(2 * np.pi * (k - 1) / 8)), axes(0.3, 0.3, 0))
        for k in range(1, 9)
    ]
    cases, glass = [], []
    for modes in (tilted, ring):
        parts = [w * normal(GRID_X, GRID_Y, m, c) for w, m, c in modes]
        for t in (0.05, 0.3, 0.6, 0.9):
            for x in ((0.1, -0.2), (0.9, 1.1), (-1.6, 0.3)):
                cases.append(case(modes, parts, t, x))
        for s, t in ((0.1, 0.2), (0.5, 0.3), (0.8, 0.6), (0.9, 0.1), (0.3, 0.9)):
            glass.append(glass_case(modes, parts, s, (0.6, -0.4), t, (-0.3, 0.8)))
    (HERE / "closed_forms.json").write_text(json.dumps({"cases": cases, "glass": glass}, indent=1) + "\n")

    rng = np.random.default_rng(0)
    def draw(n, shift, scale):
        points = (rng.standard_normal((n, 2)) * scale + shift).astype(np.float32)
        return points.astype(np.float64)
    a, b, c = draw(60, (0.0, 0.0), 1.0), draw(60, (0.7, -0.3), 1.5), draw(45, (-0.4, 0.2), 0.8)
    metrics = {
        "a": a.tolist(),
        "b": b.tolist(),
        "c": c.tolist(),
        "sliced_w2_ab": sliced_w2(a, b),
        "sliced_w2_ab_64": sliced_w2(a, b, 64),
        "sliced_w2_ac": repeated_sliced_w2(a, c),
        "mmd_squared_ab": mmd_squared_unbiased(a, b),
        "mmd_squared_ac": mmd_squared_unbiased(a, c),
        "mean_pairwise_distance_a": mean_pairwise_distance(a),
        "mean_a": a.mean(0).tolist(),
        "covariance_a": [float(v) for v in np.cov(a.T, ddof=1).ravel()[[0, 1, 3]]],
    }
    (HERE / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")


if __name__ == "__main__":
    main()
