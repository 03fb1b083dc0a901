"""What people read while they wait: a bar on a terminal, lines elsewhere, and times in words."""

import sys

import pytest

from entropy_sums import terminal
from entropy_sums.terminal import Meter, duration


def at_a_terminal(monkeypatch):
    """No fixture: what is captured in its phase is not what is captured in the test."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "160")


def go(meter, state="well"):
    with meter:
        for done in range(5):
            meter.tell(done, state)


def test_a_log_has_lines_where_it_takes_long(capsys, monkeypatch):
    go(Meter("so far:", 4))
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(terminal, "SECONDS_BETWEEN_LINES", 0)
    go(Meter("so far:", 4))
    assert capsys.readouterr().err.splitlines() == [f"so far: {done}/4, well" for done in range(5)]


def test_a_line_can_be_asked_for(capsys):
    with Meter("so far:", 4) as meter:
        meter.tell(3, now=True)
        meter.tell(4)
    assert capsys.readouterr().err == "so far: 3/4\n"


def test_a_terminal_has_a_bar(capsys, monkeypatch):
    at_a_terminal(monkeypatch)
    go(Meter("a/long/name/of/a/job/learning_rate=0.001,seed=0-31: step", 4), "3 s, median elbo -3.1, |gap| 0.2 nats")
    out, error = capsys.readouterr()
    assert out == ""
    for said in ("a/long/name/of/a/job/learning_rate=0.001,seed=0-31: step", "4/4", "median elbo -3.1, |gap| 0.2 nats"):
        assert said in error


def test_an_error_ends_the_bar_and_is_not_hidden(capsys, monkeypatch):
    at_a_terminal(monkeypatch)
    with pytest.raises(ValueError, match="no"), Meter("so far:", 4):
        raise ValueError("no")
    # The cursor is back
    assert capsys.readouterr().err.endswith("\x1b[?25h")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (29.4, "29 s"), (31, "1 min"), (3569, "59 min"), (3571, "1 h 00 min"), (5e5, "138 h 53 min")],
)
def test_times_in_words(seconds, words):
    assert duration(seconds) == words
