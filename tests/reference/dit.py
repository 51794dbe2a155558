#!/usr/bin/env python3
"""Reference numbers for the transformer, in float64, written from the description of the network alone.

    python3 tests/reference/dit.py            writes dit.json beside this file
    python3 tests/reference/dit.py FOLDER     checks itself on a folder that `foresight parity` reads

Weights are not stored: `number` gives the same ones here and in the test. Needs numpy.
"""

import json
import struct
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


def number(key, count):
    """`count` numbers in [-1, 1) for stream `key`: a 32-bit mixer, exact in any language."""
    with np.errstate(over="ignore"):
        z = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B9) + np.uint32(key) * np.uint32(0x85EBCA6B)
        z = (z ^ (z >> np.uint32(16))) * np.uint32(0x7FEB352D)
        z = (z ^ (z >> np.uint32(15))) * np.uint32(0x846CA68B)
        z = z ^ (z >> np.uint32(16))
    return (z >> np.uint32(8)).astype(np.float64) / 2.0**23 - 1.0


def silu(x):
    return x / (1 + np.exp(-x))


def gelu(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def softmax(x):
    x = np.exp(x - x.max(-1, keepdims=True))
    return x / x.sum(-1, keepdims=True)


def layer_norm(x):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-6)


def rms_norm(x, scale):
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * scale


class Network:
    def __init__(self, config, weights):
        self.config, self.weights = config, weights

    def linear(self, name, x):
        return x @ self.weights[name + ".weight"].T + self.weights[name + ".bias"]

    def time(self, name, t):
        phase = t[:, None] * np.exp(-np.log(10000) * np.arange(128) / 128)
        features = np.concatenate([np.cos(phase), np.sin(phase)], axis=1)
        return self.linear(name + ".mlp.2", silu(self.linear(name + ".mlp.0", features)))

    def patches(self, name, x):
        """The convolution, patch by patch."""
        p, w = self.config["patch_size"], self.weights[name + ".proj.weight"]
        side = self.config["input_size"] // p
        tokens = []
        for row in range(side):
            for column in range(side):
                patch = x[:, :, row * p : (row + 1) * p, column * p : (column + 1) * p]
                tokens.append(np.einsum("bcij,dcij->bd", patch, w))
        return np.stack(tokens, axis=1) + self.weights[name + ".proj.bias"]

    def heads(self, x):
        b, n, d = x.shape
        h = self.config["num_heads"]
        return x.reshape(b, n, h, d // h).transpose(0, 2, 1, 3)

    def attention(self, block, x, x_cond, gate_cond):
        joint = self.config["use_joint_attention"]
        name = block + (".joint_attn" if joint else ".attn")
        b, n, d = x.shape
        q, k, v = (self.heads(part) for part in np.split(self.linear(name + ".qkv", x), 3, axis=2))
        norm = self.config["qk_norm"]
        if norm:
            q = rms_norm(q, self.weights[name + ".q_norm.scale"])
            k = rms_norm(k, self.weights[name + ".k_norm.scale"])
        if joint:
            cond = self.patches(block + ".x_cond_embedder", x_cond) + self.weights[block + ".pos_embed"]
            k_cond, v_cond = (self.heads(part) for part in np.split(self.linear(name + ".kv_cond", cond), 2, axis=2))
            if norm:
                k_cond = rms_norm(k_cond, self.weights[name + ".k_cond_norm.scale"])
            v_cond = v_cond * self.heads(gate_cond)
            k, v = np.concatenate([k, k_cond], axis=2), np.concatenate([v, v_cond], axis=2)
        scores = softmax(q @ k.transpose(0, 1, 3, 2) / np.sqrt(q.shape[-1]))
        return self.linear(name + ".proj", (scores @ v).transpose(0, 2, 1, 3).reshape(b, n, d))

    def velocity(self, s, u, x, t_cond, x_cond, label, guidance):
        config = self.config
        if config["is_zero_data"]:
            s, u = 1 - s, 1 - u
        t = self.time("t_cond_embedder", t_cond)
        shift, scale = np.split(self.linear("x_cond_adaLN.1", silu(t)), 2, axis=1)
        if config["preserve_t_cond_0"]:
            shift, scale = shift * t_cond[:, None], scale * t_cond[:, None] - 1
        cond = self.patches("x_cond_embedder", x_cond)
        h = self.patches("x_embedder", x) + cond * (1 + scale[:, None]) + shift[:, None] + self.weights["pos_embed"]
        common = t + self.weights["y_embedder.embedding_table.weight"][label]
        first = self.time("s_embedder", s) + self.time("t_embedder", u) + common
        second = self.time("s_embedder_second", s) + self.time("t_embedder_second", u) + common
        table = self.weights.get("guidance_embedder.embedding_table.weight")
        if table is not None:
            scales = np.array([1.0] + list(config["model_guidance_class_ws"]))
            first = first + table[np.abs(guidance[:, None] - scales).argmin(axis=1)]
        for i in range(config["depth"]):
            block = f"blocks.{i}"
            c = first if i < config["encoder_depth"] else second
            count = 7 if config["use_joint_attention"] else 6
            m = np.split(self.linear(block + ".adaLN_modulation.1", silu(c))[:, None], count, axis=2)
            inner = layer_norm(h) * (1 + m[1]) + m[0]
            h = h + m[2] * self.attention(block, inner, x_cond, m[-1])
            inner = layer_norm(h) * (1 + m[4]) + m[3]
            h = h + m[5] * self.linear(block + ".mlp.fc2", gelu(self.linear(block + ".mlp.fc1", inner)))
        m = np.split(self.linear("final_layer.adaLN_modulation.1", silu(second))[:, None], 2, axis=2)
        out = self.linear("final_layer.linear", layer_norm(h) * (1 + m[1]) + m[0])
        p, side = config["patch_size"], config["input_size"] // config["patch_size"]
        channels = config["in_channels"] * (2 if config["learn_sigma"] else 1)
        image = np.zeros((len(x), channels, side * p, side * p))
        for token in range(side * side):
            row, column = divmod(token, side)
            for i in range(p):
                for j in range(p):
                    start = (i * p + j) * channels
                    image[:, :, row * p + i, column * p + j] = out[:, token, start : start + channels]
        image = image[:, : config["in_channels"]]
        return -image if config["is_zero_data"] else image


def shapes(config):
    """Names and shapes of the weights, in the order of their names."""
    d, p, c = config["hidden_size"], config["patch_size"], config["in_channels"]
    tokens = (config["input_size"] // p) ** 2
    found = {}

    def linear(name, inputs, outputs):
        found[name + ".weight"], found[name + ".bias"] = [outputs, inputs], [outputs]

    def patches(name):
        found[name + ".proj.weight"], found[name + ".proj.bias"] = [d, c, p, p], [d]

    for name in ["x_embedder", "x_cond_embedder"]:
        patches(name)
    for name in ["s_embedder", "t_embedder", "t_cond_embedder", "s_embedder_second", "t_embedder_second"]:
        linear(name + ".mlp.0", 256, d)
        linear(name + ".mlp.2", d, d)
    linear("x_cond_adaLN.1", d, 2 * d)
    linear("final_layer.adaLN_modulation.1", d, 2 * d)
    linear("final_layer.linear", d, p * p * c * (2 if config["learn_sigma"] else 1))
    found["y_embedder.embedding_table.weight"] = [config["label_dim"] + 1, d]
    if config["guidance_table"]:
        found["guidance_embedder.embedding_table.weight"] = [1 + len(config["model_guidance_class_ws"]), d]
    found["pos_embed"] = [1, tokens, d]
    for i in range(config["depth"]):
        block = f"blocks.{i}"
        joint = config["use_joint_attention"]
        attention = block + (".joint_attn" if joint else ".attn")
        norms = ["q_norm", "k_norm"]
        if joint:
            patches(block + ".x_cond_embedder")
            found[block + ".pos_embed"] = [1, tokens, d]
            linear(attention + ".kv_cond", d, 2 * d)
            norms.append("k_cond_norm")
        if config["qk_norm"]:
            for norm in norms:
                found[f"{attention}.{norm}.scale"] = [d // config["num_heads"]]
        linear(attention + ".qkv", d, 3 * d)
        linear(attention + ".proj", d, d)
        linear(block + ".mlp.fc1", d, 4 * d)
        linear(block + ".mlp.fc2", 4 * d, d)
        linear(block + ".adaLN_modulation.1", d, (7 if joint else 6) * d)
    return dict(sorted(found.items()))


def weights(config):
    """Stream k for the k-th name; scaled so that every path matters."""
    found = {}
    for k, (name, shape) in enumerate(shapes(config).items()):
        matrix = len(shape) > 1 and "embed" not in name
        scale = 1.5 / np.sqrt(np.prod(shape[1:])) if matrix else 0.5
        found[name] = (number(k, int(np.prod(shape))) * scale).astype(np.float32).astype(np.float64).reshape(shape)
    return found


BASE = {
    "input_size": 6, "patch_size": 2, "in_channels": 3, "hidden_size": 16, "depth": 3, "num_heads": 2, "label_dim": 4,
    "encoder_depth": 2, "model_guidance_class_ws": [1.5, 2.5], "model_guidance_x_cond_ws": [],
    "use_joint_attention": False, "preserve_t_cond_0": False, "is_zero_data": True, "learn_sigma": False,
    "qk_norm": False, "guidance_table": True,
}  # fmt: skip
CASES = [
    {},
    {"preserve_t_cond_0": True, "is_zero_data": False, "guidance_table": False, "qk_norm": True},
    {"use_joint_attention": True, "learn_sigma": True, "patch_size": 3},
    {"use_joint_attention": True, "qk_norm": True, "is_zero_data": False, "in_channels": 1, "encoder_depth": 0},
]


def inputs(config, items=3):
    shape = (items, config["in_channels"], config["input_size"], config["input_size"])
    count = int(np.prod(shape))
    return {
        "s": np.array([0.0, 0.25, 0.75]), "u": np.array([1.0, 0.625, 0.75]), "t_cond": np.array([0.5, 0.0, 0.875]),
        "label": np.array([0, 3, config["label_dim"]]), "guidance": np.array([1.0, 2.25, 1.625]),
        "x": 2 * number(1000, count).reshape(shape), "x_cond": 2 * number(1001, count).reshape(shape),
    }  # fmt: skip


def read(path):
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    kinds = {"F32": np.float32, "I64": np.int64}
    found = {}
    for name, entry in json.loads(raw[8 : 8 + length]).items():
        if name != "__metadata__":
            start, end = (8 + length + at for at in entry["data_offsets"])
            values = np.frombuffer(raw[start:end], kinds[entry["dtype"]]).reshape(entry["shape"])
            found[name.split("dit.")[-1]] = values if entry["dtype"] == "I64" else values.astype(np.float64)
    return found


def check(folder):
    network = Network(json.loads((folder / "config.json").read_text()), read(folder / "checkpoint.safetensors"))
    io = read(folder / "io.safetensors")
    ours = network.velocity(io["s"], io["u"], io["x"], io["t_cond"], io["x_cond"], io["label"], io["cfg_scale"])
    print(f"velocity: relative error {np.abs(ours - io['velocity']).max() / np.abs(io['velocity']).max():.1e}")


def main():
    if len(sys.argv) > 1:
        return check(Path(sys.argv[1]))
    cases = []
    for change in CASES:
        config = BASE | change
        given = inputs(config)
        velocity = Network(config, weights(config)).velocity(*[
            given[name] for name in ["s", "u", "x", "t_cond", "x_cond", "label", "guidance"]
        ])  # fmt: skip
        cases.append({"config": config, "names": list(shapes(config)), "velocity": velocity.ravel().round(7).tolist()})
    (HERE / "dit.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
