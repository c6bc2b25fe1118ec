"""Train the model on an endless stream of augmented clips.

    python train.py --steps 1000 --decay 1 --out work/stage1                     from scratch
    python train.py --steps 5000 --out work/stage2 --from work/stage1 --decay 5000

Cross entropy on the text, connectionist temporal classification on the encoder as a help. The learning rate is constant after a warm-up
and falls to zero over the last `--decay` steps; touching OUT/finish begins the decay at once. Checkpoints (the running average of the
weights) go to OUT as a Hugging Face folder every few minutes and at the end.
"""

from __future__ import annotations

import argparse
import ctypes
import datetime
import json
import math
import os
import pathlib
import random
import subprocess
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: its small products must not fight with training for the cores
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "export"))

import dataset
import folder
import tokenizer as tokenizer_module
from whisper import Config, Whisper

SEED = 20_261
WIDTH, ENCODER_LAYERS, DECODER_LAYERS, HEADS = 128, 6, 2, 4
PEAK_RATE = 1.2e-3
WARM_UP = 300
CTC_SHARE = 0.3
TOGETHER = 8  # steps between two averagings of the ranks
AVERAGE = 0.998


def keep_memory() -> None:
    """Let the C library keep what it freed: giving pages back and forth took half of the time."""
    try:
        library = ctypes.CDLL("libc.so.6")
        library.mallopt(-4, 0)  # M_MMAP_MAX
        library.mallopt(-1, 2_000_000_000)  # M_TRIM_THRESHOLD
        library.mallopt(-2, 64 << 20)  # M_TOP_PAD
    except OSError:
        pass


class Team:
    """The processes that train together. Rank 0 starts the others."""

    def __init__(self, rank: int, ranks: int, out: pathlib.Path) -> None:
        self.ranks, self.others = ranks, []
        if ranks == 1:
            return
        meeting = out.resolve() / "meeting"
        if rank == 0:
            meeting.unlink(missing_ok=True)
            self.others = [subprocess.Popen([sys.executable, *sys.argv, "--rank", str(other)], start_new_session=True) for other in range(1, ranks)]
        torch.distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=ranks, timeout=datetime.timedelta(minutes=10))

    def average(self, parameters: list[nn.Parameter], finish: bool) -> bool:
        """Give every rank the mean of the weights; true when any rank was told to finish."""
        if self.ranks == 1:
            return finish
        with torch.no_grad():
            flat = torch.cat([parameter.flatten() for parameter in parameters] + [torch.tensor([float(finish)])])
            torch.distributed.all_reduce(flat)
            at = 0
            for parameter in parameters:
                parameter.copy_(flat[at : at + parameter.numel()].view_as(parameter)).div_(self.ranks)
                at += parameter.numel()
        return bool(flat[-1] > 0)


def rate(peak: float, step: int, decay_from: int, decay: int) -> float:
    if step < WARM_UP:
        return peak * (step + 1) / WARM_UP
    if step < decay_from:
        return peak
    return peak * max(0.0, 1 - (step - decay_from) / decay)


def initialise(model: Whisper) -> None:
    for name, parameter in model.named_parameters():
        if "embed_tokens" in name or "decoder.embed_positions" in name:
            nn.init.normal_(parameter, std=0.02)


def losses(model: Whisper, head: nn.Linear, batch: dataset.Batch, drop: float, head_alone: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        states = model.model.encoder(batch.mel, drop)
        hidden, _ = model.model.decoder(batch.inputs, None, model.model.decoder.cross(states), drop)
        logits = model.logits(hidden)
        ctc_logits = head(states.detach() if head_alone else states)
    text = functional.cross_entropy(logits.float().flatten(0, 1), batch.labels.flatten(), ignore_index=-100, label_smoothing=0.02)
    if not batch.ctc_lengths.any():  # nobody speaks in this batch
        return text, ctc_logits.sum().float() * 0
    scores = ctc_logits.float().log_softmax(dim=-1).transpose(0, 1)
    aligned = functional.ctc_loss(scores, batch.ctc, batch.used, batch.ctc_lengths, zero_infinity=True, reduction="none")
    aligned = (aligned / batch.ctc_lengths.clamp(min=4)).mean()
    return text, aligned


def save(out: pathlib.Path, average: dict[str, torch.Tensor], model: Whisper, head: nn.Linear, optimiser, step: int, record: dict) -> None:
    weights = {name: average.get(name, value).detach().clone().contiguous() for name, value in model.state_dict().items()}
    save_file(weights, out / "model.tmp", metadata={"format": "pt"})
    os.replace(out / "model.tmp", out / "model.safetensors")
    state = {"model": model.state_dict(), "head": head.state_dict(), "optimiser": optimiser.state_dict(), "average": average, "step": step}
    torch.save(state, out / "state.tmp")
    os.replace(out / "state.tmp", out / "state.pt")
    (out / "training.json").write_text(json.dumps(record, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--decay", type=int, default=0, help="steps of falling rate at the end; 0: a quarter of all")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--from", dest="start", type=pathlib.Path)
    parser.add_argument("--frames", type=int, default=4_000, help="mel frames in a batch")
    parser.add_argument("--rate", type=float, default=PEAK_RATE)
    parser.add_argument("--gentle", type=float, default=0.0, help="share of nearly clean speech")
    parser.add_argument("--ctc", type=float, default=CTC_SHARE, help="weight of the alignment loss")
    parser.add_argument("--ranks", type=int, default=2, help="processes of one thread each; their weights are averaged every few steps")
    parser.add_argument("--rank", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--save-minutes", type=float, default=3)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--shared", type=pathlib.Path, default=HERE.parents[2] / "shared")
    arguments = parser.parse_args()
    keep_memory()
    torch.manual_seed(arguments.seed)
    random.seed(arguments.seed)
    np.random.seed(arguments.seed)
    torch.set_num_threads(1)
    out, main_rank = arguments.out, arguments.rank == 0
    out.mkdir(parents=True, exist_ok=True)
    if main_rank:
        (out / "finish").unlink(missing_ok=True)
    team = Team(arguments.rank, arguments.ranks, out)

    if arguments.start:
        tokenizer = Tokenizer.from_file(str(arguments.start / "tokenizer.json"))
    else:
        tokenizer = tokenizer_module.build()
    if main_rank:
        tokenizer.save(str(out / "tokenizer.json"))
    config = Config(
        d_model=WIDTH, encoder_layers=ENCODER_LAYERS, encoder_attention_heads=HEADS, encoder_ffn_dim=4 * WIDTH, decoder_layers=DECODER_LAYERS,
        decoder_attention_heads=HEADS, decoder_ffn_dim=4 * WIDTH, num_mel_bins=80, vocab_size=tokenizer.get_vocab_size(),
    )
    if arguments.start:
        config = Config.load(arguments.start)
    if main_rank:
        folder.write_json(out, config, tokenizer_module.ids(tokenizer))
    model, head = Whisper(config), nn.Linear(WIDTH, len(dataset.CTC_ALPHABET) + 1)
    initialise(model)
    trained = [parameter for parameter in [*model.parameters(), *head.parameters()] if parameter.requires_grad]
    decayed = [p for p in trained if p.ndim >= 2]
    groups = [{"params": decayed, "weight_decay": 0.02}, {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=PEAK_RATE, betas=(0.9, 0.98), eps=1e-8, foreach=True)
    first, average, alone_until = 0, {}, 0
    if arguments.start:
        state = torch.load(arguments.start / "state.pt")
        model.load_state_dict(state["model"])
        if "head" in state:
            head.load_state_dict(state["head"])
            optimiser.load_state_dict(state["optimiser"])
            first, average = state["step"], state["average"]
        else:  # recovered from an exported folder: the new head learns to read the encoder before it may move it
            alone_until = WARM_UP
    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    parameters = dict(model.named_parameters())
    if not average:
        average = {name: parameters[name].detach().clone() for name in names}

    source = dataset.Source(arguments.shared, arguments.seed + 10 * first + arguments.rank, arguments.gentle)
    batches = iter(dataset.Batches(source, tokenizer, arguments.frames))
    record_before = arguments.start / "training.json" if arguments.start else None
    before = json.loads(record_before.read_text()) if record_before and record_before.is_file() else None
    last = first + arguments.steps
    decay = arguments.decay or arguments.steps // 4
    decay_from = last - decay
    began = saved = time.monotonic()
    seen, clips, sums = 0, 0, [0.0, 0.0]
    step = first
    model.train()
    while step < last:
        batch = next(batches)
        for group in optimiser.param_groups:
            group["lr"] = rate(arguments.rate, step, decay_from, decay)
        text, aligned = losses(model, head, batch, drop=0.0, head_alone=step < alone_until)
        (text + arguments.ctc * aligned).backward()
        nn.utils.clip_grad_norm_(trained, 1.0, foreach=True)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        finish = (step + 1) % TOGETHER == 0 and team.average(trained, (out / "finish").exists())
        keep = min(AVERAGE, (step + 1) / (step + 20))
        torch._foreach_lerp_([average[name] for name in names], [parameters[name].detach() for name in names], 1 - keep)
        step += 1
        seen += 1
        clips += batch.mel.shape[0]
        sums = [sums[0] + text.item(), sums[1] + aligned.item()]
        if seen % 50 == 0 and main_rank:
            minutes = (time.monotonic() - began) / 60
            print(f"step {step}/{last if last < 900_000 else '-'} text {sums[0] / 50:.4f} ctc {sums[1] / 50:.4f} rate {rate(arguments.rate, step, decay_from, decay):.2e} clips {clips * arguments.ranks} minutes {minutes:.1f}", flush=True)
            if not math.isfinite(sums[0]):
                sys.exit("the loss is not finite")
        if seen % 50 == 0:
            sums = [0.0, 0.0]
        if finish and step < decay_from:
            decay_from, last = step, step + decay
        if main_rank and (time.monotonic() - saved > arguments.save_minutes * 60 or step == last):
            saved = time.monotonic()
            record = {"steps": step, "first": first, "clips": clips * arguments.ranks, "decay_from": decay_from, "decay": decay, "seed": arguments.seed, "frames": arguments.frames,
                      "minutes": round((saved - began) / 60, 1), "ranks": arguments.ranks, "rate": arguments.rate, "gentle": arguments.gentle, "ctc": arguments.ctc,
                      "encoder_layers": config.encoder_layers, "before": before}
            save(out, average, model, head, optimiser, step, record)


if __name__ == "__main__":
    main()
