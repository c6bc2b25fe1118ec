"""Export a Whisper checkpoint folder to the two-file layout of README.md.

    python export.py CHECKPOINT_FOLDER OUTPUT_FOLDER [--fp32]

Works for any Hugging Face Whisper folder with config.json and model.safetensors. The window is free, the cross keys and values are outputs of
the encoder graph, one decoder graph serves prefill and steps, and the language-model head is a matrix of its own, so that dynamic
quantisation reaches it.
"""

from __future__ import annotations

import argparse
import pathlib
import shutil

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn

import whisper
from whisper import Whisper

OPSET = 17
COPIED = ["config.json", "generation_config.json", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt", "added_tokens.json"]


class EncoderGraph(nn.Module):
    def __init__(self, model: Whisper) -> None:
        super().__init__()
        self.model = model.model

    def forward(self, input_features: Tensor):
        states = self.model.encoder(input_features)
        return tuple(tensor for pair in self.model.decoder.cross(states) for tensor in pair)


class DecoderGraph(nn.Module):
    def __init__(self, model: Whisper) -> None:
        super().__init__()
        self.decoder = model.model.decoder
        self.head = nn.Parameter(self.decoder.embed_tokens.weight.detach().t().contiguous().clone())

    def forward(self, input_ids: Tensor, *past: Tensor):
        layers = len(self.decoder.layers)
        own = [(past[2 * i], past[2 * i + 1]) for i in range(layers)]
        cross = [(past[2 * (layers + i)], past[2 * (layers + i) + 1]) for i in range(layers)]
        hidden, cache = self.decoder(input_ids, own, cross)
        return (hidden @ self.head, *(tensor for pair in cache for tensor in pair))


def names(layers: int, prefix: str, kind: str) -> list[str]:
    return [f"{prefix}.{i}.{kind}.{which}" for i in range(layers) for which in ("key", "value")]


def export_graphs(model: Whisper, folder: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    config = model.config
    layers, heads = config.decoder_layers, config.decoder_attention_heads
    width = config.d_model // heads
    encoder, decoder = folder / "encoder.onnx", folder / "decoder.onnx"
    outputs = names(layers, "present", "encoder")
    axes = {"input_features": {0: "batch", 2: "frames"}, **{name: {0: "batch", 2: "positions"} for name in outputs}}
    with torch.no_grad():
        torch.onnx.export(EncoderGraph(model), (torch.randn(1, config.num_mel_bins, 301),), str(encoder), input_names=["input_features"], output_names=outputs,
                          dynamic_axes=axes, opset_version=OPSET, do_constant_folding=True, dynamo=False)
        own_in, cross_in = names(layers, "past_key_values", "decoder"), names(layers, "past_key_values", "encoder")
        own_out = names(layers, "present", "decoder")
        past = [torch.randn(1, heads, 3, width) for _ in own_in] + [torch.randn(1, heads, 151, width) for _ in cross_in]
        axes = {"input_ids": {0: "batch", 1: "tokens"}, "logits": {0: "batch", 1: "tokens"}}
        axes |= {name: {0: "batch", 2: "past"} for name in own_in} | {name: {0: "enc_batch", 2: "positions"} for name in cross_in}
        axes |= {name: {0: "batch", 2: "total"} for name in own_out}
        torch.onnx.export(DecoderGraph(model), (torch.zeros(1, 2, dtype=torch.long), *past), str(decoder), input_names=["input_ids", *own_in, *cross_in],
                          output_names=["logits", *own_out], dynamic_axes=axes, opset_version=OPSET, do_constant_folding=True, dynamo=False)
    return encoder, decoder


def halve_positions(path: pathlib.Path) -> None:
    """Store large tables that are only sliced or gathered as f16 with a Cast behind them."""
    model = onnx.load(path)
    graph = model.graph
    for initializer in list(graph.initializer):
        users = [node for node in graph.node if initializer.name in node.input]
        array = numpy_helper.to_array(initializer)
        if array.dtype != np.float32 or array.size < 20_000 or not users or any(node.op_type not in ("Slice", "Gather") for node in users):
            continue
        graph.initializer.remove(initializer)
        graph.initializer.append(numpy_helper.from_array(array.astype(np.float16), initializer.name))
        for node in users:
            index = list(graph.node).index(node)
            wide = node.output[0]
            node.output[0] = wide + "_f16"
            graph.node.insert(index + 1, helper.make_node("Cast", [wide + "_f16"], [wide], to=TensorProto.FLOAT))
    onnx.checker.check_model(model)
    onnx.save(model, path)


def quantise(path: pathlib.Path, out: pathlib.Path) -> None:
    quantize_dynamic(path, out, per_channel=True, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul"], extra_options={"MatMulConstBOnly": True})
    halve_positions(out)


def tidy(path: pathlib.Path) -> None:
    """No trace of the machine in the file: names of the exporter's scopes and doc strings go."""
    model = onnx.load(path)
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    model.doc_string = ""
    onnx.save(model, path)


class Session:
    """Greedy decoding with the exported graphs, for checks."""

    def __init__(self, folder: pathlib.Path, suffix: str, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self.encoder, self.decoder = (
            onnxruntime.InferenceSession(str(folder / f"{part}{suffix}.onnx"), options, providers=["CPUExecutionProvider"]) for part in ("encoder", "decoder")
        )
        self.config = whisper.Config.load(folder)

    def encode(self, mel: np.ndarray) -> dict[str, np.ndarray]:
        out = self.encoder.run(None, {"input_features": mel[None]})
        return dict(zip(names(self.config.decoder_layers, "past_key_values", "encoder"), out, strict=True))

    def empty(self) -> dict[str, np.ndarray]:
        shape = (1, self.config.decoder_attention_heads, 0, self.config.d_model // self.config.decoder_attention_heads)
        return {name: np.zeros(shape, dtype=np.float32) for name in names(self.config.decoder_layers, "past_key_values", "decoder")}

    def step(self, ids: list[int], own: dict, cross: dict) -> tuple[np.ndarray, dict]:
        logits, *cache = self.decoder.run(None, {"input_ids": np.array([ids], dtype=np.int64), **own, **cross})
        return logits[0], dict(zip(own, cache, strict=True))

    def greedy(self, mel: np.ndarray, prompt: list[int], eot: int, limit: int) -> tuple[list[int], np.ndarray]:
        """The tokens and the logits at the prompt's first position."""
        cross, own = self.encode(mel), self.empty()
        logits, own = self.step(prompt, own, cross)
        first, tokens = logits[0], []
        while len(tokens) < limit:
            best = int(logits[-1].argmax())
            if best == eot:
                break
            tokens.append(best)
            logits, own = self.step([best], own, cross)
        return tokens, first


def check(model: Whisper, folder: pathlib.Path) -> None:
    """fp32 graphs against the checkpoint: logits at several window lengths, with and without a cache, and a batch over one utterance."""
    session = Session(folder, "")
    generator = torch.Generator().manual_seed(5)
    for frames in (2, 97, 500, 3_000):
        mel = torch.randn(1, model.config.num_mel_bins, frames, generator=generator) * 0.5
        ids = torch.randint(0, model.config.vocab_size, (1, 6), generator=generator)
        with torch.no_grad():
            cross = model.model.decoder.cross(model.model.encoder(mel))
            want = model.logits(model.model.decoder(ids, None, cross)[0])[0].numpy()
        cross_out, own = session.encode(mel[0].numpy()), session.empty()
        first, own = session.step(ids[0, :4].tolist(), own, cross_out)
        second, own = session.step(ids[0, 4:5].tolist(), own, cross_out)
        third, own = session.step(ids[0, 5:].tolist(), own, cross_out)
        worst = np.abs(np.concatenate([first, second, third]) - want).max()
        print(f"frames {frames}: largest difference of a logit {worst:.2e}")
        assert worst < 1e-3
    beam = {name: np.repeat(value, 3, axis=0) for name, value in own.items()}
    logits = session.decoder.run(["logits"], {"input_ids": np.zeros((3, 1), dtype=np.int64), **beam, **cross_out})[0]
    assert logits.shape == (3, 1, model.config.vocab_size) and np.abs(logits[0] - logits[2]).max() < 1e-4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=pathlib.Path)
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--fp32", action="store_true", help="keep the fp32 graphs beside the int8 ones")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    output = arguments.output
    output.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        if (arguments.checkpoint / name).is_file():
            shutil.copyfile(arguments.checkpoint / name, output / name)
    model = whisper.load(arguments.checkpoint)
    graphs = export_graphs(model, output)
    check(model, output)
    for graph in graphs:
        tidy(graph)
        quantise(graph, output / graph.name.replace(".onnx", "_int8.onnx"))
        if not arguments.fp32:
            graph.unlink()
    for file in sorted(output.iterdir()):
        if file.is_file():
            print(f"{file.name}\t{file.stat().st_size}")


if __name__ == "__main__":
    main()
