/** Where a person writes. Enter sends, Shift-Enter makes a line; the draft is kept for each chat. */
import { useEffect, useLayoutEffect, useRef, useState, type KeyboardEvent } from "react";
import { recall, remember } from "../../state/prefs";
import { draftOf } from "../../state/state";
import { useApp } from "../../state/store";
import { useActions, useCan } from "../context";
import { Icon } from "../parts/Icon";
import { id } from "../testids";

/** As much as the engine takes in one message. */
const LONGEST = 16 * 1024 * 1024;

/** Enter as a person means it: not the one that ends the writing of a syllable in an input method. */
export const isEnter = (event: KeyboardEvent): boolean =>
  event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing && event.keyCode !== 229;

export function Composer() {
  const app = useActions();
  const field = useRef<HTMLTextAreaElement>(null);
  const chat = useApp((state) => state.conversation.chat);
  const draft = useApp((state) => state.drafts[draftOf(chat)] ?? "");
  const running = useApp((state) => state.conversation.live !== null || state.conversation.pending !== null);
  const reason = useReason(draft);
  const options = useOptions();
  const touch = matchMedia("(pointer: coarse)").matches;

  const send = () => {
    if (reason === null) void app.turns.send(draft.trim(), options.chosen());
    field.current?.focus();
  };
  useGrowing(field, draft);
  useEffect(() => {
    if (!touch) field.current?.focus();
  }, [chat, touch]);

  return (
    <form
      className="composer"
      data-bare={!options.any}
      aria-label="Message"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <textarea
        ref={field}
        {...id("composer")}
        id="composer"
        rows={1}
        dir="auto"
        value={draft}
        placeholder={options.image ? "Describe a picture" : `Message ${app.api.capabilities.name}`}
        aria-label="Message"
        aria-describedby="composer-hint"
        enterKeyHint="send"
        onChange={(event) => app.draft(event.target.value)}
        onKeyDown={(event) => {
          if (!isEnter(event) || touch) return;
          event.preventDefault();
          send();
        }}
      />
      <div className="tools">
        {options.controls}
        <span className="hint" id="composer-hint" {...id("composer-hint")}>
          {draft.trim() === "" ? "" : reason}
        </span>
        {running ? (
          <button type="button" className="round" {...id("stop")} aria-label="Stop" title="Stop (Escape)" onClick={() => void app.turns.stop()}>
            <Icon name="stop" />
          </button>
        ) : (
          <button type="submit" className="round" {...id("send")} aria-label="Send" title="Send (Enter)" disabled={reason !== null}>
            <Icon name="send" />
          </button>
        )}
      </div>
    </form>
  );
}

/** Why nothing can be sent now; null if it can. */
function useReason(draft: string): string | null {
  const phase = useApp((state) => state.conversation.phase);
  const running = useApp((state) => state.conversation.live !== null || state.conversation.pending !== null);
  const connection = useApp((state) => state.connection);
  if (draft.trim() === "") return "Write something first";
  if (running) return "Wait for the answer, or stop it";
  if (phase === "missing") return "This chat is not there";
  if (phase === "loading") return "The chat is being opened";
  if (connection === "offline") return "No connection";
  return draft.length > LONGEST ? "This is too long to send" : null;
}

/** Pictures, models and personas, where the back end has them. */
function useOptions() {
  const { models, personas } = useActions().api.capabilities;
  const images = useCan("images");
  const [image, setImage] = useState(false);
  const [model, setModel] = useChoice("model", models);
  const [persona, setPersona] = useChoice("persona", personas);
  const controls = (
    <>
      {images && (
        <button type="button" className="chip" {...id("image-mode")} aria-pressed={image} onClick={() => setImage(!image)} title="Answer with a picture">
          <Icon name="image" /> <span>Picture</span>
        </button>
      )}
      <Choice name="model" label="Model" all={models} value={model} choose={setModel} />
      <Choice name="persona" label="Persona" all={personas} value={persona} choose={setPersona} />
    </>
  );
  const chosen = () => ({ ...(image && { image }), ...(model !== "" && { model }), ...(persona !== "" && { persona }) });
  const any = images || isChoice(models) || isChoice(personas);
  return { controls, any, image, chosen };
}

/** A choice that is remembered; one that is no longer offered is forgotten. */
function useChoice(name: string, all: string[] | undefined): [string, (value: string) => void] {
  const [value, setValue] = useState(() => recall(name) ?? "");
  const choose = (next: string) => {
    setValue(next);
    remember(name, next);
  };
  return [all?.includes(value) ? value : "", choose];
}

const isChoice = (all: string[] | undefined): all is string[] => all !== undefined && all.length > 1;

interface ChoiceProps {
  name: "model" | "persona";
  label: string;
  all: string[] | undefined;
  value: string;
  choose: (value: string) => void;
}

function Choice({ name, label, all, value, choose }: ChoiceProps) {
  if (!isChoice(all)) return null;
  return (
    <select className="chip" {...id(name)} aria-label={label} value={value} onChange={(event) => choose(event.target.value)}>
      <option value="">{label}</option>
      {all.map((one) => (
        <option key={one}>{one}</option>
      ))}
    </select>
  );
}

/** The field is as high as its text; the style sheet sets the limit. */
function useGrowing(field: React.RefObject<HTMLTextAreaElement | null>, text: string): void {
  useLayoutEffect(() => {
    const element = field.current;
    if (element === null) return;
    element.style.height = "auto";
    element.style.height = `${element.scrollHeight}px`;
  }, [field, text]);
}
