#!/usr/bin/env python3
"""The autoencoder, in tiles too, and the small decoder as diffusers computes them, at small random weights.

    python3 tests/reference/vae_libraries.py    writes vae_libraries.json beside this file

The networks are AutoencoderKL and AutoencoderTiny, in float64. Weights are not stored: they are those of `vae.py`, and
stream k of `vae.number` for the k-th name of the small decoder. Needs torch, diffusers, numpy.
"""

import json
from pathlib import Path

import diffusers
import numpy as np
import torch
from vae import BASE, CASES, inputs, number, weights

HERE = Path(__file__).parent
TILE = 4
# Rows and columns of the latents that are cut into tiles, neither a multiple of what is kept of one.
GRID = (7, 8)
TINY = {"block_out_channels": (6, 6, 6), "num_blocks": (2, 1, 1), "latent_channels": 4, "out_channels": 3}


def full(config):
    stages = len(config["block_out_channels"])
    sizes = {key: value for key, value in config.items() if key != "block_out_channels"}
    model = diffusers.AutoencoderKL(
        block_out_channels=tuple(config["block_out_channels"]), sample_size=TILE << (stages - 1),
        down_block_types=("DownEncoderBlock2D",) * stages, up_block_types=("UpDecoderBlock2D",) * stages, **sizes,
    ).double().eval()  # fmt: skip
    model.load_state_dict({name: torch.from_numpy(value) for name, value in weights(config).items()})
    return model


def plain(tensor):
    return tensor.numpy().ravel().round(6).tolist()


def small():
    model = diffusers.AutoencoderTiny(
        latent_channels=4, decoder_block_out_channels=TINY["block_out_channels"], num_decoder_blocks=TINY["num_blocks"],
        encoder_block_out_channels=(6,), num_encoder_blocks=(1,),
    ).double().eval()  # fmt: skip
    state = {name: value for name, value in model.state_dict().items() if name.startswith("decoder.")}
    shapes = {name: list(value.shape) for name, value in sorted(state.items())}
    for k, (name, shape) in enumerate(shapes.items()):
        values = number(k, int(np.prod(shape)))
        values = values * (1.7 / np.sqrt(np.prod(shape[1:]))) if len(shape) > 1 else 0.3 * values
        state[name] = torch.from_numpy(values.astype(np.float32).astype(np.float64).reshape(shape))
    model.load_state_dict(state, strict=False)
    z = torch.from_numpy((4 * number(1001, 2 * 4 * 15)).astype(np.float32).astype(np.float64).reshape(2, 4, 3, 5))
    with torch.no_grad():
        return {"shapes": shapes, "picture": plain(model.decode(z).sample)}


def main():
    cases = []
    for change in CASES:
        config = BASE | change
        model, scale = full(config), config["scaling_factor"]
        x, z = (torch.from_numpy(value) for value in inputs(config))
        with torch.no_grad():
            posterior = model.encode(x).latent_dist
            found = {"mean": posterior.mean * scale, "deviation": posterior.std * scale,
                     "picture": model.decode(z / scale).sample}  # fmt: skip
        cases.append({name: plain(value[:1]) for name, value in found.items()})
    config = BASE
    model, scale, factor = full(config), config["scaling_factor"], 4
    model.enable_tiling()
    z = (1.5 * number(1005, 4 * GRID[0] * GRID[1])).astype(np.float32).astype(np.float64).reshape(1, 4, *GRID)
    shape = (1, 3, factor * GRID[0], factor * GRID[1])
    x = number(1006, int(np.prod(shape))).astype(np.float32).astype(np.float64).reshape(shape)
    with torch.no_grad():
        posterior = model.encode(torch.from_numpy(x)).latent_dist
        tiled = {"mean": plain(posterior.mean * scale), "deviation": plain(posterior.std * scale),
                 "picture": plain(model.decode(torch.from_numpy(z) / scale).sample)}  # fmt: skip
    versions = {"torch": torch.__version__, "diffusers": diffusers.__version__}
    found = {"versions": versions, "cases": cases, "tile": TILE, "grid": GRID, "tiled": tiled, "small": small()}
    (HERE / "vae_libraries.json").write_text(json.dumps(found, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
