"""A checkpoint to train on from, made of an exported folder: for when the training state of the shipped model is gone.

    python recover.py ../receptionist-mini work/recovered [--encoder-layers 6]

Weights come back from the int8 graphs with the rounding of int8. Layers asked for beyond those of the folder are added at the top of the encoder
so that they change nothing at first (their output projections are zero), which leaves room to learn more. The alignment head and the
optimiser's state are not in a folder: train.py begins both anew, with its warm-up.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import pathlib
import shutil
import sys
import tomllib

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "export"))

import folder
from export import Session
from whisper import Config, Whisper

ATTENTION = ["k_proj", "v_proj", "q_proj", "out_proj"]
LARGEST_DIFFERENCE = 1.5  # of a logit between the recovered fp32 model and the int8 graphs: int8 activations are rounded too


def products(graph: onnx.GraphProto) -> list[np.ndarray]:
    """The constant matrices of the graph's integer products in the order in which they are used, [inputs, outputs]."""
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    found = []
    for node in graph.node:
        if node.op_type == "MatMulInteger" and node.input[1] in tensors:
            stem = node.input[1].removesuffix("_quantized")
            weights = tensors[node.input[1]].astype(np.float32) - tensors[f"{stem}_zero_point"].astype(np.float32)
            found.append(weights * tensors[f"{stem}_scale"])
    return found


def plain(graph: onnx.GraphProto) -> dict[str, np.ndarray]:
    """Initialisers that kept the name of their parameter."""
    names = {tensor.name: numpy_helper.to_array(tensor).astype(np.float32) for tensor in graph.initializer}
    return {name.removeprefix("model.").removeprefix("encoder.").removeprefix("decoder."): value for name, value in names.items()}


def weights(source: pathlib.Path, config: Config) -> dict[str, np.ndarray]:
    encoder, decoder = (onnx.load(source / f"{part}_int8.onnx").graph for part in ("encoder", "decoder"))
    named = {f"model.encoder.{name}": value for name, value in plain(encoder).items() if not name.startswith("layers.") or "encoder_attn" not in name}
    named |= {f"model.decoder.{name}": value for name, value in plain(decoder).items()}
    for graph in (encoder,):  # the cross products live in the encoder's graph, under the decoder's names
        for tensor in graph.initializer:
            if "encoder_attn" in tensor.name:
                named[tensor.name[tensor.name.index("model.decoder") if "model.decoder" in tensor.name else 0 :]] = numpy_helper.to_array(tensor)
    order = [f"model.encoder.layers.{layer}.{part}" for layer in range(config.encoder_layers) for part in [*(f"self_attn.{name}" for name in ATTENTION), "fc1", "fc2"]]
    order += [f"model.decoder.layers.{layer}.encoder_attn.{name}" for layer in range(config.decoder_layers) for name in ("k_proj", "v_proj")]
    named |= matrices(order, products(encoder))
    order = [
        f"model.decoder.layers.{layer}.{part}"
        for layer in range(config.decoder_layers)
        for part in [*(f"self_attn.{name}" for name in ATTENTION), "encoder_attn.q_proj", "encoder_attn.out_proj", "fc1", "fc2"]
    ]
    found = products(decoder)
    assert len(found) == len(order) + 1, f"{len(found)} products in the decoder, {len(order) + 1} expected (the last is the head)"
    return named | matrices(order, found[:-1])


def matrices(names: list[str], found: list[np.ndarray]) -> dict[str, np.ndarray]:
    assert len(found) == len(names), f"{len(found)} products, {len(names)} expected"
    return {f"{name}.weight": np.ascontiguousarray(value.T) for name, value in zip(names, found, strict=True)}


def check(model: Whisper, source: pathlib.Path) -> None:
    """The recovered model against the graphs that it came from."""
    session = Session(source, "_int8")
    generator = torch.Generator().manual_seed(5)
    mel = torch.randn(1, model.config.num_mel_bins, 200, generator=generator) * 0.5
    ids = list(range(6))
    with torch.no_grad():
        got = model.logits(model.model.decoder(torch.tensor([ids]), None, model.model.decoder.cross(model.model.encoder(mel)))[0])[0].numpy()
    want, _ = session.step(ids, session.empty(), session.encode(mel[0].numpy()))
    worst = float(np.abs(got - want).max())
    print(f"largest difference of a logit: {worst:.3f} of {float(np.abs(want).max()):.1f}")
    assert worst < LARGEST_DIFFERENCE, "the recovered weights are not those of the graphs"


def history(source: pathlib.Path) -> dict | None:
    """The record of training that the folder's card keeps, as train.py writes it."""
    card, record = tomllib.loads((source / "card.toml").read_text()), None
    for stage in card.get("stage", []):
        record = {**stage, "minutes": 0, "before": record}
    if record:
        record["minutes"] = card["training_minutes"]  # the card has the sum alone
    return record


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--encoder-layers", type=int, default=0)
    arguments = parser.parse_args()
    torch.manual_seed(1)
    before = Config.load(arguments.source)
    config = dataclasses.replace(before, encoder_layers=max(before.encoder_layers, arguments.encoder_layers))
    model = Whisper(config)
    named = {name: torch.from_numpy(np.array(value)) for name, value in weights(arguments.source, before).items()}
    result = model.load_state_dict({name: value for name, value in named.items() if name in model.state_dict()}, strict=False)
    added = tuple(f"model.encoder.layers.{layer}." for layer in range(before.encoder_layers, config.encoder_layers))
    absent = [name for name in result.missing_keys if not name.startswith(added or ("none",)) and not name.endswith("encoder.embed_positions.weight")]
    assert not absent, f"not in the graphs: {absent}"
    with torch.no_grad():
        for layer in model.model.encoder.layers[before.encoder_layers :]:
            for linear in (layer.self_attn.out_proj, layer.fc2):
                linear.weight.zero_()
                linear.bias.zero_()
    check(model.eval(), arguments.source)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "generation_config.json", "preprocessor_config.json"):
        shutil.copyfile(arguments.source / name, arguments.out / name)
    values = json.loads((arguments.source / "config.json").read_text()) | {"encoder_layers": config.encoder_layers}
    (arguments.out / "config.json").write_text(json.dumps(values, indent=1) + "\n")
    save_file({name: value.detach().clone().contiguous() for name, value in model.state_dict().items()}, arguments.out / "model.safetensors", metadata={"format": "pt"})
    torch.save({"model": model.state_dict(), "step": 0}, arguments.out / "state.pt")
    if record := history(arguments.source):
        (arguments.out / "training.json").write_text(json.dumps(record, indent=1) + "\n")
    print(f"{sum(p.numel() for p in model.parameters()):,} weights in {arguments.out}")


if __name__ == "__main__":
    main()
