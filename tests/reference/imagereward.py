#!/usr/bin/env python3
"""ImageReward as published libraries compute its parts, at small random weights; pieces of texts as BERT's tokenizer cuts them.

    python3 tests/reference/imagereward.py             writes imagereward.json beside this file
    python3 tests/reference/imagereward.py package DIR compares the network with the PyPI package unpacked in DIR

The tower of pictures is timm's VisionTransformer, that of texts transformers' BlipTextModel, both of whose tensors have the
names of ImageReward's file, in float64; texts are filled up to 35 pieces and masked, as the package does. Weights are not
stored: stream k of `clip.number` belongs to the k-th name. Pictures are prepared as in `clip.py`. The vocabulary is a small
one, made of the words. Needs torch, timm, transformers, numpy.
"""

import json
import random
import sys
import tempfile
import types
from pathlib import Path

import numpy as np
import timm.models.vision_transformer
import torch
import transformers
from clip import number, pictures, prepared
from tokens import texts

HERE = Path(__file__).parent
SHAPE = (2, 3, 31, 20)
IDS = [[2, 17, 40, 5, 33, 3], [2, 9, 3]]
MOST = 35
SIZE, PATCH, WIDTH, INNER, HEADS, LAYERS = 12, 4, 16, 64, 2, 2
TEXT = {"vocab_size": 48, "hidden_size": 12, "intermediate_size": 20, "num_hidden_layers": 2, "num_attention_heads": 3,
        "max_position_embeddings": 40, "encoder_hidden_size": WIDTH, "hidden_act": "gelu", "layer_norm_eps": 1e-12,
        "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "is_decoder": True}  # fmt: skip
MEAN, DEVIATION = 0.16717362830052426, 1.0333394966054072


class Net(torch.nn.Module):
    def __init__(self, vision, text):
        super().__init__()
        self.blip = torch.nn.Module()
        self.blip.visual_encoder, self.blip.text_encoder = vision, text
        self.mlp = torch.nn.Module()
        sizes = [TEXT["hidden_size"], 10, 8, 6, 4, 1]
        linear = [torch.nn.Linear(a, b) for a, b in zip(sizes, sizes[1:])]
        gap = torch.nn.Identity
        self.mlp.layers = torch.nn.Sequential(linear[0], gap(), linear[1], gap(), linear[2], gap(), linear[3], linear[4])

    def score(self, pixels, ids, **more):
        seen = self.blip.visual_encoder
        seen = seen.forward_features(pixels) if hasattr(seen, "forward_features") else seen(pixels)
        rows = torch.tensor([ids + [0] * (MOST - len(ids))]).expand(len(pixels), MOST)
        mask = (torch.arange(MOST) < len(ids)).long()[None].expand(len(pixels), MOST)
        whole = torch.ones(seen.shape[:-1], dtype=torch.long)
        read = self.blip.text_encoder(rows, attention_mask=mask, encoder_hidden_states=seen, encoder_attention_mask=whole, **more)
        return (self.mlp.layers(read.last_hidden_state[:, 0]) - MEAN) / DEVIATION


def filled(model):
    model = model.double().eval()
    state = {name: value for name, value in sorted(model.state_dict().items()) if "position_ids" not in name}
    weights, shapes = {}, {}
    for k, (name, value) in enumerate(state.items()):
        shape = list(value.shape)
        values = number(k, int(np.prod(shape)))
        if "norm" in name.lower() and name.endswith("weight"):
            values = 1 + 0.5 * values
        elif name.endswith("weight") and "embeddings" not in name:
            values = values * (1.7 / np.sqrt(np.prod(shape[1:])))
        else:
            values = 0.3 * values
        shapes[name] = shape
        weights[name] = torch.from_numpy(values.astype(np.float32).astype(np.float64).reshape(shape))
    missing = model.load_state_dict(weights, strict=False)
    assert not missing.unexpected_keys and all("position_ids" in name for name in missing.missing_keys), missing
    return model, shapes


def libraries():
    vision = timm.models.vision_transformer.VisionTransformer(
        img_size=SIZE, patch_size=PATCH, embed_dim=WIDTH, depth=LAYERS, num_heads=HEADS, num_classes=0, global_pool=""
    )
    text = transformers.models.blip.modeling_blip_text.BlipTextModel(
        transformers.BlipTextConfig(**TEXT), add_pooling_layer=False
    )
    return Net(vision, text)


def package(folder):
    """The package's own modules. It wants older libraries: what it takes from them is handed to it."""
    import timm.layers
    import transformers.modeling_utils as utils
    import transformers.pytorch_utils as more

    for name in ("apply_chunking_to_forward", "prune_linear_layer", "find_pruneable_heads_and_indices"):
        setattr(utils, name, getattr(more, name, None))
    plain = {
        "transformers.file_utils": {"ModelOutput": transformers.utils.ModelOutput},
        "timm.models.registry": {"register_model": lambda f: f},
        "timm.models.layers": {"trunc_normal_": timm.layers.trunc_normal_, "DropPath": timm.layers.DropPath},
        "timm.models.helpers": {"named_apply": None, "adapt_input_conv": None},
        "timm.models.vision_transformer": {"_cfg": None, "PatchEmbed": timm.layers.PatchEmbed},
        "fairscale.nn.checkpoint.checkpoint_activations": {"checkpoint_wrapper": None},
    }
    kept = {name: sys.modules.get(name) for name in plain}
    for name, values in plain.items():
        sys.modules[name] = types.SimpleNamespace(**values)
    for name in ("fairscale", "fairscale.nn", "fairscale.nn.checkpoint"):
        sys.modules[name] = types.ModuleType(name)
    sys.path.insert(0, str(Path(folder) / "ImageReward" / "models" / "BLIP"))
    import med
    import vit

    sys.modules.update({name: module for name, module in kept.items() if module})
    vision = vit.VisionTransformer(img_size=SIZE, patch_size=PATCH, embed_dim=WIDTH, depth=LAYERS, num_heads=HEADS)
    config = transformers.BertConfig(**TEXT | {"is_decoder": False})
    config.encoder_width, config.add_cross_attention = WIDTH, True
    med.BertModel.init_weights = lambda self: None
    med.BertModel.get_head_mask = lambda self, mask, layers: [None] * layers
    med.BertModel.invert_attention_mask = lambda self, mask: (1.0 - mask[:, None, None, :].double()) * -1e9
    return Net(vision, med.BertModel(config, add_pooling_layer=False))


def pieces():
    """A vocabulary of the words of some texts, and the numbers of all texts' pieces."""
    found = texts()
    words = sorted({word for text in found[:120:2] for word in text.lower().split() if word.isascii() and word.isalnum()})
    letters = sorted({letter for text in found for letter in text.lower() if letter.isalnum() and ord(letter) < 0x3000})
    marks = sorted({mark for text in found for mark in text if mark.isascii() and mark.isprintable() and not mark.isalnum()})
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words, *letters[:160], *marks[1:], "日", "富"]
    vocabulary += ["##" + piece for piece in [*letters[:160], "ing", "ed", "er", "ly", "es", "tion", "al"]]
    vocabulary = list(dict.fromkeys(vocabulary))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vocab.txt"
        path.write_text("\n".join(vocabulary) + "\n")
        cutter = transformers.BertTokenizer(vocab={piece: k for k, piece in enumerate(vocabulary)}, do_lower_case=True)
    chance = random.Random(9)
    chosen = found[:110] + chance.sample(found[110:], 190)
    return {"vocabulary": vocabulary, "texts": [[text, cutter(text)["input_ids"]] for text in chosen]}


def main():
    model, shapes = filled(libraries())
    pixels = torch.from_numpy(prepared(pictures(SHAPE), SIZE))
    with torch.no_grad():
        scores = [model.score(pixels, ids, is_decoder=False)[:, 0].tolist() for ids in IDS]
    if sys.argv[1:2] == ["package"]:
        theirs, same = filled(package(sys.argv[2]))
        assert same == shapes, set(same) ^ set(shapes)
        with torch.no_grad():
            other = [theirs.score(pixels, ids)[:, 0].tolist() for ids in IDS]
        print("largest difference from the package", np.abs(np.array(scores) - np.array(other)).max(), "of", scores)
        return
    versions = {"torch": torch, "timm": timm, "transformers": transformers}
    found = {
        "versions": {name: module.__version__ for name, module in versions.items()}, "shape": SHAPE, "size": SIZE,
        "patch": PATCH, "pictures": [WIDTH, INNER, LAYERS, HEADS],
        "texts": [TEXT["hidden_size"], TEXT["intermediate_size"], TEXT["num_hidden_layers"], TEXT["num_attention_heads"]],
        "vocabulary": TEXT["vocab_size"], "places": TEXT["max_position_embeddings"], "shapes": shapes, "ids": IDS,
        "scores": scores, "pieces": pieces(),
    }  # fmt: skip
    (HERE / "imagereward.json").write_text(json.dumps(found, separators=(",", ":"), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
