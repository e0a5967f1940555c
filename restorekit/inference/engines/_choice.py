"""Which engine is fastest, by rules that were measured (``benchmarks/run.py engines``)."""

import importlib.util

import torch
from torch import nn

from restorekit.network import RestorationNetwork


def best_engine(model: RestorationNetwork, dtype: torch.dtype) -> str:
    """Return the engine that is fastest for a network on the CPU, among the installed ones; PyTorch on other devices.

    - Networks of depthwise convolutions, such as NAFNet: ONNX Runtime in float32, PyTorch in bfloat16.
    - Others, such as MPRNet: OpenVINO.

    Args:
        model: the network.
        dtype: dtype to compute in.
    """
    if next(model.parameters()).device.type != "cpu" or model.is_prepared:
        return "torch"
    if any(isinstance(module, nn.Conv2d) and module.groups > 1 for module in model.modules()):
        best = "onnxruntime" if dtype == torch.float32 else "torch"
    else:
        best = "openvino" if dtype in (torch.float32, torch.bfloat16) else "torch"
    needed = ("onnx", best)
    return best if best == "torch" or all(importlib.util.find_spec(name) for name in needed) else "torch"
