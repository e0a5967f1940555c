"""Loops of one's own: outputs of all stages under DDP, FSDP and torch.compile, in two processes."""

import os
import socket

import torch
from torch import nn

from restorekit.composition import compose
from restorekit.train import AllStages

UNET = {"name": "unet", "widths": [4, 6], "block": "cab"}


def network():
    torch.manual_seed(0)
    return compose({"stages": [UNET, UNET | {"guided": True}], "grids": [[2, 1], [1, 1]]})


def images():
    torch.manual_seed(1)
    return torch.rand(2, 3, 16, 16)


def gradients(wrapped, image, model):
    """Take two steps of learning, as a parameter that is not used fails in the second one, and return the last gradients."""
    for _ in range(2):
        model.zero_grad()
        sum(output.square().mean() for output in wrapped(image)).backward()
    return {name: getattr(each.grad, "full_tensor", lambda each=each: each.grad)() for name, each in model.named_parameters()}


def _learn(rank, port, kinds, wanted):
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.distributed.init_process_group("gloo", rank=rank, world_size=2)
    try:
        for kind in kinds:
            model = network()
            module = AllStages(model)
            if kind == "fsdp":
                from torch.distributed.device_mesh import init_device_mesh
                from torch.distributed.fsdp import fully_shard

                mesh = init_device_mesh("cpu", (2,))
                for stage in model.stages:
                    fully_shard(stage, mesh=mesh)
                wrapped = fully_shard(module, mesh=mesh)
            else:
                wrapped = nn.parallel.DistributedDataParallel(module)
                if kind == "compiled":
                    wrapped = torch.compile(wrapped, backend="eager")
            found = gradients(wrapped, images()[rank : rank + 1], model)
            for name, gradient in wanted.items():
                torch.testing.assert_close(found[name], gradient, msg=lambda text, kind=kind, name=name: f"{kind}, {name}: {text}")
    finally:
        torch.distributed.destroy_process_group()


def test_gradients_of_all_stages_are_those_of_the_whole_batch(unchecked_annotations):
    model = network()
    wanted = gradients(AllStages(model), images(), model)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.start_processes(_learn, (port, ("ddp", "compiled", "fsdp"), wanted), nprocs=2, start_method="fork")


def test_all_stages_compile_as_one_graph(unchecked_annotations):
    model = network()
    compiled = torch.compile(AllStages(model), backend="aot_eager", fullgraph=True)
    for one, other in zip(compiled(images()), model.forward_stages(images()), strict=True):
        torch.testing.assert_close(one, other)
