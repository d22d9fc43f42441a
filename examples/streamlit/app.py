"""A chat in one file: `streamlit run app.py`. What was said is in a store and not in Streamlit's session state, so a reload,
a second tab and a restart show the same, also in the middle of an answer."""

import json
import os
from collections.abc import Callable

import streamlit as st
from catgpt import CatgptError, Message, SendOptions, SessionInfo
from catgpt.sync import Engine, Reply, Session, User
from dotenv import load_dotenv

load_dotenv()
MODELS = os.environ.get("OPENAI_MODELS", "gpt-4o-mini gpt-4o gpt-4.1-mini gpt-4.1").split()
PERSONAS = {"cat": "CatGPT", "plain": "Plain assistant"}
AVATARS = {"user": ":material/person:", "assistant": "🐱"}
SUMMARISE = "Summarise your last answer in three short sentences."
WORDS = {
    "unauthorized": "The model refused this key. Put a valid one into the side bar.",
    "busy": "An answer is still being written here. Wait for it, or stop it.",
    "rate_limited": "The model has no room right now, or this key's quota is used up. Try again in a while.",
    "unavailable": "The model cannot be reached. What was said is kept: try again when it can.",
    "timeout": "The model did not answer in time. Try again.",
    "context_too_long": "This is too long for the model. Say it in fewer words, or begin a new chat.",
    "truncated": "Interrupted. What came is kept.",
    "refused": "The model does not answer this.",
}


@st.cache_resource(on_release=lambda engine: engine.close())
def shared() -> Engine:
    """One for all tabs: an answer goes on while none of them looks."""
    return Engine(
        model={"offline": "offline", "*": MODELS[0]},
        base_url=os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1"),
        api_key=os.environ.get("OPENAI_API_KEY"),
        memory=os.environ.get("DATABASE_URL", "sqlite:///./chat.db"),
    )


def owner() -> User:
    """With a login in `.streamlit/secrets.toml`, who is logged in; else the one person of this computer."""
    if "is_logged_in" not in st.user:
        return shared().local()
    if not st.user.is_logged_in:
        st.button("Log in", on_click=st.login)
        st.stop()
    return shared().user(f"{st.user.get('iss')} {st.user.get('sub')}")


def words(error: CatgptError) -> str:
    return WORDS.get(error.code, error.message)


def begin(what: Callable[[], Reply | None]) -> None:
    """Does what a click asks for. A turn is only begun: the page then watches what runs, as after a reload."""
    try:
        if reply := what():
            st.query_params["session"] = reply.session
            reply.close()
    except CatgptError as error:
        st.session_state.error = words(error)


def options() -> SendOptions:
    """The key goes with the call and is kept nowhere."""
    given: SendOptions = {"model": st.session_state.model, "persona": st.session_state.persona}
    if key := st.session_state.key.strip():
        given["credentials"] = key
    return given


def say(session: Session, text: str) -> None:
    begin(lambda: session.send(text, **options()))


def show(session: Session | None = None) -> None:
    st.query_params.clear()
    if session:
        st.query_params["session"] = session.id


def opened(user: User) -> Session:
    try:
        return user.session(st.query_params["session"])
    except (KeyError, CatgptError):
        return user.new_session()


def side_bar(user: User, session: Session, info: SessionInfo | None) -> None:
    st.text_input("OpenAI API key", type="password", key="key", autocomplete="off", help="Stays in this tab's memory only.")
    known = bool(st.session_state.key or os.environ.get("OPENAI_API_KEY") or os.environ.get("OPENAI_BASE_URL"))
    st.selectbox("Model", [*MODELS, "offline"], 0 if known else len(MODELS), key="model", accept_new_options=True)
    st.selectbox("Persona", list(PERSONAS), key="persona", format_func=lambda name: PERSONAS[name])
    st.button("New chat", icon=":material/add:", on_click=show, width="stretch")
    for chat in user.sessions().sessions:
        title, here = ("● " if chat.running else "") + (chat.title or "New chat"), chat.id == session.id
        st.button(title, key=chat.id, on_click=show, args=(user.session(chat.id),), width="stretch", disabled=here)
    if info:
        st.divider()
        with st.popover("Rename", width="stretch"):
            field = f"title {session.id} {info.title}"
            st.text_input("Title", info.title or "", key=field, on_change=lambda: begin(lambda: session.rename(st.session_state[field])))
        with st.popover("Delete", width="stretch"):
            st.button("Delete it with all that was said", key="delete", on_click=lambda: begin(lambda: delete(session)))
        st.download_button("Export", lambda: "".join(session.export("markdown")), "chat.md", "text/markdown", width="stretch")


def delete(session: Session) -> None:
    session.delete()
    show()


def said(message: Message) -> None:
    with st.chat_message(message.role, avatar=AVATARS.get(message.role)):
        st.markdown(message.text)
        if message.error:
            st.error(words(message.error))
        elif message.status in ("cancelled", "interrupted"):
            st.caption("Stopped." if message.status == "cancelled" else WORDS["truncated"])


def watch(user: User, reply: Reply) -> None:
    """Shows an answer as it grows. Whatever is clicked meanwhile interrupts this script when it next shows something, which
    it does also in silence; the answer goes on."""
    with reply, st.chat_message("assistant", avatar=AVATARS["assistant"]):
        place, text = st.empty(), ""
        st.button("Stop", icon=":material/stop:", on_click=lambda: begin(lambda: user.cancel(reply.turn)))
        for lines in reply.encoded("ndjson", min_interval=0.1, keep_alive=0.2):
            events = [json.loads(line) for line in lines.splitlines() if line]
            text += "".join(event["text"] for event in events if event["type"] == "text")
            place.markdown(text + " ▌" if text else "…")


def after(session: Session, last: Message) -> None:
    """What can be done with the last answer."""
    left, right, _ = st.columns([1, 1, 2])
    left.button("Try again", icon=":material/refresh:", on_click=lambda: begin(lambda: session.regenerate(**options())))
    if last.text:
        right.button("Summarise", icon=":material/summarize:", on_click=say, args=(session, SUMMARISE))


def main() -> None:
    st.set_page_config("CatGPT", ":cat:")
    user = owner()
    session = opened(user)
    try:
        info, history = session.info(), session.history()
    except CatgptError as error:
        info, history = None, []
        if error.code != "not_found":
            st.error(words(error))
    with st.sidebar:
        side_bar(user, session, info)
    if not history:
        st.caption("What can I do for you?" if st.session_state.persona == "plain" else "Meow! What shall we chase?")
    running = session.resume() if info and info.running else None
    for message in history:
        if message.status != "running":
            said(message)
    if "error" in st.session_state:
        st.error(st.session_state.pop("error"))
    st.chat_input("Say something", key="prompt", disabled=bool(running), on_submit=lambda: say(session, st.session_state.prompt))
    if running:
        watch(user, running)
    if info and info.running:
        st.rerun()
    if history and history[-1].role == "assistant":
        after(session, history[-1])


main()
