"""The page without a browser, by Streamlit's own tester."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from catgpt.testing import FakeOpenAI
from streamlit.testing.v1 import AppTest

APP = Path(__file__).parents[1] / "app.py"
KEY = "sk-a-key-that-nobody-may-see"


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeOpenAI]:
    """A model server, and a store of the test's own."""
    monkeypatch.setenv("PYTHON_DOTENV_DISABLED", "1")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/chat.db")
    monkeypatch.setenv("OPENAI_MODELS", "mock mock,n=1 mock,n=2 mock,n=3 mock,n=4")
    with FakeOpenAI() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        yield server
        # The engine ends before its store does.
        st.cache_resource.clear()


def page(session: str | None = None, **state: Any) -> AppTest:
    """The page, as somebody opens it."""
    at = AppTest.from_file(str(APP), default_timeout=30)
    if session:
        at.query_params["session"] = session
    at.run()
    assert not at.exception
    for name, value in state.items():
        found = [*at.text_input, *at.selectbox]
        [one] = [widget for widget in found if widget.key == name]
        one.set_value(value)
    return at


def said(at: AppTest) -> list[tuple[str, str]]:
    """What was said, by whom."""
    return [(message.name, message.markdown[0].value) for message in at.chat_message]


def say(at: AppTest, words: str) -> AppTest:
    """Says something."""
    at.chat_input[0].set_value(words).run()
    assert not at.exception
    return at


def click(at: AppTest, label: str) -> AppTest:
    """Clicks a button."""
    [button] = [button for button in at.button if button.label == label]
    button.click().run()
    assert not at.exception
    return at


def labels(at: AppTest) -> list[str]:
    return [button.label for button in at.button]


def test_without_a_key_the_offline_cat_answers(model: FakeOpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL")
    at = page()
    assert at.selectbox(key="model").value == "offline" and "Meow" in at.caption[0].value
    (_, hello), (_, answer) = said(say(at, "Hello"))
    assert hello == "Hello" and "offline cat" in answer
    assert model.requests == []


def test_a_key_goes_with_the_call_and_stays_nowhere(model: FakeOpenAI, tmp_path: Path, caplog: Any, capfd: Any) -> None:
    at = say(page(key=f" {KEY} ", model="mock,n=3", persona="plain"), "Hello")
    assert said(at)[0] == ("user", "Hello") and said(at)[1][1]
    [request] = model.requests
    assert dict(request["headers"])["authorization"] == f"Bearer {KEY}" and request["body"]["model"] == "mock,n=3"
    session = at.query_params["session"]
    later = page(session)
    assert said(later) == said(at) and later.text_input(key="key").value == ""
    # Without it the model is asked without, and says no in words.
    model.next("f=401")
    say(later, "More")
    assert [error.value for error in later.error] == ["The model refused this key. Put a valid one into the side bar."]
    assert "authorization" not in dict(model.requests[1]["headers"])
    st.cache_resource.clear()
    files = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"Hello" in files and KEY.encode() not in files
    told = capfd.readouterr()
    assert KEY not in caplog.text + told.out + told.err + str(later.query_params)


def test_an_answer_is_asked_for_again_and_summed_up(model: FakeOpenAI) -> None:
    at = say(page(model="mock,n=4"), "Hello")
    first = said(at)
    click(at, "Try again")
    assert said(at) == first and len(model.requests) == 2
    click(at, "Summarise")
    assert said(at)[2] == ("user", "Summarise your last answer in three short sentences.")
    assert said(at)[3] == first[1]
    told = model.requests[2]["body"]["messages"]
    assert [message["content"].strip() for message in told[1:]] == ["Hello", first[1][1], said(at)[2][1]]


def test_the_persona_is_the_one_that_is_chosen(model: FakeOpenAI) -> None:
    at = say(page(model="mock,n=1", persona="cat"), "Hello")
    at.selectbox(key="persona").set_value("plain")
    say(at, "More")
    cat, plain = (request["body"]["messages"][0]["content"] for request in model.requests)
    assert "cat" in cat.lower() and cat != plain


def test_chats_are_switched_renamed_exported_and_deleted(model: FakeOpenAI) -> None:
    at = say(page(model="mock,n=2"), "About cats")
    cats = at.query_params["session"]
    click(at, "New chat")
    assert "session" not in at.query_params and said(at) == []
    say(at, "About dogs")
    assert {"About cats", "About dogs"} <= set(labels(at))
    click(at, "About cats")
    assert at.query_params["session"] == cats and said(at)[0] == ("user", "About cats")
    [title] = [field for field in at.text_input if field.label == "Title"]
    assert title.value == "About cats"
    title.set_value("Purring").run()
    assert "Purring" in labels(at) and "About cats" not in labels(at)
    click(at, "About dogs")
    [title] = [field for field in at.text_input if field.label == "Title"]
    assert title.value == "About dogs"
    click(at, "Delete it with all that was said")
    assert "About dogs" not in labels(at) and "Purring" in labels(at) and said(at) == []


def test_what_was_said_is_read_without_a_model(model: FakeOpenAI) -> None:
    at = say(page(model="mock,n=2"), "Hello")
    session, history = at.query_params["session"], said(at)
    model.close()
    later = page(session, model="mock,n=2")
    assert said(later) == history
    say(later, "Are you there?")
    assert [error.value for error in later.error] == ["The model cannot be reached. What was said is kept: try again when it can."]
    assert said(later)[:3] == [*history, ("user", "Are you there?")]
    later.selectbox(key="model").set_value("offline")
    assert said(click(later, "Try again"))[3][1] and not later.error


def test_an_answer_that_breaks_off_keeps_what_came(model: FakeOpenAI) -> None:
    model.next("n=9,f=cut,k=3")
    at = say(page(model="mock"), "Hello")
    assert said(at)[1][1] and at.error[0].value == "Interrupted. What came is kept."
    assert "Try again" in labels(at)


def test_an_address_of_nobodys_chat_is_a_new_one(model: FakeOpenAI) -> None:
    for strange in ("no-such-chat", "\x00", "x" * 500):
        at = page(strange)
        assert said(at) == [] and not at.error
    assert say(at, "Hello").query_params["session"] != strange


def test_with_a_login_everybody_has_chats_of_their_own(model: FakeOpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    class Visitor(dict[str, Any]):
        __getattr__ = dict.__getitem__

    monkeypatch.setattr(st, "user", Visitor(is_logged_in=False))
    assert labels(page()) == ["Log in"]
    seen: list[str] = []
    for name in ("alice", "bob"):
        monkeypatch.setattr(st, "user", Visitor(is_logged_in=True, iss="https://id.example", sub=name))
        at = page(seen[0] if seen else None)
        assert said(at) == [] and "Hers" not in labels(at)
        seen.append(say(at, "Hers" if name == "alice" else "His").query_params["session"])
    monkeypatch.setattr(st, "user", Visitor(is_logged_in=True, iss="https://id.example", sub="alice"))
    assert said(page(seen[0]))[0] == ("user", "Hers")


def test_it_is_one_file_of_at_most_two_hundred_lines() -> None:
    assert len(APP.read_text().splitlines()) <= 200
