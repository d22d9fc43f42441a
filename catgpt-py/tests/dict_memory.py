"""A store that is written in Python: dictionaries, and the contract of `catgpt_core::Memory`."""

from __future__ import annotations

import copy
import time
from typing import Any

from catgpt import BusyError, ConflictError, InvalidInputError, Memory, NotFoundError, UnsupportedError

Data = dict[str, Any]

# What each operation is called in the journal. A store says so when it is asked for what it lacks.
KINDS = {
    "create": "created",
    "set_title": "renamed",
    "set_pin": "updated",
    "set_head": "updated",
    "delete": "deleted",
}


def now_ms() -> int:
    return int(time.time() * 1000)


class Chat:
    """One session: its row, its tree, and the turn that runs in it."""

    def __init__(self, id: str) -> None:
        self.row: Data = {"id": id, "title": None, "pin": None, "head": None, "version": 0}
        self.row |= {"created_ms": now_ms(), "updated_ms": now_ms()}
        self.tree: list[Data] = []
        self.running: Data | None = None

    def session(self) -> Data:
        running = {"running": self.running and self.running["turn"], "expired": self.expired()}
        return {**self.row, **running, "messages": len(self.tree)}

    def changed(self, **fields: Any) -> Data:
        self.row |= {**fields, "version": self.row["version"] + 1, "updated_ms": now_ms()}
        return {"version": self.row["version"]}

    def find(self, seq: int | None) -> Data:
        if seq is None or not 1 <= seq <= len(self.tree):
            raise NotFoundError("no such message")
        return self.tree[seq - 1]

    def above(self, parent: Any, answer: bool) -> int | None:
        above: int | None
        roles = ["user", "assistant"]
        match parent:
            case "head":
                above = self.row["head"]
            case {"under": seq}:
                above = self.find(seq)["seq"]
            case _:
                above = self.find(parent["beside"] or self.row["head"])["parent"]
                roles = ["user"]
        if answer and (above is None or self.find(above)["role"] not in roles):
            raise InvalidInputError("only a user's message can be answered, and only a reply gone on from")
        return above

    def push(self, turn: str, parent: int | None, role: str, **fields: Any) -> int:
        seq = len(self.tree) + 1
        row = {"seq": seq, "parent": parent, "turn": turn, "role": role, "model": None, "usage": None}
        self.tree.append({**row, "created_ms": now_ms(), **fields})
        self.row["head"] = seq
        return seq

    def branch(self, head: int | None, limit: Data) -> tuple[list[Data], bool]:
        rows: list[Data] = []
        while head is not None:
            rows.append(self.find(head))
            head = rows[-1]["parent"]
        rows, more = take(rows, limit)
        return rows[::-1], more

    def expired(self) -> bool:
        return self.running is not None and self.left() == 0

    def left(self) -> int:
        return max(0, int((self.running["until"] - time.monotonic()) * 1000)) if self.running else 0

    def opened(self, running: Data, window: Data) -> Data:
        rows, _ = self.branch(self.find(running["reply"])["parent"], window)
        known = {"created": running["created"], "user_seq": running["user"], "reply_seq": running["reply"]}
        return {"started": {"session": self.session(), "window": rows, **known}}

    def view(self, rows: list[Data], more: bool, after: int = 0) -> Data:
        run = self.running
        shown = run is not None and any(row["seq"] == run["reply"] for row in rows)
        chunks = [chunk for chunk in run["chunks"] if chunk["to"] > after] if run and shown else []
        return {"session": self.session(), "rows": rows, "chunks": chunks, "more": more}


def take(rows: list[Data], limit: Data) -> tuple[list[Data], bool]:
    taken, size = 0, 0
    for row in rows:
        size += len(row["body"])
        if taken and (taken >= limit["messages"] or size > limit["bytes"]):
            return rows[:taken], True
        taken += 1
    return rows, False


class DictMemory(Memory):
    """Some methods are `async def` and some are `def`, to prove both."""

    poll = 0.02

    def __init__(self) -> None:
        self.chats: dict[tuple[str, str], Chat] = {}
        self.turns: dict[str, tuple[str, str, int]] = {}
        self.keys: dict[tuple[str, str, str], tuple[str, str]] = {}
        self.done: dict[tuple[str, str], list[Any]] = {}
        self.journal: dict[str, list[Data]] = {}

    def chat(self, owner: str, session: str) -> Chat:
        if (owner, session) not in self.chats:
            raise NotFoundError("no such session")
        return self.chats[owner, session]

    def place(self, owner: str, turn: str) -> tuple[Chat, Data]:
        whose, session, seq = self.turns.get(turn, ("", "", 0))
        if whose != owner:
            raise NotFoundError("no such turn", turn=turn)
        chat = self.chat(owner, session)
        return chat, chat.find(seq)

    def note(self, owner: str, session: str, kind: str, turn: str | None = None) -> None:
        journal = self.journal.setdefault(owner, [])
        entry = {"n": len(journal) + 1, "session": session, "kind": kind, "at_ms": now_ms()}
        journal.append({**entry, "turn": turn} if turn else entry)

    async def begin_turn(self, owner: str, begin: Data) -> Any:
        session, turn, key = begin["session"], begin["turn"], begin["key"]
        if turn in self.turns:
            return self.again(owner, begin)
        if key and (known := self.keys.get((owner, session, key["key"]))):
            if known[0] != key["hash"]:
                raise ConflictError("this key was used for something else; take a new one", turn=known[1])
            return {"replay": {"turn": known[1]}}
        created = (owner, session) not in self.chats
        chat = Chat(session) if created else self.chats[owner, session]
        if refused := self.gate(chat, begin):
            return refused
        above = chat.above(begin["parent"], begin["message"] is None)
        if begin["reserve"] or begin["max_running"] is not None or begin["ttl_ms"] is not None:
            raise UnsupportedError("this store has no limits and forgets nothing")
        if created:
            self.chats[owner, session] = chat
            self.note(owner, session, "created")
        if not chat.tree and chat.row["title"] is None:
            chat.row["title"] = begin["title"]
        user = None
        if begin["message"] is not None:
            user = above = chat.push(turn, above, "user", status="complete", body=begin["message"])
        reply = chat.push(turn, above, "assistant", status="running", body="", model=begin["model"])
        if chat.row["pin"] is None or begin["pin"]["replace"]:
            chat.row["pin"] = begin["pin"]["body"]
        chat.running = {"turn": turn, "reply": reply, "user": user, "created": created, "chunks": [], "cancel": False}
        chat.running["until"] = time.monotonic() + begin["lease_ms"] / 1000
        chat.changed()
        self.turns[turn] = (owner, session, reply)
        if key:
            self.keys[owner, session, key["key"]] = (key["hash"], turn)
        self.note(owner, session, "turn_begun", turn)
        return chat.opened(chat.running, begin["window"])

    def again(self, owner: str, begin: Data) -> Any:
        chat, _ = self.place(owner, begin["turn"])
        if chat.row["id"] != begin["session"]:
            raise ConflictError("this turn is in another session; take a new id", turn=begin["turn"])
        if chat.running is None or chat.running["turn"] != begin["turn"]:
            return {"replay": {"turn": begin["turn"]}}
        chat.running["until"] = time.monotonic() + begin["lease_ms"] / 1000
        return chat.opened(chat.running, begin["window"])

    def gate(self, chat: Chat, begin: Data) -> Any:
        if begin["if_version"] not in (None, chat.row["version"]):
            raise ConflictError("the session has changed; read it again")
        if chat.running is None:
            return None
        turn = {"turn": chat.running["turn"]}
        return {"stale": turn} if chat.expired() else {"busy": {**turn, "lease_left_ms": chat.left()}}

    async def checkpoint(self, owner: str, checkpoint: Data) -> Any:
        try:
            chat, _ = self.place(owner, checkpoint["turn"])
        except NotFoundError:
            return "refused"
        run = chat.running
        if run is None or run["turn"] != checkpoint["turn"]:
            return "refused"
        end = run["chunks"][-1]["to"] if run["chunks"] else 0
        if checkpoint["body"] and checkpoint["to"] > end:
            if checkpoint["from"] != end:
                raise ConflictError("this piece does not begin where the last one ended")
            run["chunks"].append({name: checkpoint[name] for name in ("from", "to", "body")})
        run["until"] = time.monotonic() + checkpoint["lease_ms"] / 1000
        return {"renewed": {"cancel": run["cancel"]}}

    def finish_turn(self, owner: str, finish: Data) -> Any:
        chat, row = self.place(owner, finish["turn"])
        if chat.running is None or chat.running["turn"] != finish["turn"]:
            return {"before": row}
        if finish["if_expired"] and not chat.expired():
            return {"alive": {"lease_left_ms": chat.left()}}
        row |= {name: finish[name] for name in ("status", "body", "usage")}
        chat.running = None
        chat.changed()
        self.note(owner, chat.row["id"], "turn_ended", finish["turn"])
        return "now"

    async def apply(self, owner: str, op_id: str, ops: list[Any]) -> Any:
        if (owner, op_id) not in self.done:
            before = copy.deepcopy((self.chats, self.turns, self.keys, self.journal))
            try:
                self.done[owner, op_id] = [self.op(owner, *next(iter(op.items()))) for op in ops]
            except Exception:
                self.chats, self.turns, self.keys, self.journal = before
                raise
        return self.done[owner, op_id]

    def op(self, owner: str, name: str, it: Data) -> Any:
        if name == "cancel":
            chat, _ = self.place(owner, it["turn"])
            if chat.running is None or chat.running["turn"] != it["turn"]:
                return "nothing"
            chat.running["cancel"] = True
            return {"version": chat.row["version"]}
        if name == "import":
            return self.bring(owner, it["session"], it["after"], it["rows"])
        if name not in KINDS or it.get("meta") is not None or it.get("ttl_ms") is not None:
            raise UnsupportedError("this store cannot do that")
        session = it["session"]
        if name == "create":
            if (owner, session) in self.chats:
                return "nothing"
            self.chats[owner, session] = Chat(session)
        chat = self.chat(owner, session)
        if it.get("over") not in (None, chat.row["title"]):
            return "nothing"
        self.note(owner, session, "titled" if it.get("over") is not None else KINDS[name])
        if name == "set_head":
            return self.set_head(chat, it)
        if name != "delete":
            return chat.changed(**{field: it[field] for field in ("title", "pin") if field in it})
        del self.chats[owner, session]
        self.turns = {turn: place for turn, place in self.turns.items() if place[:2] != (owner, session)}
        return "nothing"

    def bring(self, owner: str, it: Data, after: int, rows: list[Data]) -> Any:
        here = self.chats.get((owner, it["id"]))
        if (here is None) != (after == 0) or (here is not None and len(here.tree) != after):
            raise ConflictError("the session has other messages")
        if here and here.running is not None:
            raise BusyError("a turn runs in this session", turn=here.running["turn"])
        chat = self.chats.setdefault((owner, it["id"]), here or Chat(it["id"]))
        chat.tree += [{**row, "turn": None} for row in rows]
        self.note(owner, it["id"], "updated" if here else "created")
        version = chat.changed(**{name: it[name] for name in ("title", "pin", "head", "created_ms")})
        chat.row["updated_ms"] = it["updated_ms"]
        return version

    def set_head(self, chat: Chat, it: Data) -> Any:
        if chat.running is not None:
            raise BusyError("a turn runs in this session", turn=chat.running["turn"])
        if it["if_version"] not in (None, chat.row["version"]):
            raise ConflictError("the session has changed; read it again")
        return chat.changed(head=chat.find(it["head"])["seq"])

    def read(self, owner: str, read: Data) -> Any:
        match read:
            case {"branch": it}:
                chat = self.chat(owner, it["session"])
                return chat.view(*chat.branch(it["head"] or chat.row["head"], it["limit"]))
            case {"tree": it}:
                chat = self.chat(owner, it["session"])
                rows = chat.tree[it["after"] :]
                if it["bodies"]:
                    return chat.view(*take(rows, it["limit"]))
                bare, more = take([{**row, "body": ""} for row in rows], it["limit"])
                return {**chat.view(bare, more), "chunks": []}
            case _:
                chat, row = self.place(owner, read["tail"]["turn"])
                return chat.view([row], False, read["tail"]["from"])

    async def query(self, owner: str, query: Any) -> Any:
        chats = [chat for (whose, _), chat in self.chats.items() if whose == owner]
        match query:
            case "turns":
                alive = [chat for chat in chats if chat.running and not chat.expired()]
                return {"turns": sorted([chat.row["id"], chat.session()["running"]] for chat in alive)}
            case {"session": it}:
                return {"sessions": {"rows": [self.chat(owner, it["session"]).session()], "more": False}}
            case {"changes": it}:
                return {"changes": self.journal.get(owner, [])[it["after"] :][: it["limit"]]}
            case "journal_end":
                return {"journal_end": len(self.journal.get(owner, []))}
            case {"journals": it}:
                news = [[whose, self.journal.get(whose, [])[n:][: it["limit"]]] for whose, n in it["after"]]
                return {"journals": [[whose, changes] for whose, changes in news if changes]}
            case {"sessions": it}:
                # Nothing can be put away here.
                chats = [] if it["archived"] else chats
            case _:
                raise UnsupportedError("this store cannot be asked that")
        rows = sorted((chat.session() for chat in chats), key=lambda row: (row["updated_ms"], row["id"]), reverse=True)
        if last := it["after"]:
            rows = [row for row in rows if (row["updated_ms"], row["id"]) < (last["updated_ms"], last["session"])]
        return {"sessions": {"rows": rows[: it["limit"]], "more": len(rows) > it["limit"]}}

    def sweep(self, limit: int) -> Any:
        dead = [[owner, chat.running["turn"]] for (owner, _), chat in self.chats.items() if chat.running and chat.expired()]
        return {"expired": dead[:limit], "deleted": 0, "more": len(dead) > limit}
