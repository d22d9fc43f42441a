/** The hook and the tools that a scenario describes, and its model. */
import { RefusedError, ToolError, tool } from "catgpt-node";

export function described(hook) {
  if (!hook) return [];
  const judge = (parts) => {
    if (hook.forbidden && parts.some((part) => part.text?.includes(hook.forbidden))) throw new RefusedError("a hook refuses this");
  };
  return [{ beforePrompt: (at, branch) => (judge(branch.at(-1).content), hook.sources), onDeltas: (at, parts) => judge(parts) }];
}

export function tools(able = []) {
  const done = ({ gives, fails, tells }, at) => {
    if (fails !== undefined) throw new ToolError(fails);
    return tells ? at : gives;
  };
  return able.map(({ gives, fails, tells, ...options }) =>
    tool({ ...options, parameters: { type: "object" } }, (args, { signal, ...at }) => done({ gives, fails, tells }, at)),
  );
}

/** What the model plays, in the words of the scripted one. */
export const scripted = (models) => models.map((script) => script.map(({ call, ...step }) => (call ? { tool_call: call } : step)));
