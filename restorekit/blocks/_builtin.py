"""PyTorch modules that can be used as parts by name."""

from torch import nn

from restorekit.parts import register_activation, register_block

register_block("identity")(nn.Identity)

for _name, _activation in {
    "prelu": nn.PReLU,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}.items():
    register_activation(_name)(_activation)
