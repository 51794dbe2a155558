#!/usr/bin/env python3
"""Reference numbers for BRISQUE: the features and scores that the PyPI package `brisque` gives itself.

    pip install brisque==0.2.0 opencv-python-headless "numpy<2.3"
    python3 tests/reference/brisque_scores.py        writes brisque.json beside this file

Pictures are not stored: `picture` makes the same ones here and in the test. Scores are given with the package's own
model and with its first support vectors alone, which are stored, so that the test needs no file of the package.
"""

import json
import os
import pickle
import tempfile
from pathlib import Path

import numpy as np
from brisque import BRISQUE
from brisque.models import MODEL_PATH

HERE = Path(__file__).parent
KEPT = 16


def number(key, count):
    """`count` numbers in [-1, 1) for stream `key`: a 32-bit mixer, exact in any language."""
    with np.errstate(over="ignore"):
        z = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B9) + np.uint32(key) * np.uint32(0x85EBCA6B)
        z = (z ^ (z >> np.uint32(16))) * np.uint32(0x7FEB352D)
        z = (z ^ (z >> np.uint32(15))) * np.uint32(0x846CA68B)
        z = z ^ (z >> np.uint32(16))
    return (z >> np.uint32(8)).astype(np.float64) / 2.0**23 - 1.0


def picture(key, channels, rows, columns, rough):
    """Bytes `[channels][rows][columns]`: noise in blocks of 1, 2, 4, 8 and 16 pixels, finer ones weaker."""
    planes = []
    for channel in range(channels):
        plane = np.full((rows, columns), 128.0)
        for level in range(5):
            side = (columns >> level) + 1
            values = number(key + 16 * channel + level, ((rows >> level) + 1) * side)
            y, x = np.mgrid[0:rows, 0:columns] >> level
            plane = plane + values[y * side + x] * (rough if level == 0 else 12.0 * level)
        planes.append(np.floor(np.clip(plane, 0.0, 255.0) + 0.5))
    return np.stack(planes).astype(np.uint8)


CASES = [
    {"key": 1, "shape": [3, 40, 56], "rough": 6.0},
    {"key": 101, "shape": [3, 32, 32], "rough": 20.0},
    {"key": 201, "shape": [1, 28, 28], "rough": 45.0},
    {"key": 301, "shape": [3, 35, 33], "rough": 60.0},
    {"key": 801, "shape": [1, 20, 25], "rough": 20.0},
]


def few(text, folder):
    """A model file with the first support vectors alone."""
    head, vectors = text.split("SV\n", 1)
    head = head.replace(f"total_sv {len(vectors.splitlines())}", f"total_sv {KEPT}")
    cut = head + "SV\n" + "\n".join(vectors.splitlines()[:KEPT]) + "\n"
    path = Path(folder) / "few.txt"
    path.write_text(cut)
    return cut, path


def main():
    normalize = os.path.join(MODEL_PATH, "normalize.pickle")
    with open(normalize, "rb") as file:
        ranges = pickle.load(file)
    whole = BRISQUE(url=False)
    features = []
    rate = whole.calculate_image_quality_score
    whole.calculate_image_quality_score = lambda f: (features.append([float(v) for v in f]), rate(f))[1]
    cases = []
    with tempfile.TemporaryDirectory() as folder:
        text, path = few(Path(MODEL_PATH, "svm.txt").read_text(), folder)
        small = BRISQUE(url=False, model_path={"svm": str(path), "normalize": normalize})
        for case in CASES:
            made = picture(case["key"], *case["shape"], case["rough"])
            seen = np.moveaxis(np.repeat(made, 4 - len(made), 0)[:3], 0, 2)
            score = whole.score(seen)
            cases.append({**case, "features": features[-1], "score": score, "few": small.score(seen)})
    ranges = {name: [float(v) for v in ranges[name]] for name in ("min_", "max_")}
    out = {"model": text, "ranges": ranges, "cases": cases}
    (HERE / "brisque.json").write_text(json.dumps(out) + "\n")


if __name__ == "__main__":
    main()
