"""The Whisper architecture with the parameter names of a Hugging Face checkpoint, a window of free length, and a key/value cache.

One module serves training (models/train) and export of published checkpoints (export.py).
"""

from __future__ import annotations

import dataclasses
import json
import math
import pathlib

import torch
from torch import Tensor, nn
from torch.nn import functional

Cache = list[tuple[Tensor, Tensor]]


@dataclasses.dataclass(frozen=True)
class Config:
    d_model: int
    encoder_layers: int
    encoder_attention_heads: int
    encoder_ffn_dim: int
    decoder_layers: int
    decoder_attention_heads: int
    decoder_ffn_dim: int
    num_mel_bins: int
    vocab_size: int
    max_source_positions: int = 1500
    max_target_positions: int = 448

    @classmethod
    def load(cls, folder: pathlib.Path) -> "Config":
        values = json.loads((folder / "config.json").read_text())
        assert values.get("activation_function", "gelu") == "gelu" and not values.get("scale_embedding", False)
        return cls(**{field.name: values[field.name] for field in dataclasses.fields(cls)})


def sinusoids(length: int, channels: int) -> Tensor:
    """The encoder's fixed positions: sines, then cosines, wave lengths in geometric progression up to 10000."""
    steps = torch.exp(-math.log(10_000) / (channels // 2 - 1) * torch.arange(channels // 2))
    angles = torch.arange(length)[:, None] * steps[None, :]
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.head_width = width // heads
        self.k_proj = nn.Linear(width, width, bias=False)
        self.v_proj = nn.Linear(width, width)
        self.q_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def split(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.heads, self.head_width)).transpose(1, 2)

    def keys_values(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.split(self.k_proj(x)), self.split(self.v_proj(x))

    def attend(self, x: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        query = self.split(self.q_proj(x)) * self.head_width**-0.5
        scores = query @ key.transpose(2, 3)  # written out: at these widths the fused kernel is slower on CPUs
        mixed = (scores if mask is None else scores + mask).softmax(dim=-1).to(value.dtype) @ value
        return self.out_proj(mixed.transpose(1, 2).flatten(2))


class EncoderLayer(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        width = config.d_model
        self.self_attn = Attention(width, config.encoder_attention_heads)
        self.self_attn_layer_norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, config.encoder_ffn_dim)
        self.fc2 = nn.Linear(config.encoder_ffn_dim, width)
        self.final_layer_norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, drop: float) -> Tensor:
        inner = self.self_attn_layer_norm(x)
        x = x + functional.dropout(self.self_attn.attend(inner, *self.self_attn.keys_values(inner), None), drop, self.training)
        inner = self.fc2(functional.gelu(self.fc1(self.final_layer_norm(x))))
        return x + functional.dropout(inner, drop, self.training)


class Encoder(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        width = config.d_model
        self.conv1 = nn.Conv1d(config.num_mel_bins, width, kernel_size=3, padding=1)
        self.conv2 = nn.Conv1d(width, width, kernel_size=3, stride=2, padding=1)
        self.embed_positions = nn.Embedding(config.max_source_positions, width)
        self.embed_positions.weight.requires_grad_(False)
        self.embed_positions.weight.copy_(sinusoids(config.max_source_positions, width))
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.encoder_layers))
        self.layer_norm = nn.LayerNorm(width)

    def forward(self, mel: Tensor, drop: float = 0.0) -> Tensor:
        """mel [batch, bins, frames] -> [batch, ceil(frames / 2), width]; the positions are cut to the window."""
        x = functional.gelu(self.conv2(functional.gelu(self.conv1(mel)))).transpose(1, 2)
        x = x + self.embed_positions.weight[: x.shape[1]].to(x.dtype)
        for layer in self.layers:
            x = layer(x, drop)
        return self.layer_norm(x)


class DecoderLayer(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        width = config.d_model
        self.self_attn = Attention(width, config.decoder_attention_heads)
        self.self_attn_layer_norm = nn.LayerNorm(width)
        self.encoder_attn = Attention(width, config.decoder_attention_heads)
        self.encoder_attn_layer_norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, config.decoder_ffn_dim)
        self.fc2 = nn.Linear(config.decoder_ffn_dim, width)
        self.final_layer_norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, past: tuple[Tensor, Tensor] | None, cross: tuple[Tensor, Tensor], mask: Tensor, drop: float):
        inner = self.self_attn_layer_norm(x)
        key, value = self.self_attn.keys_values(inner)
        if past is not None:
            key, value = torch.cat([past[0], key], dim=2), torch.cat([past[1], value], dim=2)
        x = x + functional.dropout(self.self_attn.attend(inner, key, value, mask), drop, self.training)
        inner = self.encoder_attn.attend(self.encoder_attn_layer_norm(x), *cross, None)
        x = x + functional.dropout(inner, drop, self.training)
        inner = self.fc2(functional.gelu(self.fc1(self.final_layer_norm(x))))
        return x + functional.dropout(inner, drop, self.training), (key, value)


class Decoder(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        width = config.d_model
        self.embed_tokens = nn.Embedding(config.vocab_size, width)
        self.embed_positions = nn.Embedding(config.max_target_positions, width)
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.decoder_layers))
        self.layer_norm = nn.LayerNorm(width)

    def cross(self, states: Tensor) -> Cache:
        return [layer.encoder_attn.keys_values(states) for layer in self.layers]

    def forward(self, ids: Tensor, past: Cache | None, cross: Cache, drop: float = 0.0) -> tuple[Tensor, Cache]:
        """ids [batch, t] -> hidden states [batch, t, width] and the cache grown by t."""
        before = 0 if past is None else past[0][0].shape[2]
        here = ids.shape[1]
        rows = torch.arange(before, before + here, device=ids.device)
        x = self.embed_tokens(ids) + self.embed_positions(rows)
        hidden = torch.arange(before + here, device=ids.device)[None, :] > rows[:, None]
        mask = torch.zeros(hidden.shape, dtype=x.dtype, device=ids.device).masked_fill(hidden, -1e9)
        cache = []
        for index, layer in enumerate(self.layers):
            x, grown = layer(x, None if past is None else past[index], cross[index], mask, drop)
            cache.append(grown)
        return self.layer_norm(x), cache


class Core(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)


class Whisper(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        with torch.no_grad():
            self.model = Core(config)

    def logits(self, hidden: Tensor) -> Tensor:
        return hidden @ self.model.decoder.embed_tokens.weight.t().to(hidden.dtype)

    @torch.no_grad()
    def greedy(self, mel: Tensor, prompt: list[int], eot: int, limit: int) -> tuple[list[list[int]], Tensor]:
        """Greedy tokens of a batch that shares one prompt, and the logits at the prompt's first position."""
        cross = self.model.decoder.cross(self.model.encoder(mel))
        ids = torch.tensor([prompt] * mel.shape[0])
        hidden, past = self.model.decoder(ids, None, cross)
        first = self.logits(hidden[:, 0]).float()
        rows: list[list[int]] = [[] for _ in range(mel.shape[0])]
        open_rows = set(range(mel.shape[0]))
        for _ in range(limit):
            best = self.logits(hidden[:, -1]).argmax(dim=-1)
            for row in list(open_rows):
                if best[row] == eot:
                    open_rows.discard(row)
                else:
                    rows[row].append(int(best[row]))
            if not open_rows:
                break
            hidden, past = self.model.decoder(best[:, None], past, cross)
        return rows, first


def load(folder: pathlib.Path) -> Whisper:
    """A checkpoint folder with config.json and model.safetensors."""
    from safetensors.torch import load_file

    model = Whisper(Config.load(folder))
    weights = {name: value.float() for name, value in load_file(folder / "model.safetensors").items()}
    weights.pop("proj_out.weight", None)  # tied to the embedding
    model.load_state_dict(weights, strict=True)
    return model.eval()
