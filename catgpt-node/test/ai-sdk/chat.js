/** What `useChat` is without React: a chat of the AI SDK, whichever version, against a server. */
import * as ai5 from "ai5";
import * as ai6 from "ai6";
import * as ai7 from "ai7";

export const VERSIONS = { ai5, ai6, ai7 };

/** The state that React would show. */
class State {
  status = "ready";
  error = undefined;
  messages = [];
  pushMessage = (message) => void (this.messages = [...this.messages, message]);
  popMessage = () => void (this.messages = this.messages.slice(0, -1));
  replaceMessage = (at, message) => void (this.messages = this.messages.with(at, structuredClone(message)));
  snapshot = (value) => structuredClone(value);
}

/** A chat of this version, with what its callbacks were told. */
export function chatOf(ai, { api, id = "chat", messages = [] }) {
  const [state, seen] = [Object.assign(new State(), { messages }), { data: [], finished: [] }];
  class Chat extends ai.AbstractChat {}
  const transport = new ai.DefaultChatTransport({ api });
  const onData = (part) => seen.data.push(part);
  const onFinish = (end) => seen.finished.push(end);
  return Object.assign(new Chat({ id, transport, state, onData, onFinish, onError: () => {} }), { seen });
}

/** The text of a message. */
export const textOf = (message) => message.parts.map((part) => (part.type === "text" ? part.text : "")).join("");
