/** Markdown of a model, safely: HTML in it is text, links and pictures only where they may lead. Blocks are drawn once. */
import { memo, type ReactElement, type ReactNode } from "react";
import ReactMarkdown, { type Components } from "react-markdown";
import rehypeSanitize, { defaultSchema } from "rehype-sanitize";
import remarkGfm from "remark-gfm";
import { blocks, type Block as Cut } from "./blocks";
import { CodeBlock } from "./CodeBlock";
import { mend } from "./mend";
import { safeUrl } from "./urls";

export const Markdown = memo(function Markdown({ text, live = false }: { text: string; live?: boolean }) {
  const all = blocks(text);
  return all.map((block, index) => {
    const last = live && index === all.length - 1;
    return <Block key={index} text={last ? whole(block) : block.text} open={last && block.open} />;
  });
});

const whole = ({ text, open, tail }: Cut): string => (open ? text : text.slice(0, tail) + mend(text.slice(tail)));

const Block = memo(function Block({ text, open }: { text: string; open: boolean }) {
  return (
    <ReactMarkdown remarkPlugins={remark} rehypePlugins={rehype} urlTransform={safeUrl} components={open ? whileOpen : components}>
      {text}
    </ReactMarkdown>
  );
});

const remark = [remarkGfm];

/** A second lock: react-markdown already shows HTML as text. Protocols are `safeUrl`'s. */
const schema = {
  ...defaultSchema,
  protocols: { ...defaultSchema.protocols, href: ["http", "https", "mailto"], src: ["https", "data"] },
};
const rehype = [htmlAsText, [rehypeSanitize, schema]] as never;

interface Node {
  type: string;
  children?: Node[];
}

/** HTML in an answer is shown as it was written; without this the second lock would drop it unseen. */
function htmlAsText() {
  return function turn(node: Node): void {
    if (node.type === "raw") node.type = "text";
    node.children?.forEach(turn);
  };
}

const components: Components = {
  a: ({ href, children }) =>
    href ? (
      <a href={href} target="_blank" rel="noopener noreferrer nofollow">
        {children}
      </a>
    ) : (
      <span>{children}</span>
    ),
  img: ({ src, alt }) =>
    typeof src === "string" && src !== "" ? <img src={src} alt={alt ?? ""} loading="lazy" referrerPolicy="no-referrer" /> : <em>{alt}</em>,
  table: ({ children }) => (
    <div className="table" tabIndex={0} role="region" aria-label="Table">
      <table>{children}</table>
    </div>
  ),
  pre: ({ children }) => code(children, false),
};

/** A fence that is still written gets its colours, and its button, when it is whole. */
const whileOpen: Components = { ...components, pre: ({ children }) => code(children, true) };

function code(children: ReactNode, open: boolean): ReactNode {
  const element = children as ReactElement<{ className?: string; children?: ReactNode }>;
  const language = /language-([\w+#.-]+)/.exec(element.props.className ?? "")?.[1] ?? "";
  return <CodeBlock code={String(element.props.children ?? "").replace(/\n$/, "")} language={language} open={open} />;
}
