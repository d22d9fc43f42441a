/** One message: what was said, and what can be done with it. */
import type { Message, Part } from "../../api/types";
import { isBlank } from "../../state/content";
import { useApp } from "../../state/store";
import { useActions } from "../context";
import { Logo } from "../parts/Cat";
import { id } from "../testids";
import { endings, wordsFor } from "../words";
import { Content } from "./Content";
import { EditBox } from "./EditBox";
import { Footer } from "./Footer";

interface Props {
  message: Message;
  content: Part[];
  live: boolean;
  pending: boolean;
  last: boolean;
}

export function MessageView({ message, content, live, pending, last }: Props) {
  const editing = useApp((state) => (state.conversation.editing?.seq === message.seq ? state.conversation.editing : null));
  if (message.role === "user" && editing !== null) return <EditBox editing={editing} />;
  const footer = !live && !pending && <Footer message={message} content={content} last={last} />;
  if (message.role === "user") {
    return (
      <div className="said">
        <div className="bubble">
          <Content content={content} role="user" live={false} />
        </div>
        {footer}
      </div>
    );
  }
  if (message.role !== "assistant") return <Aside message={message} content={content} />;
  return (
    <div className="answer" data-live={live}>
      <Avatar live={live} />
      <div className="body">
        <Content content={content} role="assistant" live={live} />
        {live ? <Waiting empty={isBlank(content)} /> : <Ending message={message} />}
        {footer}
      </div>
    </div>
  );
}

function Avatar({ live }: { live: boolean }) {
  const { skin } = useActions().api.capabilities;
  return (
    <div className="avatar" data-live={live}>
      <Logo skin={skin} size={26} />
    </div>
  );
}

/** Summaries and instructions: part of the chat, not of the dialogue. */
const Aside = ({ message, content }: { message: Message; content: Part[] }) => (
  <details className="aside">
    <summary>{message.role === "summary" ? "Summary of what came before" : "Instruction"}</summary>
    <Content content={content} role={message.role} live={false} />
  </details>
);

function Waiting({ empty }: { empty: boolean }) {
  const retrying = useApp((state) => state.conversation.live?.retrying ?? null);
  if (retrying !== null) {
    return <p className="note">{wordsFor(retrying.error).title}. Trying again (attempt {retrying.attempt + 1})…</p>;
  }
  return empty ? (
    <p className="dots" role="img" aria-label="The answer is on its way">
      <i /> <i /> <i />
    </p>
  ) : null;
}

function Ending({ message }: { message: Message }) {
  const ending = endings[message.status];
  if (ending === undefined) return null;
  if (message.error === undefined) {
    return (
      <p className="note" {...id("message-note")}>
        {ending}
      </p>
    );
  }
  const { title, advice } = wordsFor(message.error);
  return (
    <div className="failure" {...id("message-error")} data-kind={message.error.kind}>
      <strong {...id("message-note")}>{title}</strong> {advice}
    </div>
  );
}
