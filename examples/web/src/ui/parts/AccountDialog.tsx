/** Sign in, or make an account; the guest's chats come along. */
import { useState } from "react";
import { asFailure } from "../../state/failure";
import { useActions } from "../context";
import { id } from "../testids";
import { wordsFor } from "../words";
import { Dialog } from "./Dialog";

export function AccountDialog({ close }: { close: () => void }) {
  const app = useActions();
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const submit = async (form: HTMLFormElement, isNew: boolean) => {
    if (!form.reportValidity()) return;
    const data = new FormData(form);
    setBusy(true);
    setProblem(null);
    try {
      await app.signIn(String(data.get("name")), String(data.get("password")), isNew);
      app.toast(`Signed in as ${String(data.get("name"))}. Your chats came along.`);
      close();
    } catch (thrown) {
      setProblem(explain(asFailure(thrown).kind, thrown));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog testId="account" title="Your account" close={close}>
      <p>Sign in to find your chats in any browser. The chats that you have here come along.</p>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          void submit(event.currentTarget, false);
        }}
      >
        <label>
          Name
          <input name="name" required data-first autoComplete="username" {...id("account-name")} />
        </label>
        <label>
          Password
          <input name="password" type="password" required minLength={4} autoComplete="current-password" {...id("account-password")} />
        </label>
        {problem !== null && <p role="alert" className="problem">{problem}</p>}
        <div className="buttons">
          <button type="button" disabled={busy} {...id("account-register")} onClick={(event) => void submit(event.currentTarget.form!, true)}>
            Make an account
          </button>
          <button type="submit" className="primary" disabled={busy} {...id("account-submit")}>
            Sign in
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function explain(kind: string, thrown: unknown): string {
  if (kind === "unauthorized" || kind === "not_found") return "There is no account with this name and password.";
  if (kind === "conflict") return "This name is taken.";
  if (kind === "invalid_input") return asFailure(thrown).message;
  return wordsFor(asFailure(thrown)).title;
}
