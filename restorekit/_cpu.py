"""What the CPU can do."""

from collections.abc import Mapping
from typing import Any

import torch


def capabilities() -> Mapping[str, Any]:
    """Return the instruction sets of the CPU by name; of older PyTorch, which lists none, only those that this library asks for."""
    listed = getattr(torch.cpu, "get_capabilities", None)
    if listed is not None:
        return listed()
    amx = getattr(torch.cpu, "_is_amx_tile_supported", bool)()
    return {"avx512_bf16": getattr(torch.cpu, "_is_avx512_bf16_supported", bool)(), "amx_tile": amx, "amx_bf16": amx}
