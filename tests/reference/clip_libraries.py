#!/usr/bin/env python3
"""CLIP's towers of pictures and texts as the published libraries compute them, at small random weights.

    python3 tests/reference/clip_libraries.py    writes clip_libraries.json beside this file

The networks are CLIPModel of transformers and CLIP of open_clip, in float64. Weights are not stored: stream k of
`clip.number` belongs to the k-th name. Pictures are prepared as in `clip.py`, which agrees with Pillow; how open_clip
itself makes byte pictures square is stored beside. Needs torch, transformers, open_clip_torch, numpy.
"""

import json
from pathlib import Path

import numpy as np
import open_clip
import torch
import transformers
from clip import direction, number, pictures, prepared

HERE = Path(__file__).parent
SHAPE = (2, 3, 31, 20)
# Pieces of two texts: what comes after the greatest one, 62, and after the first 57 must not count.
TEXTS = [[58, 3, 17, 8, 62, 5, 57, 62, 9], [58, 1, 57, 57, 62, 2]]
VISION = {"image_size": 12, "patch_size": 4, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3,
          "num_attention_heads": 2, "projection_dim": 10}  # fmt: skip
TEXT = {"vocab_size": 64, "max_position_embeddings": 11, "hidden_size": 12, "intermediate_size": 20,
        "num_hidden_layers": 2, "num_attention_heads": 3, "projection_dim": 10}  # fmt: skip


def weights(state):
    found = {}
    for k, (name, shape) in enumerate(sorted((name, list(value.shape)) for name, value in state.items())):
        values = number(k, int(np.prod(shape)))
        if ("norm" in name or "ln_" in name) and name.endswith("weight"):
            values = 1 + 0.5 * values
        elif len(shape) > 1 and "position" not in name and "token_embedding" not in name:
            values = values * (1.7 / np.sqrt(np.prod(shape[1:])))
        else:
            values = 0.3 * values
        found[name] = torch.from_numpy(values.astype(np.float32).astype(np.float64).reshape(shape))
    return found


def filled(model):
    model = model.double().eval()
    state = model.state_dict()
    model.load_state_dict(weights(state), strict=True)
    return model, {name: list(value.shape) for name, value in sorted(state.items())}


def case(config, shapes, image, texts):
    found = {"image": direction(image.numpy()), "texts": np.concatenate([direction(text.numpy()) for text in texts])}
    plain = {name: values.ravel().round(8).tolist() for name, values in found.items()}
    return config | {"shapes": shapes} | plain


def hugging_face(act, eos):
    config = transformers.CLIPConfig(
        vision_config=VISION | {"hidden_act": act},
        text_config=TEXT | {"hidden_act": act, "eos_token_id": eos},
        projection_dim=10,
    )
    model, shapes = filled(transformers.CLIPModel(config))
    with torch.no_grad():
        pixels = torch.from_numpy(prepared(pictures(SHAPE), 12))
        image = model.visual_projection(model.vision_model(pixel_values=pixels).pooler_output)
        texts = [model.text_projection(model.text_model(torch.tensor([ids])).pooler_output) for ids in TEXTS]
    beside = {"vision_config": VISION | {"hidden_act": act}, "projection_dim": 10}
    beside["text_config"] = TEXT | {"hidden_act": act, "eos_token_id": eos}
    return case({"file": "config.json", "config": beside, "size": 12}, shapes, image, texts)


def of_open_clip(quick, wide):
    width = 64 if wide else 16
    vision = {"image_size": 12, "patch_size": 4, "width": width, "layers": 2, "mlp_ratio": 1.5}
    text = {"context_length": 11, "vocab_size": 64, "width": width, "heads": 1 if wide else 2, "layers": 2}
    if not wide:
        vision["head_width"] = 8
    fields = {"embed_dim": 10, "quick_gelu": quick, "vision_cfg": vision, "text_cfg": text}
    model, shapes = filled(open_clip.model.CLIP(**fields))
    with torch.no_grad():
        image = model.encode_image(torch.from_numpy(prepared(pictures(SHAPE), 12)))
        padded = [torch.tensor([ids + [0] * (11 - len(ids))]) for ids in TEXTS]
        texts = [model.encode_text(ids) for ids in padded]
    # The wide one says all by its shapes, as the file of HPSv2.1 does, which comes without any.
    beside = {"file": None} if wide else {"file": "open_clip_config.json", "config": {"model_cfg": fields}}
    return case(beside | {"size": 12}, shapes, image, texts)


def squares():
    """A byte picture as open_clip prepares it, cut and filled up."""
    from PIL import Image

    bytes_ = ((number(1004, 17 * 30 * 3) + 1) * 127.5).astype(np.uint8).reshape(17, 30, 3)
    # Not noise alone: what changes slowly shows where things lie.
    bytes_ = (bytes_ // 4 + np.linspace(0, 190, 30).astype(np.uint8)[None, :, None]).astype(np.uint8)
    found = {"shape": [1, 3, 17, 30], "picture": (bytes_.transpose(2, 0, 1) / 127.5 - 1).ravel().round(6).tolist()}
    for name, mode in (("cut", "shortest"), ("filled", "longest")):
        prepare = open_clip.transform.image_transform(12, is_train=False, resize_mode=mode)
        found[name] = prepare(Image.fromarray(bytes_)).numpy().ravel().round(5).tolist()
    return found


def main():
    versions = {"torch": torch, "transformers": transformers, "open_clip": open_clip}
    cases = [hugging_face("quick_gelu", 57), hugging_face("gelu", 2), of_open_clip(True, False), of_open_clip(False, True)]
    found = {
        "versions": {name: module.__version__ for name, module in versions.items()},
        "shape": SHAPE, "ids": TEXTS, "cases": cases, "squares": squares(),
    }  # fmt: skip
    (HERE / "clip_libraries.json").write_text(json.dumps(found, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
