/** The list of keys. */
import { Dialog } from "./Dialog";

const KEYS: [string, string][] = [
  ["Enter", "send"],
  ["Shift + Enter", "new line"],
  ["Ctrl/⌘ + Shift + O", "new chat"],
  ["Ctrl/⌘ + K", "search"],
  ["/", "to the message field"],
  ["Escape", "stop the answer, or close"],
  ["?", "this list"],
];

export const Shortcuts = ({ close }: { close: () => void }) => (
  <Dialog testId="shortcuts" title="Keys" close={close}>
    <dl className="keys">
      {KEYS.map(([key, does]) => (
        <div key={key}>
          <dt>
            <kbd>{key}</kbd>
          </dt>
          <dd>{does}</dd>
        </div>
      ))}
    </dl>
  </Dialog>
);
