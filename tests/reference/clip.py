#!/usr/bin/env python3
"""Reference numbers for CLIP's image tower, in float64, written layer by layer with numpy.

    python3 tests/reference/clip.py               writes clip.json beside this file
    python3 tests/reference/clip.py transformers  compares itself with Hugging Face's (needs torch, transformers)
    python3 tests/reference/clip.py pillow        compares the change of size with Pillow's

The network is CLIPVisionModelWithProjection of the transformers library. Weights are not stored: `number` gives the
same ones here and in the test. Needs numpy.
"""

import json
import math
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
MEAN = np.array([0.48145466, 0.4578275, 0.40821073])
DEVIATION = np.array([0.26862954, 0.26130258, 0.27577711])


def number(key, count):
    """`count` numbers in [-1, 1) for stream `key`: a 32-bit mixer, exact in any language."""
    with np.errstate(over="ignore"):
        z = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B9) + np.uint32(key) * np.uint32(0x85EBCA6B)
        z = (z ^ (z >> np.uint32(16))) * np.uint32(0x7FEB352D)
        z = (z ^ (z >> np.uint32(15))) * np.uint32(0x846CA68B)
        z = z ^ (z >> np.uint32(16))
    return (z >> np.uint32(8)).astype(np.float64) / 2.0**23 - 1.0


def cubic(x):
    x = abs(x)
    if x < 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def resized(x, size, axis):
    """Pillow's bicubic: the kernel grows with the shrinking, is cut at the edges and sums to 1."""
    x = np.moveaxis(x, axis, 0)
    scale = x.shape[0] / size
    wide = max(scale, 1.0)
    rows = []
    for place in range(size):
        centre = (place + 0.5) * scale
        first, end = max(int(centre - 2 * wide + 0.5), 0), min(int(centre + 2 * wide + 0.5), x.shape[0])
        weights = np.array([cubic((at - centre + 0.5) / wide) for at in range(first, end)])
        rows.append(np.tensordot(weights / weights.sum(), x[first:end], 1))
    return np.moveaxis(np.stack(rows), 0, axis)


def prepared(x, size):
    """Pictures in [-1, 1], grey or colour."""
    x = (x + 1) / 2
    short = min(x.shape[2:])
    for axis in (3, 2):
        side = x.shape[axis]
        x = resized(x, size if side == short else int(size * side / short), axis)
    top, left = (x.shape[2] - size) // 2, (x.shape[3] - size) // 2
    x = x[:, :, top : top + size, left : left + size]
    x = np.repeat(x, 3, axis=1) if x.shape[1] == 1 else x
    return (x - MEAN[:, None, None]) / DEVIATION[:, None, None]


class Network:
    def __init__(self, config, weights):
        self.config, self.weights = config, weights

    def linear(self, name, x):
        return x @ self.weights[name + ".weight"].T + self.weights[name + ".bias"]

    def norm(self, name, x):
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + self.config["layer_norm_eps"])
        return scaled * self.weights[name + ".weight"] + self.weights[name + ".bias"]

    def activation(self, x):
        if self.config["hidden_act"] == "quick_gelu":
            return x / (1 + np.exp(-1.702 * x))
        return 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))

    def attention(self, name, x):
        b, n, d = x.shape
        heads = self.config["num_attention_heads"]
        q, k, v = (
            self.linear(f"{name}.{which}_proj", x).reshape(b, n, heads, d // heads).transpose(0, 2, 1, 3)
            for which in "qkv"
        )
        scores = q @ k.transpose(0, 1, 3, 2) / np.sqrt(d // heads)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = scores / scores.sum(-1, keepdims=True) @ v
        return self.linear(name + ".out_proj", mixed.transpose(0, 2, 1, 3).reshape(b, n, d))

    def embed(self, pixels):
        """Of prepared pictures; not yet of length 1."""
        p, model = self.config["patch_size"], "vision_model."
        kernel = self.weights[model + "embeddings.patch_embedding.weight"]
        side = self.config["image_size"] // p
        tokens = [np.tile(self.weights[model + "embeddings.class_embedding"], (len(pixels), 1))]
        for row in range(side):
            for column in range(side):
                patch = pixels[:, :, row * p : (row + 1) * p, column * p : (column + 1) * p]
                tokens.append(np.einsum("bcij,dcij->bd", patch, kernel))
        x = np.stack(tokens, axis=1) + self.weights[model + "embeddings.position_embedding.weight"]
        x = self.norm(model + "pre_layrnorm", x)
        for i in range(self.config["num_hidden_layers"]):
            layer = f"{model}encoder.layers.{i}"
            x = x + self.attention(layer + ".self_attn", self.norm(layer + ".layer_norm1", x))
            h = self.linear(layer + ".mlp.fc1", self.norm(layer + ".layer_norm2", x))
            x = x + self.linear(layer + ".mlp.fc2", self.activation(h))
        return self.norm(model + "post_layernorm", x[:, 0]) @ self.weights["visual_projection.weight"].T


def shapes(config):
    d, inner, p = config["hidden_size"], config["intermediate_size"], config["patch_size"]
    model = "vision_model."
    found = {
        model + "embeddings.class_embedding": [d],
        model + "embeddings.patch_embedding.weight": [d, 3, p, p],
        model + "embeddings.position_embedding.weight": [(config["image_size"] // p) ** 2 + 1, d],
        "visual_projection.weight": [config["projection_dim"], d],
    }

    def linear(name, inputs, outputs):
        found[name + ".weight"], found[name + ".bias"] = [outputs, inputs], [outputs]

    def norm(name):
        found[name + ".weight"], found[name + ".bias"] = [d], [d]

    norm(model + "pre_layrnorm")
    norm(model + "post_layernorm")
    for i in range(config["num_hidden_layers"]):
        layer = f"{model}encoder.layers.{i}"
        for which in ("q", "k", "v", "out"):
            linear(f"{layer}.self_attn.{which}_proj", d, d)
        linear(layer + ".mlp.fc1", d, inner)
        linear(layer + ".mlp.fc2", inner, d)
        norm(layer + ".layer_norm1")
        norm(layer + ".layer_norm2")
    return dict(sorted(found.items()))


def weights(config):
    """Stream k for the k-th name; scaled so that every path matters."""
    found = {}
    for k, (name, shape) in enumerate(shapes(config).items()):
        values = number(k, int(np.prod(shape)))
        if len(shape) > 1 and "position" not in name:
            values = values * (1.7 / np.sqrt(np.prod(shape[1:])))
        elif "norm" in name and name.endswith("weight"):
            values = 1 + 0.5 * values
        else:
            values = 0.3 * values
        found[name] = values.astype(np.float32).astype(np.float64).reshape(shape)
    return found


BASE = {
    "image_size": 12, "patch_size": 4, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3,
    "num_attention_heads": 2, "projection_dim": 10, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5,
}  # fmt: skip
# A change of the configuration, and the shape of the pictures: shrinking, growing, grey.
CASES = [
    ({}, (2, 3, 31, 20)),
    ({"hidden_act": "gelu", "patch_size": 6, "num_attention_heads": 4}, (2, 1, 7, 9)),
]


def pictures(shape):
    return number(1000, int(np.prod(shape))).astype(np.float32).astype(np.float64).reshape(shape)


def direction(x):
    return x / np.sqrt((x**2).sum(-1, keepdims=True))


def results(config, shape):
    network, x = Network(config, weights(config)), pictures(shape)

    def embed(x):
        return direction(network.embed(prepared(x, config["image_size"])))

    embedding = embed(x)
    # How a weighted sum of the embedding changes along a direction of the pictures, by central differences.
    towards, weight = number(1002, x.size).reshape(shape), number(1003, embedding.size).reshape(embedding.shape)
    step = 1e-5
    slope = float((weight * (embed(x + step * towards) - embed(x - step * towards))).sum() / (2 * step))
    return prepared(x, config["image_size"]), embedding, slope


def compare_transformers():
    import torch
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    for change, shape in CASES:
        config = BASE | change
        theirs = CLIPVisionModelWithProjection(CLIPVisionConfig(**config)).double().eval()
        given = {name: torch.from_numpy(value) for name, value in weights(config).items()}
        print(theirs.load_state_dict(given, strict=False))
        pixels, embedding, _ = results(config, shape)
        with torch.no_grad():
            found = direction(theirs(pixel_values=torch.from_numpy(pixels)).image_embeds.numpy())
        print(f"{shape}: relative difference {np.abs(found - embedding).max() / np.abs(embedding).max():.1e}")


def compare_pillow():
    from PIL import Image

    for from_size, to_size in (((31, 20), (18, 12)), ((7, 9), (12, 15)), ((256, 256), (224, 224))):
        x = pictures(from_size)
        found = np.asarray(Image.fromarray(x.astype(np.float32)).resize(to_size[::-1], Image.BICUBIC))
        ours = resized(resized(x, to_size[1], 1), to_size[0], 0)
        print(f"{from_size} to {to_size}: largest difference {np.abs(found - ours).max():.1e}")


def main():
    if sys.argv[1:] == ["transformers"]:
        return compare_transformers()
    if sys.argv[1:] == ["pillow"]:
        return compare_pillow()
    cases = []
    for change, shape in CASES:
        config = BASE | change
        pixels, embedding, slope = results(config, shape)
        plain = {"prepared": pixels.ravel().round(6).tolist(), "embedding": embedding.ravel().round(8).tolist()}
        cases.append({"config": config, "shape": shape, "names": list(shapes(config)), "slope": slope} | plain)
    (HERE / "clip.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
