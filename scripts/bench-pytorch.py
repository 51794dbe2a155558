#!/usr/bin/env python3
"""Times the 2D network of Foresight in PyTorch on this machine, for the ratio in the README.

Needs `pip install torch numpy`. Prints the median of 4,096 one-step draws (the network and the
Fourier features under one (t, x_t), as `foresight bench posterior` does, without the base noise).
"""

import statistics
import sys
import time

import torch

DRAWS = int(sys.argv[1]) if len(sys.argv) > 1 else 4096
HIDDEN, LAYERS, FREQUENCIES = 256, 4, 16


class Mlp(torch.nn.Module):
    def __init__(self):
        super().__init__()
        sizes = [7 + 6 * FREQUENCIES] + [HIDDEN] * LAYERS + [2]
        self.layers = torch.nn.ModuleList(
            torch.nn.Linear(a, b) for a, b in zip(sizes, sizes[1:])
        )
        self.register_buffer("f", torch.logspace(-0.1, 1.55, FREQUENCIES))

    def forward(self, s, u, t, x, x_t):
        parts = [x / 2, x_t / 2, s, u, t]
        for time_ in (s, u, t):
            parts += [torch.sin(time_ * self.f), torch.cos(time_ * self.f)]
        h = torch.cat(parts, 1)
        for layer in self.layers[:-1]:
            h = torch.nn.functional.silu(layer(h))
        return self.layers[-1](h)


def main():
    model = Mlp().eval()
    eps = torch.randn(DRAWS, 2)
    column = torch.full((DRAWS, 1), 0.3)
    x_t = torch.tensor([[-0.6, -0.8]]).expand(DRAWS, 2)
    zero, one = torch.zeros(DRAWS, 1), torch.ones(DRAWS, 1)
    times = []
    with torch.inference_mode():
        for _ in range(120):
            begun = time.perf_counter()
            eps + model(zero, one, column, eps, x_t)
            times.append(1e3 * (time.perf_counter() - begun))
    times = sorted(times[20:])
    print(
        f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads, {DRAWS} draws: "
        f"median {statistics.median(times):.2f} ms, p99 {times[98]:.2f} ms"
    )


if __name__ == "__main__":
    main()
