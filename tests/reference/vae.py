#!/usr/bin/env python3
"""Reference numbers for the autoencoder, in float64, written layer by layer with numpy.

    python3 tests/reference/vae.py            writes vae.json beside this file
    python3 tests/reference/vae.py diffusers  compares itself with diffusers' AutoencoderKL (needs torch, diffusers)

The network is AutoencoderKL of the diffusers library. Weights are not stored: `number` gives the same ones here and in
the test. Needs numpy.
"""

import json
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


def conv(x, weight, bias, stride=1, pad=(1, 1, 1, 1)):
    """Rows above, below, columns left, right are added as zeros; then the sum over the kernel's places."""
    x = np.pad(x, ((0, 0), (0, 0), pad[:2], pad[2:]))
    size = weight.shape[2]
    rows = (x.shape[2] - size) // stride + 1
    columns = (x.shape[3] - size) // stride + 1
    out = np.zeros((x.shape[0], weight.shape[0], rows, columns))
    for i in range(size):
        for j in range(size):
            seen = x[:, :, i : i + stride * rows : stride, j : j + stride * columns : stride]
            out += np.einsum("bchw,oc->bohw", seen, weight[:, :, i, j])
    return out + bias[:, None, None]


class Network:
    def __init__(self, config, weights):
        self.config, self.weights = config, weights

    def conv(self, name, x, **how):
        weight = self.weights[name + ".weight"]
        if weight.shape[2] == 1:
            how["pad"] = (0, 0, 0, 0)
        return conv(x, weight, self.weights[name + ".bias"], **how)

    def norm(self, name, x):
        b, c, h, w = x.shape
        groups = x.reshape(b, self.config["norm_num_groups"], -1)
        centred = groups - groups.mean(-1, keepdims=True)
        groups = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-6)
        x = groups.reshape(b, c, h, w)
        return x * self.weights[name + ".weight"][:, None, None] + self.weights[name + ".bias"][:, None, None]

    def residual(self, name, x):
        h = self.conv(name + ".conv1", silu(self.norm(name + ".norm1", x)))
        h = self.conv(name + ".conv2", silu(self.norm(name + ".norm2", h)))
        shortcut = name + ".conv_shortcut"
        return h + (self.conv(shortcut, x) if shortcut + ".weight" in self.weights else x)

    def attention(self, name, x):
        b, c, h, w = x.shape
        places = self.norm(name + ".group_norm", x).reshape(b, c, h * w).transpose(0, 2, 1)

        def linear(layer, v):
            return v @ self.weights[f"{name}.{layer}.weight"].T + self.weights[f"{name}.{layer}.bias"]

        q, k, v = (linear(layer, places) for layer in ("to_q", "to_k", "to_v"))
        scores = q @ k.transpose(0, 2, 1) / np.sqrt(c)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = linear("to_out.0", scores / scores.sum(-1, keepdims=True) @ v)
        return x + mixed.transpose(0, 2, 1).reshape(b, c, h, w)

    def middle(self, name, x):
        x = self.residual(name + ".resnets.0", x)
        x = self.attention(name + ".attentions.0", x)
        return self.residual(name + ".resnets.1", x)

    def encode(self, x):
        """Means and logarithms of variances, before the scale."""
        h = self.conv("encoder.conv_in", x)
        stages = len(self.config["block_out_channels"])
        for i in range(stages):
            block = f"encoder.down_blocks.{i}"
            for layer in range(self.config["layers_per_block"]):
                h = self.residual(f"{block}.resnets.{layer}", h)
            if i + 1 < stages:
                h = self.conv(block + ".downsamplers.0.conv", h, stride=2, pad=(0, 1, 0, 1))
        h = self.middle("encoder.mid_block", h)
        h = self.conv("encoder.conv_out", silu(self.norm("encoder.conv_norm_out", h)))
        return self.conv("quant_conv", h)

    def decode(self, z):
        """Of latents before the scale."""
        h = self.conv("decoder.conv_in", self.conv("post_quant_conv", z))
        h = self.middle("decoder.mid_block", h)
        stages = len(self.config["block_out_channels"])
        for i in range(stages):
            block = f"decoder.up_blocks.{i}"
            for layer in range(self.config["layers_per_block"] + 1):
                h = self.residual(f"{block}.resnets.{layer}", h)
            if i + 1 < stages:
                h = self.conv(block + ".upsamplers.0.conv", h.repeat(2, axis=2).repeat(2, axis=3))
        return self.conv("decoder.conv_out", silu(self.norm("decoder.conv_norm_out", h)))


def shapes(config):
    found = {}

    def conv(name, inputs, outputs, size=3):
        found[name + ".weight"], found[name + ".bias"] = [outputs, inputs, size, size], [outputs]

    def norm(name, width):
        found[name + ".weight"], found[name + ".bias"] = [width], [width]

    def residual(name, inputs, outputs):
        norm(name + ".norm1", inputs)
        conv(name + ".conv1", inputs, outputs)
        norm(name + ".norm2", outputs)
        conv(name + ".conv2", outputs, outputs)
        if inputs != outputs:
            conv(name + ".conv_shortcut", inputs, outputs, 1)

    def middle(name, width):
        for i in range(2):
            residual(f"{name}.resnets.{i}", width, width)
        norm(name + ".attentions.0.group_norm", width)
        for layer in ("to_q", "to_k", "to_v", "to_out.0"):
            layer = f"{name}.attentions.0.{layer}"
            found[layer + ".weight"], found[layer + ".bias"] = [width, width], [width]

    widths, latent, layers = config["block_out_channels"], config["latent_channels"], config["layers_per_block"]
    conv("encoder.conv_in", config["in_channels"], widths[0])
    conv("decoder.conv_in", latent, widths[-1])
    for half, kind, order, count in (
        ("encoder", "down", widths, layers),
        ("decoder", "up", widths[::-1], layers + 1),
    ):
        width = order[0]
        for i, to in enumerate(order):
            for layer in range(count):
                residual(f"{half}.{kind}_blocks.{i}.resnets.{layer}", width, to)
                width = to
            if i + 1 < len(order):
                conv(f"{half}.{kind}_blocks.{i}.{kind}samplers.0.conv", to, to)
        middle(half + ".mid_block", widths[-1])
    norm("encoder.conv_norm_out", widths[-1])
    conv("encoder.conv_out", widths[-1], 2 * latent)
    norm("decoder.conv_norm_out", widths[0])
    conv("decoder.conv_out", widths[0], config["out_channels"])
    conv("quant_conv", 2 * latent, 2 * latent, 1)
    conv("post_quant_conv", latent, latent, 1)
    return dict(sorted(found.items()))


def weights(config):
    """Stream k for the k-th name; scaled so that every path matters."""
    found = {}
    for k, (name, shape) in enumerate(shapes(config).items()):
        values = number(k, int(np.prod(shape)))
        if len(shape) > 1:
            values = values * (1.7 / np.sqrt(np.prod(shape[1:])))
        elif "norm" in name and name.endswith("weight"):
            values = 1 + 0.5 * values
        else:
            values = 0.3 * values
        found[name] = values.astype(np.float32).astype(np.float64).reshape(shape)
    return found


BASE = {
    "in_channels": 3, "out_channels": 3, "block_out_channels": [8, 16, 24], "layers_per_block": 2,
    "latent_channels": 4, "norm_num_groups": 4, "scaling_factor": 0.18215,
}  # fmt: skip
CASES = [
    {},
    {"block_out_channels": [12, 6], "layers_per_block": 1, "latent_channels": 2, "norm_num_groups": 3,
     "in_channels": 1, "out_channels": 2, "scaling_factor": 0.5},
]  # fmt: skip
SIDE = 16


def inputs(config):
    side = SIDE >> (len(config["block_out_channels"]) - 1)
    x_shape, z_shape = (2, config["in_channels"], SIDE, SIDE), (2, config["latent_channels"], side, side)
    x = number(1000, int(np.prod(x_shape))).astype(np.float32).astype(np.float64).reshape(x_shape)
    # The models' latents have about unit size.
    z = (1.5 * number(1001, int(np.prod(z_shape)))).astype(np.float32).astype(np.float64).reshape(z_shape)
    return x, z


def results(config):
    network, scale = Network(config, weights(config)), config["scaling_factor"]
    x, z = inputs(config)
    moments = network.encode(x)
    latent = config["latent_channels"]
    mean = moments[:, :latent] * scale
    deviation = np.exp(0.5 * np.clip(moments[:, latent:], -30, 20)) * scale
    picture = network.decode(z / scale)
    # How a weighted sum of the picture changes along a direction of the latent, by central differences.
    towards, weight = number(1002, z.size).reshape(z.shape), number(1003, picture.size).reshape(picture.shape)
    step = 1e-5
    ahead, behind = (network.decode((z + side * step * towards) / scale) for side in (1, -1))
    slope = float((weight * (ahead - behind)).sum() / (2 * step))
    return mean, deviation, picture, slope


def compare():
    import torch
    from diffusers import AutoencoderKL

    for change in CASES:
        config = BASE | change
        stages = len(config["block_out_channels"])
        sizes = {key: value for key, value in config.items() if key != "block_out_channels"}
        theirs = AutoencoderKL(
            block_out_channels=tuple(config["block_out_channels"]),
            down_block_types=("DownEncoderBlock2D",) * stages, up_block_types=("UpDecoderBlock2D",) * stages, **sizes,
        ).double().eval()  # fmt: skip
        theirs.load_state_dict({name: torch.from_numpy(value) for name, value in weights(config).items()})
        x, z = (torch.from_numpy(value) for value in inputs(config))
        scale = config["scaling_factor"]
        with torch.no_grad():
            posterior = theirs.encode(x).latent_dist
            found = [posterior.mean * scale, posterior.std * scale, theirs.decode(z / scale).sample]
        for name, ours, theirs_ in zip(("mean", "deviation", "picture"), results(config), found):
            error = np.abs(ours - theirs_.numpy()).max() / np.abs(ours).max()
            print(f"{config['block_out_channels']} {name}: relative difference {error:.1e}")


def main():
    if sys.argv[1:] == ["diffusers"]:
        return compare()
    cases = []
    for change in CASES:
        config = BASE | change
        mean, deviation, picture, slope = results(config)
        plain = {name: list(value.ravel().round(7)) for name, value in
                 (("mean", mean), ("deviation", deviation), ("picture", picture))}  # fmt: skip
        cases.append({"config": config, "names": list(shapes(config)), "slope": slope} | plain)
    (HERE / "vae.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
