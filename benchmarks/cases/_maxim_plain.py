"""MAXIM written straight from its description: what a port of the original to PyTorch looks like before any thought of speed.

The case `maxim` measures it next to the network of this library. Both compute the same. Features are n, h, w, c as in the
original; blocks and grids are rearranged by einops before a dense layer over their pixels and after it, as there.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor


class PlainMAXIM:
    """The network as published: depth 3, three scales, two groups and two bottleneck blocks.

    Args:
        state: the authors' weights: names and dimensions of flax.
    """

    depth, scales, groups, bottlenecks = 3, 3, 2, 2
    sizes = ((16, 16), (16, 16), (8, 8), (8, 8))  # of blocks and of grids at each level

    def __init__(self, state: Mapping[str, Any]) -> None:
        self.p = {name: torch.from_numpy(np.array(value, order="C")) for name, value in state.items()}
        self.stages = len({name.split("/")[0] for name in state if name.startswith("stage_") and "_input_conv_0/" in name})

    def dense(self, x: Tensor, name: str) -> Tensor:
        """Return a dense layer of the last dimension, or a 1x1 convolution, which is the same."""
        kernel = self.p[f"{name}/kernel"]
        return F.linear(x, kernel.reshape(kernel.shape[-2:]).T, self.p[f"{name}/bias"])

    def conv(self, x: Tensor, name: str, *, stride: int = 1) -> Tensor:
        """Return a convolution with padding 1."""
        kernel = self.p[f"{name}/kernel"].permute(3, 2, 0, 1)
        return F.conv2d(x.permute(0, 3, 1, 2), kernel, self.p[f"{name}/bias"], stride, 1).permute(0, 2, 3, 1)

    def up(self, x: Tensor, name: str) -> Tensor:
        """Return a transposed convolution of stride 2."""
        kernel = self.p[f"{name}/kernel"].flip(0, 1).permute(2, 3, 0, 1)
        return F.conv_transpose2d(x.permute(0, 3, 1, 2), kernel, self.p[f"{name}/bias"], 2).permute(0, 2, 3, 1)

    def norm(self, x: Tensor, name: str) -> Tensor:
        """Return layer normalisation."""
        return F.layer_norm(x, x.shape[-1:], self.p[f"{name}/scale"], self.p[f"{name}/bias"], 1e-6)

    def gelu(self, x: Tensor, name: str) -> Tensor:
        """Return GELU of a dense layer."""
        return F.gelu(self.dense(x, name), approximate="tanh")

    def mix(self, x: Tensor, name: str, axis: str, size: tuple[int, int]) -> Tensor:
        """Mix pixels on a grid or in blocks."""
        rows, columns = size if axis == "block" else (x.shape[1] // size[0], x.shape[2] // size[1])
        x = rearrange(x, "n (h p) (w q) c -> n (h w) (p q) c", p=rows, q=columns)
        swapped = -2 if axis == "block" else -3
        x = self.dense(x.transpose(swapped, -1), name).transpose(swapped, -1)
        height = self.height // rows
        return rearrange(x, "n (h w) (p q) c -> n (h p) (w q) c", h=height, p=rows)

    def gated(self, x: Tensor, name: str, axis: str, size: tuple[int, int]) -> Tensor:
        """Return a gated MLP layer."""
        unit = f"{name}/{axis.title()}GatingUnit"
        u, v = self.gelu(self.norm(x, f"{name}/LayerNorm"), f"{name}/in_project").chunk(2, dim=-1)
        v = self.mix(self.norm(v, f"{unit}/intermediate_layernorm"), f"{unit}/Dense_0", axis, size)
        return x + self.dense(u * (v + 1), f"{name}/out_project")

    def multi_axis(self, x: Tensor, name: str, size: tuple[int, int]) -> Tensor:
        """Return the multi-axis gated MLP block."""
        u, v = self.gelu(self.norm(x, f"{name}/LayerNorm_in"), f"{name}/in_project").chunk(2, dim=-1)
        u = self.gated(u, f"{name}/GridGmlpLayer", "grid", size)
        v = self.gated(v, f"{name}/BlockGmlpLayer", "block", size)
        return x + self.dense(torch.cat([u, v], dim=-1), f"{name}/out_project")

    def attention(self, x: Tensor, name: str) -> Tensor:
        """Return channel attention."""
        y = self.dense(x.mean(dim=(1, 2), keepdim=True), f"{name}/Conv_0").relu()
        return x * self.dense(y, f"{name}/Conv_1").sigmoid()

    def group(self, x: Tensor, name: str, level: int, *, bottleneck: bool = False) -> Tensor:
        """Return gated MLPs and channel attention in turns, and the shortcut around all of them."""
        shortcut, self.height = x, x.shape[1]
        for g in range(self.groups):
            x = self.multi_axis(x, f"{name}/SplitHeadMultiAxisGmlpLayer_{g}", self.sizes[level])
            block = f"{name}/channel_attention_block_1{'_' if bottleneck else ''}{g}"
            y = self.norm(x, f"{block}/LayerNorm")
            if bottleneck:
                y = self.dense(self.gelu(y, f"{block}/channel_mixing/Dense_0"), f"{block}/channel_mixing/Dense_1")
            else:
                y = self.conv(F.leaky_relu(self.conv(y, f"{block}/conv1"), 0.2), f"{block}/conv2")
            x = x + self.attention(y, f"{block}/channel_attention")
        return x + shortcut

    def gate(self, x: Tensor, name: str, size: tuple[int, int]) -> Tensor:
        """Return the weights that one stream has for the other."""
        u, v = self.gelu(self.norm(x, f"{name}/LayerNorm_in"), f"{name}/in_project").chunk(2, dim=-1)
        u, v = self.mix(u, f"{name}/Dense_0", "grid", size), self.mix(v, f"{name}/Dense_1", "block", size)
        return self.dense(torch.cat([u, v], dim=-1), f"{name}/out_project")

    def cross(self, x: Tensor, y: Tensor, name: str, level: int) -> tuple[Tensor, Tensor]:
        """Return both streams of a cross-gating block."""
        self.height = x.shape[1]
        size = self.sizes[level]
        x, y = self.dense(x, f"{name}/Conv_0"), self.dense(y, f"{name}/Conv_1")
        u = self.gelu(self.norm(x, f"{name}/LayerNorm_x"), f"{name}/in_project_x")
        v = self.gelu(self.norm(y, f"{name}/LayerNorm_y"), f"{name}/in_project_y")
        gates = [self.gate(z, f"{name}/SplitHeadMultiAxisGating_{one}", size) for one, z in (("x", u), ("y", v))]
        y = y + self.dense(v * gates[0], f"{name}/out_project_y")
        return x + y + self.dense(u * gates[1], f"{name}/out_project_x"), y

    def resize(self, x: Tensor, like: Tensor, name: str) -> Tensor:
        """Return features at another scale."""
        if x.shape[1] != like.shape[1]:
            x = x.permute(0, 3, 1, 2).float()  # on the CPU there is no antialiasing in half precision
            shrinks = x.shape[2] > like.shape[1]
            x = F.interpolate(x, size=like.shape[1:3], mode="bilinear", align_corners=False, antialias=shrinks).permute(0, 2, 3, 1)
        return self.dense(x, f"{name}/Conv_0")

    def __call__(self, image: Tensor) -> Tensor:
        """Return the restored image; both are n, c, h, w."""
        full = image.permute(0, 2, 3, 1)
        images = [full, full[:, 1::2, 1::2], full[:, 2::4, 2::4]]
        encoded: list[Tensor] = []
        decoded: dict[int, Tensor] = {}
        attended: list[Tensor] = []
        for s in range(self.stages):
            name, last = f"stage_{s}", s == self.stages - 1
            inputs = [self.conv(x, f"{name}_input_conv_{i}") for i, x in enumerate(images)]
            if s:
                inputs = [
                    self.cross(x, a, f"{name}_input_fuse_sam_{i}", i)[0]
                    for i, (x, a) in enumerate(zip(inputs, attended, strict=True))
                ]
            x, guides, encoded = inputs[0], [encoded[i] + decoded[i] for i in range(self.depth)] if s else [], []
            for i in range(self.depth):
                block = f"{name}_encoder_block_{i}"
                x = self.group(self.dense(torch.cat([x, inputs[i]], dim=-1), f"{block}/Conv_0"), block, i)
                if s:
                    x = self.cross(x, guides[i], f"{block}/cross_gating_block", i)[0]
                encoded.append(x)
                x = self.conv(x, f"{block}/Conv_1", stride=2)
            for b in range(self.bottlenecks):
                block = f"{name}_global_block_{b}"
                x = self.group(self.dense(x, f"{block}/input_proj"), block, self.depth, bottleneck=True)
            rising, skips, number = x, [], 2 * self.depth**2 * s
            for i in reversed(range(self.depth)):
                signal = [self.resize(y, encoded[i], f"UpSampleRatio_{number + j}") for j, y in enumerate(encoded)]
                number += self.depth
                block = f"{name}_cross_gating_block_{i}"
                skip, rising = self.cross(torch.cat(signal, dim=-1), self.up(rising, f"{block}/ConvTranspose_0"), block, i)
                skips.append(skip)
            decoded, attended = {}, []
            for i in reversed(range(self.depth)):
                block = f"{name}_decoder_block_{i}"
                signal = [self.resize(y, encoded[i], f"UpSampleRatio_{number + j}") for j, y in enumerate(skips)]
                number += self.depth
                x = torch.cat([self.up(x, f"{block}/ConvTranspose_0"), *signal], dim=-1)
                inner = f"{block}/UNetEncoderBlock_0"
                x = decoded[i] = self.group(self.dense(x, f"{inner}/Conv_0"), inner, i)
                if not last:
                    sam = f"{name}_supervised_attention_module_{i}"
                    restored = self.conv(x, f"{sam}/Conv_1") + images[i]
                    attended.insert(0, x + self.conv(x, f"{sam}/Conv_0") * self.conv(restored, f"{sam}/Conv_2").sigmoid())
        return (self.conv(x, f"stage_{self.stages - 1}_output_conv_0") + full).permute(0, 3, 1, 2)
