/** Asks before something is gone for good. */
import { Dialog } from "./Dialog";
import { id } from "../testids";

export interface Question {
  title: string;
  text: string;
  yes: string;
  act: () => void;
}

export function Confirm({ question, close }: { question: Question; close: () => void }) {
  return (
    <Dialog testId="confirm" title={question.title} close={close}>
      <p>{question.text}</p>
      <div className="buttons">
        <button type="button" data-first {...id("confirm-no")} onClick={close}>
          Keep
        </button>
        <button
          type="button"
          className="danger"
          {...id("confirm-yes")}
          onClick={() => {
            close();
            question.act();
          }}
        >
          {question.yes}
        </button>
      </div>
    </Dialog>
  );
}
