/** What a search found, with the words around it. */
import { useEffect, useState } from "react";
import type { Failure, Hit } from "../../api/types";
import { titleOf } from "../../state/chats";
import { asFailure } from "../../state/failure";
import { href } from "../../state/route";
import { useActions } from "../context";
import { id } from "../testids";
import { wordsFor } from "../words";

/** So long a pause in typing is a question. */
const PAUSE_MS = 200;

interface Found {
  question: string;
  hits: Hit[];
  next: string | null;
  failure: Failure | null;
}

export function SearchHits({ question, close }: { question: string; close: () => void }) {
  const { found, more } = useSearch(question);
  if (found?.failure != null) return <p className="nothing">{wordsFor(found.failure).title}</p>;
  return (
    <div className="chats" aria-busy={found?.question !== question}>
      <p className="unseen" role="status">
        {found === null ? "" : `${found.hits.length} found`}
      </p>
      {found !== null && found.hits.length === 0 && <p className="nothing">Nothing found</p>}
      <ul>
        {found?.hits.map((hit, index) => (
          <HitView key={index} hit={hit} close={close} />
        ))}
      </ul>
      {found?.next != null && (
        <button type="button" className="more" onClick={more}>
          More
        </button>
      )}
    </div>
  );
}

function HitView({ hit, close }: { hit: Hit; close: () => void }) {
  const app = useActions();
  const open = () => {
    app.store.dispatch({ type: "target", seq: hit.seq });
    close();
  };
  return (
    <li className="hit" {...id("search-hit")} data-chat={hit.session.id} data-seq={hit.seq ?? ""}>
      <a href={href({ page: "chat", chat: hit.session.id })} onClick={open}>
        <strong dir="auto">{titleOf(hit.session)}</strong>
        <span dir="auto">{hit.snippet.map((piece, index) => (piece.hit ? <mark key={index}>{piece.text}</mark> : piece.text))}</span>
      </a>
    </li>
  );
}

/** The newest question wins, whatever answer comes last. */
function useSearch(question: string): { found: Found | null; more: () => void } {
  const app = useActions();
  const [found, setFound] = useState<Found | null>(null);
  useEffect(() => {
    let gone = false;
    const done = (next: Found) => gone || setFound(next);
    const timer = setTimeout(() => {
      app.api.search(question).then(
        ({ hits, next }) => done({ question, hits, next, failure: null }),
        (thrown: unknown) => done({ question, hits: [], next: null, failure: asFailure(thrown) }),
      );
    }, PAUSE_MS);
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [app, question]);
  const more = async () => {
    if (found?.next == null) return;
    const page = await app.attempt(() => app.api.search(found.question, found.next ?? undefined));
    if (page !== undefined) setFound((now) => (now === found ? { ...found, hits: [...found.hits, ...page.hits], next: page.next } : now));
  };
  return { found, more: () => void more() };
}
