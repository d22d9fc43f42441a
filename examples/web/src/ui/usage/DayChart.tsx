/** Bars by day: tokens read and written; for those who do not see them, a table. */
import { useState } from "react";
import { money, short } from "../words";
import { tokens, type Sum } from "./sums";

export function DayChart({ days }: { days: Sum[] }) {
  const [shown, show] = useState<Sum | null>(null);
  const most = Math.max(1, ...days.map(tokens));
  const percent = (part: number) => `${(100 * part) / most}%`;
  return (
    <figure className="days">
      <figcaption aria-hidden="true">{shown === null ? <Key most={most} /> : inWords(shown)}</figcaption>
      <div className="bars" aria-hidden="true" onPointerLeave={() => show(null)}>
        {days.map((day) => (
          <div key={day.name} onPointerEnter={() => show(day)}>
            <i className="written" style={{ height: percent(day.output) }} />
            <i className="read" style={{ height: percent(day.input) }} />
          </div>
        ))}
      </div>
      <div className="dates" aria-hidden="true">
        {[0, 0.25, 0.5, 0.75, 1].map((part) => (
          <span key={part}>{dayName(days[Math.round(part * (days.length - 1))]?.name ?? "")}</span>
        ))}
      </div>
      <Table days={days} />
    </figure>
  );
}

const Key = ({ most }: { most: number }) => (
  <>
    <i className="key read" /> read <i className="key written" /> written; the most on one day: {short(most)}
  </>
);

const inWords = (day: Sum): string =>
  `${dayName(day.name)}: ${short(tokens(day))} tokens, ${day.calls} answers, $${money(day.cost)}`;

const Table = ({ days }: { days: Sum[] }) => (
  <table className="unseen">
    <caption>Tokens by day</caption>
    <tbody>
      {days.map((day) => (
        <tr key={day.name}>
          <th scope="row">{day.name}</th>
          <td>{tokens(day)}</td>
        </tr>
      ))}
    </tbody>
  </table>
);

const dayName = (day: string): string =>
  day === "" ? "" : new Date(day).toLocaleDateString(undefined, { day: "numeric", month: "short", timeZone: "UTC" });
