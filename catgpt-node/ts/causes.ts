/** What the application's own code has thrown, kept until the failure comes back and bounded in number. */
const MOST = 256;
const questions = new Map<number, unknown>();
const turns = new Map<string, unknown>();

/** Keeps what was thrown while a question of a turn was answered. */
export function keepCause(question: number, turn: unknown, cause: unknown): void {
  put(questions, question, cause);
  if (typeof turn === "string") put(turns, turn, cause);
}

/** What was thrown in a question, for the call that failed by it. */
export const causeOf = (question: number | null): unknown => (question === null ? undefined : questions.get(question));

/** What was thrown last for a turn. */
export const causeOfTurn = (turn: string): unknown => turns.get(turn);

function put<K>(causes: Map<K, unknown>, key: K, cause: unknown): void {
  causes.delete(key);
  causes.set(key, cause);
  for (const oldest of causes.keys()) {
    if (causes.size <= MOST) return;
    causes.delete(oldest);
  }
}
