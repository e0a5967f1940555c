"""Converting the names of the original authors to ours, and back."""

from collections.abc import Mapping

from torch import Tensor

State = dict[str, Tensor]


def to_our_names(state: Mapping[str, Tensor], original_names: Mapping[str, str]) -> State:
    """Return the state with the authors' module names replaced by ours; a state in our names is returned as it is.

    A name that is not in the table is kept; the strict check then reports it.
    """
    modules = {name.rpartition(".")[0] for name in state}
    if not any(module in original_names for module in modules):
        return dict(state)
    renamed = {}
    for name, tensor in state.items():
        module, _, parameter = name.rpartition(".")
        ours = original_names.get(module)
        renamed[name if ours is None else f"{ours}.{parameter}"] = tensor
    return renamed


def to_original_names(state: Mapping[str, Tensor], original_names: Mapping[str, str]) -> State:
    """Return the state with our module names replaced by the authors' names, which their code and other programs expect.

    Raises:
        ValueError: if the table has no name for a module, for example because the model was never published.
    """
    theirs = {ours: original for original, ours in original_names.items()}
    renamed = {}
    for name, tensor in state.items():
        module, _, parameter = name.rpartition(".")
        if module not in theirs:
            raise ValueError(f"{name} has no original name; only models of published networks have original names")
        renamed[f"{theirs[module]}.{parameter}"] = tensor
    return renamed
