#!/usr/bin/env python3
"""The transformer in plain eager PyTorch, timed at the work of `foresight bench model`: run both on one machine.

    python3 tests/reference/bench_model.py --config xl2.yaml [--batches 1,4,16] [--draws 4] [--precisions f32,f16]
    python3 tests/reference/bench_model.py --check FOLDER    compares the velocity with a folder of `foresight parity`
    python3 tests/reference/bench_model.py --check           compares it with dit.json beside this file

Random weights, attention by torch's own kernel, no compilation. Halves are torch's autocast, which like ours leaves
norms, softmax and what the residual path carries in f32. A steering step is that of MFM-G: the velocity, N draws a
state of one jump, and the gradient of their log-mean-exp reward by the state. Needs torch and numpy.
"""

import argparse
import json
import time
from pathlib import Path

import dit
import numpy as np
import torch
from torch.nn import functional as F

STEPS, LONG_ENOUGH = 200, 4.0
TYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


class Network(torch.nn.Module):
    def __init__(self, config, weights):
        super().__init__()
        self.config = config
        for name, value in weights.items():
            value = value.clone().detach() if torch.is_tensor(value) else torch.tensor(np.asarray(value), dtype=torch.float32)
            self.register_buffer(name.replace(".", "__"), value)
        scales = [1.0] + list(config.get("model_guidance_class_ws", []))
        self.register_buffer("scales", torch.tensor(scales))
        self.register_buffer("waves", torch.exp(-np.log(10000) * torch.arange(128) / 128))

    def get(self, name):
        return getattr(self, name.replace(".", "__"), None)

    def linear(self, name, x):
        return F.linear(x, self.get(name + ".weight"), self.get(name + ".bias"))

    def time(self, name, t):
        phase = t[:, None] * self.waves
        features = torch.cat([phase.cos(), phase.sin()], 1)
        return self.linear(name + ".mlp.2", F.silu(self.linear(name + ".mlp.0", features)))

    def patches(self, name, x):
        weight, bias = self.get(name + ".proj.weight"), self.get(name + ".proj.bias")
        return F.conv2d(x, weight, bias, stride=self.config["patch_size"]).flatten(2).transpose(1, 2)

    def heads(self, x):
        b, n, d = x.shape
        return x.reshape(b, n, self.config["num_heads"], -1).transpose(1, 2)

    def rms(self, x, name):
        scale = self.get(name)
        return x if scale is None else x * torch.rsqrt(x.float().square().mean(-1, keepdim=True) + 1e-6) * scale

    def attention(self, block, x, x_cond, gate_cond):
        joint = self.config.get("use_joint_attention", False)
        name = block + (".joint_attn" if joint else ".attn")
        q, k, v = (self.heads(part) for part in self.linear(name + ".qkv", x).chunk(3, 2))
        q, k = self.rms(q, name + ".q_norm.scale"), self.rms(k, name + ".k_norm.scale")
        if joint:
            cond = self.patches(block + ".x_cond_embedder", x_cond) + self.get(block + ".pos_embed")
            k_cond, v_cond = (self.heads(part) for part in self.linear(name + ".kv_cond", cond).chunk(2, 2))
            k = torch.cat([k, self.rms(k_cond, name + ".k_cond_norm.scale")], 2)
            v = torch.cat([v, v_cond * self.heads(gate_cond)], 2)
        q, k = q.to(v.dtype), k.to(v.dtype)
        out = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return self.linear(name + ".proj", out)

    def forward(self, s, u, x, t_cond, x_cond, label, guidance):
        config, width = self.config, (self.config["hidden_size"],)
        flipped = config.get("is_zero_data", True)
        if flipped:
            s, u = 1 - s, 1 - u
        t = self.time("t_cond_embedder", t_cond)
        shift, scale = self.linear("x_cond_adaLN.1", F.silu(t)).chunk(2, 1)
        if config.get("preserve_t_cond_0", False):
            shift, scale = shift * t_cond[:, None], scale * t_cond[:, None] - 1
        h = self.patches("x_embedder", x) + self.get("pos_embed")
        h = h + self.patches("x_cond_embedder", x_cond) * (1 + scale[:, None]) + shift[:, None]
        common = t + self.get("y_embedder.embedding_table.weight")[label]
        first = self.time("s_embedder", s) + self.time("t_embedder", u) + common
        second = self.time("s_embedder_second", s) + self.time("t_embedder_second", u) + common
        table = self.get("guidance_embedder.embedding_table.weight")
        if table is not None:
            first = first + table[(guidance[:, None] - self.scales).abs().argmin(1)]
        first, second = F.silu(first), F.silu(second)
        for i in range(config["depth"]):
            block = f"blocks.{i}"
            c = first if i < config["encoder_depth"] else second
            m = self.linear(block + ".adaLN_modulation.1", c)[:, None].chunk(7 if config.get("use_joint_attention") else 6, 2)
            inner = F.layer_norm(h, width, eps=1e-6) * (1 + m[1]) + m[0]
            h = h + m[2] * self.attention(block, inner, x_cond, m[-1])
            inner = F.layer_norm(h, width, eps=1e-6) * (1 + m[4]) + m[3]
            inner = F.gelu(self.linear(block + ".mlp.fc1", inner), approximate="tanh")
            h = h + m[5] * self.linear(block + ".mlp.fc2", inner)
        shift, scale = self.linear("final_layer.adaLN_modulation.1", second)[:, None].chunk(2, 2)
        out = self.linear("final_layer.linear", F.layer_norm(h, width, eps=1e-6) * (1 + scale) + shift)
        p, side = config["patch_size"], config["input_size"] // config["patch_size"]
        image = out.reshape(len(x), side, side, p, p, -1).permute(0, 5, 1, 3, 2, 4).reshape(len(x), -1, side * p, side * p)
        image = image[:, : config["in_channels"]].float()
        return -image if flipped else image


def read_config(path):
    """JSON, or the plain part of YAML that the reference's model files are written in."""
    text = path.read_text()
    if path.suffix == ".json":
        config = json.loads(text)
    else:
        lines = [line.split("#")[0] for line in text.splitlines()]
        pairs = [line.split(":", 1) for line in lines if ":" in line and line.split(":", 1)[1].strip()]
        plain = lambda v: json.loads(v) if v[0] in "[-0123456789" or v in ("true", "false", "null") else v
        config = {key.strip(): plain(value.strip()) for key, value in pairs}
    defaults = {"use_joint_attention": False, "qk_norm": False, "learn_sigma": False, "model_guidance_class_ws": []}
    config = defaults | config
    return config | {"guidance_table": config.get("guidance_table") is not False}


def check(folder):
    if folder:
        folder = Path(folder)
        network = Network(read_config(folder / "config.json"), dit.read(folder / "checkpoint.safetensors"))
        io = {name: torch.tensor(v, dtype=None if v.dtype == np.int64 else torch.float32) for name, v in dit.read(folder / "io.safetensors").items()}
        names = ["s", "u", "x", "t_cond", "x_cond", "label", "cfg_scale"]
        return compare(network(*[io[name] for name in names]), io["velocity"])
    for case in json.loads((Path(__file__).parent / "dit.json").read_text()):
        config = case["config"]
        given = {k: torch.tensor(v, dtype=None if v.dtype == np.int64 else torch.float32) for k, v in dit.inputs(config).items()}
        names = ["s", "u", "x", "t_cond", "x_cond", "label", "guidance"]
        ours = Network(config, dit.weights(config))(*[given[name] for name in names])
        compare(ours, torch.tensor(case["velocity"]).reshape(ours.shape))


def compare(ours, theirs):
    error = ((ours - theirs).abs().max() / theirs.abs().max()).item()
    print(f"velocity: relative error {error:.1e}")
    assert error < 1e-4, "the numbers differ"


def rate(work, device):
    """Calls a second, after one that is not counted."""
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    work()
    wait()
    begun, calls = time.perf_counter(), 0
    while calls < STEPS and time.perf_counter() - begun < LONG_ENOUGH:
        work()
        wait()
        calls += 1
    return calls / (time.perf_counter() - begun)


def steering_step(network, x_t, t, label, guidance, draws):
    """The velocity, and the gradient of the draws' value: one step of MFM-G as an ODE."""
    zeros, blank = torch.zeros_like(t), torch.zeros_like(x_t)
    with torch.no_grad():
        velocity = network(t, t, x_t, zeros, blank, label, guidance)
    state = x_t.detach().requires_grad_()
    each = lambda v: v.repeat_interleave(draws, 0)
    eps = torch.randn_like(each(x_t))
    start = torch.zeros(len(eps), device=eps.device)
    made = eps + network(start, start + 1, eps, each(t), each(state), each(label), each(guidance))
    reward = made.flatten(1).mean(1).reshape(-1, draws)
    (gradient,) = torch.autograd.grad(torch.logsumexp(reward, 1).sum(), state)
    return velocity + gradient * ((1 - t) / t).reshape(-1, 1, 1, 1)


def bench(options):
    device = torch.device(options.device)
    config = read_config(Path(options.config))
    torch.manual_seed(1)
    weights = {name: torch.randn(shape) * 0.02 for name, shape in dit.shapes(config).items()}
    network = Network(config, weights).to(device)
    hardware = torch.cuda.get_device_name(device) if device.type == "cuda" else f"processor, {torch.get_num_threads()} threads"
    print(f"PyTorch {torch.__version__}, {hardware}\n{'type':<5} {'batch':>5} {'draws / s':>10} {'step ms':>10} {'peak MiB':>9}")
    for precision in options.precisions.split(","):
        kind = TYPES[precision]
        for batch in map(int, options.batches.split(",")):
            if device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(device)
            shape = (batch, config["in_channels"], config["input_size"], config["input_size"])
            x_t, t = torch.rand(shape, device=device), torch.full((batch,), 0.5, device=device)
            label = torch.arange(batch, device=device) % config["label_dim"]
            guidance, start = torch.ones_like(t), torch.zeros_like(t)
            with torch.autocast(device.type, dtype=kind, enabled=kind != torch.float32):
                with torch.no_grad():
                    draws = batch * rate(lambda: x_t + network(start, start + 1, x_t, t, x_t, label, guidance), device)
                steps = rate(lambda: steering_step(network, x_t, t, label, guidance, options.draws), device)
            peak = f"{torch.cuda.max_memory_allocated(device) / 2**20:.0f}" if device.type == "cuda" else "unknown"
            print(f"{precision:<5} {batch:>5} {draws:>10.2f} {1e3 / steps:>10.1f} {peak:>9}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", nargs="?", const="", metavar="FOLDER")
    parser.add_argument("--config", metavar="FILE")
    parser.add_argument("--batches", default="1,4,16")
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--precisions", default="f32")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    if options.check is not None:
        return check(options.check)
    if not options.config:
        parser.error("give --config FILE, or --check")
    bench(options)


if __name__ == "__main__":
    main()
