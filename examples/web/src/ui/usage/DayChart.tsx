/** Bars by day, drawn by hand: tokens read and written; for those who do not see them, a table. */
import { useState } from "react";
import { money, short } from "../words";
import { tokens, type Sum } from "./sums";

const WIDTH = 720;
const HEIGHT = 180;
const BASE = HEIGHT - 22;

export function DayChart({ days }: { days: Sum[] }) {
  const [at, setAt] = useState<number | null>(null);
  const most = Math.max(1, ...days.map(tokens));
  const step = WIDTH / days.length;
  const shown = at === null ? null : days[at];
  return (
    <figure className="days">
      <figcaption aria-hidden="true">
        {shown == null ? (
          <>
            <i className="key read" /> read <i className="key written" /> written
          </>
        ) : (
          `${dayName(shown.name)}: ${short(tokens(shown))} tokens, ${shown.calls} answers, $${money(shown.cost)}`
        )}
      </figcaption>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={`Tokens by day; the most on one day are ${short(most)}`} onPointerLeave={() => setAt(null)}>
        {[0, 0.5, 1].map((part) => (
          <line key={part} className="grid" x1={0} x2={WIDTH} y1={BASE - part * (BASE - 14)} y2={BASE - part * (BASE - 14)} />
        ))}
        <text x={0} y={10}>
          {short(most)}
        </text>
        {days.map((day, index) => (
          <Bar key={day.name} day={day} x={index * step} width={step} most={most} label={index % 7 === days.length % 7} look={() => setAt(index)} />
        ))}
      </svg>
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
    </figure>
  );
}

interface BarProps {
  day: Sum;
  x: number;
  width: number;
  most: number;
  label: boolean;
  look: () => void;
}

function Bar({ day, x, width, most, label, look }: BarProps) {
  const scale = (BASE - 14) / most;
  const read = day.input * scale;
  const written = day.output * scale;
  const inner = width * 0.66;
  const left = x + (width - inner) / 2;
  return (
    <g onPointerEnter={look}>
      <rect className="reach" x={x} y={0} width={width} height={BASE} />
      <rect className="read" x={left} y={BASE - read} width={inner} height={read} rx={2} />
      <rect className="written" x={left} y={BASE - read - written} width={inner} height={written} rx={2} />
      {label && (
        <text x={x + width / 2} y={HEIGHT - 6} textAnchor="middle">
          {dayName(day.name)}
        </text>
      )}
    </g>
  );
}

const dayName = (day: string): string => new Date(day).toLocaleDateString(undefined, { day: "numeric", month: "short", timeZone: "UTC" });
