/** The parts of a message, each in its own way. */
import { memo } from "react";
import type { Message, Part } from "../../api/types";
import { Markdown } from "../markdown/Markdown";
import { isLink, isPicture } from "../markdown/urls";
import { Icon } from "../parts/Icon";
import { id } from "../testids";

interface Props {
  content: Part[];
  role: Message["role"];
  live: boolean;
}

export const Content = memo(function Content({ content, role, live }: Props) {
  const sources = content.filter((part) => part.type === "citation");
  return (
    <>
      {content.map((part, index) => (
        <PartView key={index} part={part} plain={role === "user"} live={live && index === content.length - 1} all={content} />
      ))}
      {sources.length > 0 && <Citations sources={sources} />}
    </>
  );
});

interface PartProps {
  part: Part;
  plain: boolean;
  live: boolean;
  all: Part[];
}

function PartView({ part, plain, live, all }: PartProps) {
  switch (part.type) {
    case "text":
      return (
        <div className={plain ? "plain" : "markdown"} dir="auto" {...id("message-text")}>
          {plain ? part.text : <Markdown text={part.text} live={live} />}
        </div>
      );
    case "reasoning":
      return <Reasoning text={part.text} live={live} />;
    case "image":
      return <Picture url={part.url} alt={part.alt ?? "A picture"} />;
    case "tool_call":
      return <Tool call={part} result={all.find((other) => other.type === "tool_result" && other.id === part.id)} />;
    default:
      return null;
  }
}

const Reasoning = ({ text, live }: { text: string; live: boolean }) => (
  <details className="reasoning" {...id("reasoning")}>
    <summary data-live={live}>
      <Icon name="spark" /> {live ? "Thinking…" : "Thoughts"}
    </summary>
    <div className="markdown">
      <Markdown text={text} live={live} />
    </div>
  </details>
);

/** The answer's own pictures may come from the application itself too. */
function Picture({ url, alt }: { url: string; alt: string }) {
  const own = /^(\/|\.\/)(?!\/)/.test(url);
  if (!own && !isPicture(url)) return <p className="note">{alt}</p>;
  return <img className="picture" src={url} alt={alt} loading="lazy" referrerPolicy="no-referrer" />;
}

type Call = Extract<Part, { type: "tool_call" }>;

function Tool({ call, result }: { call: Call; result: Part | undefined }) {
  const output = result?.type === "tool_result" ? result : null;
  return (
    <details className="tool" {...id("tool")}>
      <summary>
        <Icon name="tool" /> {call.name} {output === null ? "…" : output.is_error ? "failed" : ""}
      </summary>
      <pre>{JSON.stringify(call.arguments, null, 2)}</pre>
      {output !== null && <pre>{typeof output.output === "string" ? output.output : JSON.stringify(output.output, null, 2)}</pre>}
    </details>
  );
}

function Citations({ sources }: { sources: Extract<Part, { type: "citation" }>[] }) {
  return (
    <ol className="citations" aria-label="Sources" {...id("citations")}>
      {sources.map((source, index) => (
        <li key={index}>
          {isLink(source.url) ? (
            <a href={source.url} target="_blank" rel="noopener noreferrer nofollow">
              {source.title ?? hostOf(source.url)}
            </a>
          ) : (
            (source.title ?? source.url)
          )}
        </li>
      ))}
    </ol>
  );
}

const hostOf = (url: string): string => /^[a-z]+:\/\/([^/]+)/i.exec(url)?.[1] ?? url;
