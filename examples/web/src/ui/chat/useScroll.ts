/**
 * The scroller of a chat: it follows the end while the reader is there, and holds still what the reader looks at when
 * anything above changes its height (older messages, rows that come into view).
 */
import { useCallback, useEffect, useLayoutEffect, useRef, useState, type RefObject } from "react";

/** So near the end counts as at the end. */
const NEAR = 24;

interface Anchor {
  row: Element;
  top: number;
}

export interface Scroll {
  away: boolean;
  toEnd(smooth?: boolean): void;
  show(row: Element): void;
}

export function useScroll(scroller: RefObject<HTMLElement | null>, nearTop: () => void): Scroll {
  const stuck = useRef(true);
  const anchor = useRef<Anchor | null>(null);
  const [away, setAway] = useState(false);

  const settle = useCallback(() => {
    const box = scroller.current;
    if (box === null) return;
    if (stuck.current) box.scrollTop = box.scrollHeight;
    else if (anchor.current?.row.isConnected) box.scrollTop += topOf(anchor.current.row, box) - anchor.current.top;
    if (box.scrollTop < box.clientHeight * 1.5) nearTop();
  }, [scroller, nearTop]);

  useEffect(() => {
    const box = scroller.current;
    if (box === null) return;
    let last = box.scrollTop;
    const scrolled = () => {
      const left = box.scrollHeight - box.scrollTop - box.clientHeight;
      if (left <= NEAR) stuck.current = true;
      else if (box.scrollTop < last) stuck.current = false;
      last = box.scrollTop;
      anchor.current = firstVisible(box);
      setAway(!stuck.current && left > box.clientHeight / 3);
      if (box.scrollTop < box.clientHeight * 1.5) nearTop();
    };
    const wheeled = (event: WheelEvent) => {
      if (event.deltaY < 0 && box.scrollHeight > box.clientHeight) stuck.current = false;
    };
    box.addEventListener("scroll", scrolled, { passive: true });
    box.addEventListener("wheel", wheeled, { passive: true });
    const sizes = new ResizeObserver(settle);
    sizes.observe(box);
    if (box.firstElementChild !== null) sizes.observe(box.firstElementChild);
    return () => {
      box.removeEventListener("scroll", scrolled);
      box.removeEventListener("wheel", wheeled);
      sizes.disconnect();
    };
  }, [scroller, settle, nearTop]);

  useLayoutEffect(settle);

  const toEnd = useCallback(
    (smooth = false) => {
      stuck.current = true;
      setAway(false);
      const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
      scroller.current?.scrollTo({ top: scroller.current.scrollHeight, behavior: smooth && !calm ? "smooth" : "instant" });
    },
    [scroller],
  );
  const show = useCallback(
    (row: Element) => {
      stuck.current = false;
      row.scrollIntoView({ block: "center", behavior: "instant" });
      if (scroller.current !== null) anchor.current = { row, top: topOf(row, scroller.current) };
    },
    [scroller],
  );
  return { away, toEnd, show };
}

const topOf = (row: Element, box: Element): number => row.getBoundingClientRect().top - box.getBoundingClientRect().top;

/** The first row that reaches into view, found by halving: rows stand in order. */
function firstVisible(box: Element): Anchor | null {
  const rows = box.firstElementChild?.children ?? [];
  const edge = box.getBoundingClientRect().top;
  let [low, high] = [0, rows.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rows[middle]!.getBoundingClientRect().bottom > edge) high = middle;
    else low = middle + 1;
  }
  const row = rows[low];
  return row === undefined ? null : { row, top: topOf(row, box) };
}
