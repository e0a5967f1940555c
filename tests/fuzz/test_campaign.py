"""A few mutants of each kind in every run, and many every night; see campaign.py."""

import os

import pytest
from campaign import READ, REFUSED, campaign, tried
from targets import TARGETS, Target

COUNTS = {"configs": 15, "hub": 15}  # of what takes longer than others


@pytest.mark.usefixtures("unchecked_annotations")
@pytest.mark.parametrize("kind", TARGETS)
def test_a_mutant_is_refused_clearly_or_read_right(kind, tmp_path):
    results = [tried(kind, 0, number, tmp_path / "work") for number in range(COUNTS.get(kind, 50))]
    assert [result for result in results if result.outcome not in (READ, REFUSED)] == []
    assert REFUSED in {result.outcome for result in results}


@pytest.mark.usefixtures("unchecked_annotations")
@pytest.mark.parametrize("kind", TARGETS)
def test_what_is_not_changed_is_read(kind, tmp_path, monkeypatch):
    monkeypatch.setattr("campaign.mutate", lambda suffix, content, others, draw: content)
    outcomes = {(result := tried(kind, 0, number, tmp_path / "work")).name: result.outcome for number in range(20)}
    assert [name for name, outcome in outcomes.items() if outcome not in (READ, REFUSED)] == []
    assert READ in outcomes.values()


@pytest.mark.nightly
@pytest.mark.usefixtures("unchecked_annotations")
@pytest.mark.parametrize("kind", TARGETS)
def test_many_mutants(kind, capsys):
    assert campaign(kind, seed=1, numbers=range(2000), seconds=600)["anything else"] == 0, capsys.readouterr().out


def hang(path):
    while True:
        pass


def die(path):
    os._exit(7)


def litter(path):
    path.with_name("other").write_text("")


def mumble(path):
    raise ValueError("no")


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (hang, "took more than 0 s"),
        (die, "the process ended with 7"),
        (litter, "changed a file"),
        (mumble, "unclear: 'no'"),
        (lambda path: {}["a"], "KeyError: 'a'"),
    ],
    ids=["hang", "die", "litter", "mumble", "bug"],
)
def test_faults_are_noticed(use, words, monkeypatch, capsys):
    monkeypatch.setitem(TARGETS, "faulty", Target(lambda: {"a.bin": b"abc"}, use, (ValueError,)))
    if use is hang:
        monkeypatch.setattr("campaign.SECONDS", 0)
    found = campaign("faulty", seed=0, numbers=range(2), seconds=60)
    assert {what: found[what] for what in ("tried", "anything else")} == {"tried": 2, "anything else": 2}
    assert capsys.readouterr().out.count(words) >= 2
