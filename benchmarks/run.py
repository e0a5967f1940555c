"""Runs a benchmark: python benchmarks/run.py CASE [options].

    python benchmarks/run.py --list           # which there are
    python benchmarks/run.py speed --help     # what one measures, and its options
    python benchmarks/run.py speed --record   # writes benchmarks/results/speed.json, too

Results are printed as Markdown. After --record, `python docs/generate.py` brings the tables in the documentation up to date.
"""

import argparse
import ast
import importlib
import shlex
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER))


def cases() -> dict[str, str]:
    """Return the documentation of all cases by name, without importing any."""
    files = sorted(path for path in (FOLDER / "cases").glob("*.py") if not path.name.startswith("_"))
    return {path.stem: ast.get_docstring(ast.parse(path.read_text())) or "" for path in files}


def main(arguments: list[str] | None = None) -> None:
    """Measure, and show or record what was measured."""
    arguments = sys.argv[1:] if arguments is None else arguments
    known = cases()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="show all cases")
    parser.add_argument("case", nargs="?", choices=known, metavar="CASE")
    chosen, rest = parser.parse_known_args(arguments[:1])
    if chosen.case is None:
        if not chosen.list:
            parser.error("name a case; --list shows all")
        print("\n".join(f"{name:15}{text.splitlines()[0]}" for name, text in known.items()))
        return

    import _harness

    module = importlib.import_module(f"cases.{chosen.case}")
    parser = argparse.ArgumentParser(
        prog=f"run.py {chosen.case}", description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--record", action="store_true", help="write the results to benchmarks/results")
    module.add_options(parser)
    options = parser.parse_args([*rest, *arguments[1:]])
    command = "python benchmarks/run.py " + shlex.join(argument for argument in arguments if argument != "--record")
    for measurement in module.measure(options):
        measured = _harness.as_data(measurement, _harness.provenance(command, getattr(options, "device", "cpu")))
        print(_harness.show(measured) + "\n", flush=True)
        if options.record:
            print(f"written to {_harness.record(chosen.case, measured)}", file=sys.stderr)


if __name__ == "__main__":
    main()
