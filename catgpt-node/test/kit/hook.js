/** The hook that a scenario describes. */
import { RefusedError } from "catgpt-node";

export function described(hook) {
  if (!hook) return [];
  const judge = (parts) => {
    if (hook.forbidden && parts.some((part) => part.text?.includes(hook.forbidden))) throw new RefusedError("a hook refuses this");
  };
  return [{ beforePrompt: (at, branch) => (judge(branch.at(-1).content), hook.sources), onDeltas: (at, parts) => judge(parts) }];
}
