"""Figures in the documentation are those that were measured, and benchmarks are found, timed and recorded."""

import json
import os
import runpy
import subprocess
import sys
import textwrap
from types import SimpleNamespace

import pytest

from _helpers import DOCS, ROOT
from restorekit.models import list_models, pretrained_config

sys.path.insert(0, str(ROOT / "benchmarks"))
import _harness
import run
from cases import compare

sys.path.remove(str(ROOT / "benchmarks"))
RESULTS = sorted(_harness.RESULTS.glob("*.json"))


@pytest.fixture(scope="module")
def generate():
    """The functions of the program that writes what is generated in the documentation."""
    before = sys.path[:]
    functions = SimpleNamespace(**runpy.run_path(str(DOCS / "generate.py")))
    sys.path[:] = before
    return functions


@pytest.fixture
def measurement():
    columns = {"network": _harness.Column("network"), "seconds": _harness.Column("seconds, s", ".1f")}
    rows = [{"network": "ours", "seconds": 1.23456789}, {"network": "all", "seconds": 2.0, "bold": True}, {"network": "none"}]
    return _harness.Measurement("m", "About", columns, rows, {"share": 0.5}, ["Half is {share:.0%}."])


def test_figures_in_pages_are_those_that_were_measured(generate):
    pages = [ROOT / "README.md", *DOCS.rglob("*.md"), *(ROOT / "restorekit" / "assets").rglob("*.md")]
    texts = {path: path.read_text() for path in pages if path != DOCS / "benchmarks.md"}
    shown = sum(text.count("<!-- figure") for text in texts.values())
    assert shown > 10
    stale = [path for path, text in texts.items() if generate.with_figures(text) != text]
    assert (DOCS / "benchmarks.md").read_text() == generate.benchmarks(), "run: python docs/generate.py"
    assert not stale, "run: python docs/generate.py"


def test_every_result_is_of_a_case_and_says_where_it_comes_from():
    assert RESULTS
    for path in RESULTS:
        assert path.stem in run.cases()
        for measured in _harness.load_all(path.stem):
            assert measured["command"].startswith(f"python benchmarks/run.py {path.stem}")
            assert "source" in measured or {"processor", "torch"} <= set(measured["machine"])
            assert all(set(row) <= {*measured["columns"], "bold"} for row in measured["rows"])
            assert _harness.show(measured)


def test_metrics_of_bundled_weights_are_those_that_were_measured():
    blind = {row["sigma"]: row["mprnet_tiny, float32"] for row in _harness.load("denoise")["rows"] if "bold" in row}
    checked = 0
    for name in list_models(pretrained=True):
        for metric in pretrained_config(name).metrics:
            if "see the model card" in metric.protocol:
                if name == "mprnet_tiny.denoise":
                    expected = blind[int(metric.dataset.rpartition(" ")[2])]
                else:
                    mean = _harness.load("bundled", name)["rows"][-1]
                    expected = mean["psnr" if metric.name == "PSNR" else "ssim"]
                assert float(metric.value) == expected
                checked += 1
    assert checked == 7


def test_tables_have_the_formats_of_their_columns(measurement):
    measured = _harness.as_data(
        measurement, {"machine": {"processor": "P", "instruction_sets": ["AVX2"], "cores": 2, "threads": 4}, "date": "today"}
    )
    assert json.loads(json.dumps(measured)) == measured
    table = "| network | seconds, s |\n|---|---|\n| ours | 1.2 |\n| **all** | **2.0** |\n| none |  |"
    assert _harness.table(measured) == table
    assert _harness.show(measured) == f"About. Measured on P (AVX2), 2 cores, 4 threads, today.\n\n{table}\n\nHalf is 50%."
    assert _harness.table(measured, ["seconds"]).startswith("| seconds, s |\n|---|\n| 1.2 |")


def test_a_new_measurement_takes_the_place_of_the_one_of_its_name(measurement, tmp_path):
    for name, about in (("a", "first"), ("b", "other"), ("a", "second")):
        _harness.record("case", {"name": name, "about": about}, tmp_path)
    assert [each["about"] for each in _harness.load_all("case", tmp_path)] == ["second", "other"]
    assert _harness.load("case", "b", tmp_path)["about"] == "other"
    with pytest.raises(LookupError, match="case has no measurement 'c'; recorded: a, b"):
        _harness.load("case", "c", tmp_path)


def test_a_figure_that_was_not_measured_is_an_error(generate):
    with pytest.raises(LookupError, match="has no row with network=theirs"):
        generate.with_figures("<!-- figure: speed/mprnet_deblur 256x256 | column: seconds | where: network=theirs -->1<!-- end -->")


def test_runs_alternate():
    order = []
    times = _harness.alternate({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 2)
    assert order == ["a", "b"] * 3  # the first turn warms up
    assert {name: len(measured) for name, measured in times.items()} == {"a": 2, "b": 2}
    assert all(seconds >= 0 for seconds in _harness.medians(times).values())


def test_versions_take_turns_and_neighbours_are_compared(monkeypatch, tmp_path):
    order, slower = [], iter(range(1, 100))

    class Version:
        seconds, memory = 1.0, 0.5

        def __init__(self, name, root):
            self.factor = 1 if root == tmp_path else 2
            self.clock, self.cpu = [], []

        def run(self):
            order.append(self.factor)
            self.clock.append(1.0)
            self.cpu.append(next(slower) * self.factor)  # the machine becomes slower all the time

        def close(self):
            pass

    monkeypatch.setattr(compare, "Version", Version)
    row = compare.compare("work", (tmp_path, _harness.FOLDER), 3, 2)
    assert order == [2, 1, 1, 2, 2, 1] * 3  # by pairs of processes
    assert row["times"] == pytest.approx(2, rel=0.1)
    assert row["clock"] == 1
    assert row["memory_before"] == row["memory_after"] == 0.5
    assert set(row) == set(compare.COLUMNS)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_of_one_run_is_measured():
    before = _harness.resident_memory("VmRSS")
    assert 0 < before <= _harness.resident_memory("VmHWM")


def test_cases_are_listed_without_their_libraries():
    program = "import sys; sys.modules['torch'] = None; import run; run.main(['--list'])"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT / "benchmarks", capture_output=True, text=True, check=True)
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(run.cases())


def test_cases_are_importable_and_have_options():
    """They are not run here, so that a name that the library no longer has would go unseen."""
    program = """
        import argparse, importlib, run
        for name in run.cases():
            parser = argparse.ArgumentParser(prog=name)
            case = importlib.import_module(f"cases.{name}")
            case.add_options(parser)
            assert callable(case.measure) and "usage" in parser.format_help()
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(
        command, cwd=ROOT / "benchmarks", capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stderr


def test_the_description_of_a_machine_has_what_figures_depend_on():
    found = _harness.machine()
    assert found["cores"] > 0
    assert found["torch"]
    assert found["processor"]
