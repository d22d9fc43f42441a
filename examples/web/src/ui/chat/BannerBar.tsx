/** What went wrong, in words, with what can be done about it; for limits it counts down. */
import { useEffect, useState } from "react";
import type { Banner } from "../../state/state";
import { useApp } from "../../state/store";
import { useActions } from "../context";
import { Icon } from "../parts/Icon";
import { id } from "../testids";
import { span, wordsFor } from "../words";

export function BannerBar() {
  const banner = useApp((state) => state.banner);
  return banner === null ? null : <Bar key={banner.at} banner={banner} />;
}

function Bar({ banner }: { banner: Banner }) {
  const app = useActions();
  const left = useCountdown(banner.at, banner.failure.retry_after_ms ?? 0);
  const running = useApp((state) => state.conversation.live !== null || state.conversation.pending !== null);
  const { title, advice } = wordsFor(banner.failure, navigator.language);
  return (
    <div className="banner" role="alert" {...id("banner")} data-kind={banner.failure.kind}>
      <Icon name="warning" />
      <p>
        <strong>{title}.</strong> {advice}
        {left > 0 && (
          // The clock is not read out each second.
          <span className="countdown" aria-hidden="true" {...id("banner-countdown")}>
            {" "}
            Again in {span(left)}.
          </span>
        )}
      </p>
      {banner.retry !== null && (
        <button type="button" {...id("banner-retry")} disabled={left > 0 || (banner.retry === "send" && running)} onClick={() => void app.again(banner)}>
          Try again
        </button>
      )}
      <button type="button" className="icon small" {...id("banner-close")} aria-label="Close" onClick={() => app.store.dispatch({ type: "banner", banner: null })}>
        <Icon name="close" />
      </button>
    </div>
  );
}

/** Milliseconds until `at + wait`, in steps of a second. */
function useCountdown(at: number, wait: number): number {
  const [now, setNow] = useState(() => Date.now());
  const left = Math.max(0, at + wait - now);
  const over = left === 0;
  useEffect(() => {
    if (over) return;
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, [over]);
  return left;
}
