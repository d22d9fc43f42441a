/** What was used: in all, by day, by model, and how much of each limit is left. */
import { useEffect, useState } from "react";
import type { Failure, LimitState, Spent } from "../../api/types";
import { asFailure } from "../../state/failure";
import { useActions } from "../context";
import { ConnectionPill } from "../chat/ChatPane";
import { Icon } from "../parts/Icon";
import { id } from "../testids";
import { money, short, span, wordsFor } from "../words";
import { DayChart } from "./DayChart";
import { byDay, byModel, tokens, total, type Sum } from "./sums";

export function UsagePage({ openSidebar }: { openSidebar: () => void }) {
  const app = useActions();
  const [data, setData] = useState<{ usage: Spent[]; limits: LimitState[] } | null>(null);
  const [failure, setFailure] = useState<Failure | null>(null);
  useEffect(() => {
    app.api.usage().then(setData, (thrown: unknown) => setFailure(asFailure(thrown)));
  }, [app]);
  return (
    <main className="usage" id="main" tabIndex={-1} {...id("usage")}>
      <header className="bar">
        <button type="button" className="icon drawer" {...id("sidebar-open")} aria-label="Chats" onClick={openSidebar}>
          <Icon name="menu" />
        </button>
        <h1>Usage</h1>
        <ConnectionPill />
      </header>
      <div className="sheets" tabIndex={0} role="region" aria-label="Figures">
        {failure !== null && <p role="alert">{wordsFor(failure).title}. {wordsFor(failure).advice}</p>}
        {failure === null && data === null && <p aria-busy="true">Reading…</p>}
        {data !== null && <Sheets usage={data.usage} limits={data.limits} />}
      </div>
    </main>
  );
}

function Sheets({ usage, limits }: { usage: Spent[]; limits: LimitState[] }) {
  const all = total(usage);
  return (
    <>
      <section className="cards" aria-label="In all">
        <Card name="Answers" value={short(all.calls)} />
        <Card name="Tokens read" value={short(all.input)} />
        <Card name="Tokens written" value={short(all.output)} />
        <Card name="Cost" value={`$${money(all.cost)}`} />
      </section>
      {limits.length > 0 && <Limits limits={limits} />}
      <section className="sheet" {...id("usage-by-day")} aria-label="By day">
        <h2>Last 30 days</h2>
        <DayChart days={byDay(usage, Date.now())} />
      </section>
      <section className="sheet" {...id("usage-by-model")} aria-label="By model">
        <h2>By model</h2>
        <Models models={byModel(usage)} />
      </section>
    </>
  );
}

const Card = ({ name, value }: { name: string; value: string }) => (
  <div className="card">
    <span>{name}</span>
    <strong>{value}</strong>
  </div>
);

function Limits({ limits }: { limits: LimitState[] }) {
  return (
    <section className="sheet" aria-label="Limits">
      <h2>Limits</h2>
      {limits.map((limit) => (
        <div key={limit.name} className="limit" {...id("usage-limit")} data-name={limit.name} data-full={limit.used >= 0.9 * limit.max}>
          <div>
            <strong>{limit.name}</strong>
            <span>
              {short(limit.used)} of {short(limit.max)} {limit.unit === limit.name ? "" : limit.unit} per {span(limit.window_ms)}
              {limit.resets_ms > Date.now() && `, free again in ${span(limit.resets_ms - Date.now())}`}
            </span>
          </div>
          <meter min={0} max={limit.max} value={Math.min(limit.used, limit.max)} aria-label={`${limit.name}: ${limit.used} of ${limit.max}`} />
          <div className="track" aria-hidden="true">
            <i style={{ width: `${Math.min(100, (100 * limit.used) / Math.max(1, limit.max))}%` }} />
          </div>
        </div>
      ))}
    </section>
  );
}

function Models({ models }: { models: Sum[] }) {
  if (models.length === 0) return <p className="nothing">Nothing was used yet</p>;
  const most = Math.max(1, ...models.map(tokens));
  return (
    <table className="models">
      <thead>
        <tr>
          <th scope="col">Model</th>
          <th scope="col">Answers</th>
          <th scope="col">Tokens</th>
          <th scope="col">Cost</th>
        </tr>
      </thead>
      <tbody>
        {models.map((model) => (
          <tr key={model.name}>
            <th scope="row">
              {model.name}
              <div className="track" aria-hidden="true">
                <i style={{ width: `${(100 * tokens(model)) / most}%` }} />
              </div>
            </th>
            <td>{short(model.calls)}</td>
            <td>{short(tokens(model))}</td>
            <td>${money(model.cost)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
