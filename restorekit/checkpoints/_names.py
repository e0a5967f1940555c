"""Converting the names of the original authors to ours, and back."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping

from torch import Tensor

State = dict[str, Tensor]

DEEPEST = 32  # parts of a name


def to_our_names(state: Mapping[str, Tensor], original_names: Mapping[str, str]) -> State:
    """Return the state with the authors' names replaced by ours; a state in our names is returned as it is.

    A name that is not in the table is kept; the strict check then reports it.
    """
    modules = {name.rpartition(".")[0] for name in state}
    if not any(module in original_names for module in modules):
        return dict(state)
    return {_renamed(name, original_names) or name: tensor for name, tensor in state.items()}


def _renamed(name: str, table: Mapping[str, str]) -> str | None:
    """Return the new name of a parameter, by its entry in the table or that of its module; None if there is neither."""
    if name in table:
        return table[name]
    module, _, parameter = name.rpartition(".")
    return f"{table[module]}.{parameter}" if module in table else None


def prefixes(names: Iterable[str], modules: Collection[str]) -> Counter[str]:
    """Return what may come before the names of a model in a file, such as ``"module."``, and before how many names it does.

    Args:
        names: names of parameters in a file.
        modules: names of the modules that parameters of the model belong to.

    Example:
        >>> prefixes(["net.body.weight", "net.body.bias", "loss.scale"], {"body"})
        Counter({'net.': 2})
    """
    found: Counter[str] = Counter()
    for steps in _steps(names):
        for i in range(len(steps) - 1):
            if ".".join(steps[i:-1]) in modules:
                found["".join(f"{step}." for step in steps[:i])] += 1
    return found


def common_prefixes(names: Collection[str], share: float = 0.1) -> list[str]:
    """Return the prefixes that many names have in common, shortest first; the first is empty.

    Args:
        names: names of parameters in a file.
        share: part of the names that must have a prefix.

    Example:
        >>> common_prefixes([f"module.net.{i}.weight" for i in range(20)])
        ['', 'module.', 'module.net.']
    """
    found: Counter[str] = Counter()
    for steps in _steps(names):
        found.update("".join(f"{step}." for step in steps[:i]) for i in range(len(steps)))
    return sorted((prefix for prefix, number in found.items() if number > share * len(names)), key=len)


def _steps(names: Iterable[str]) -> Iterator[list[str]]:
    """Yield the parts of the names that have as few as those of a network, so that no name takes long."""
    yield from (name.split(".") for name in names if name.count(".") < DEEPEST)


def to_original_names(state: Mapping[str, Tensor], original_names: Mapping[str, str]) -> State:
    """Return the state with our names replaced by the authors' names, which their code and other programs expect.

    Raises:
        ValueError: if the table has no name for a module, for example because the model was never published.
    """
    theirs = {ours: original for original, ours in original_names.items()}
    renamed = {}
    for name, tensor in state.items():
        original = _renamed(name, theirs)
        if original is None:
            raise ValueError(f"{name} has no original name; only models of published networks have original names")
        renamed[original] = tensor
    return renamed
