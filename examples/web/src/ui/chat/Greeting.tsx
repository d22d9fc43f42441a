/** An empty chat: a greeting, and things to ask. */
import { useActions } from "../context";
import { Logo } from "../parts/Cat";
import { id } from "../testids";

const SUGGESTIONS = {
  cat: ["Why do cats purr?", "Write a haiku about a sunny windowsill", "Explain recursion with kittens", "Plan a lazy Sunday"],
  plain: ["Explain recursion in three sentences", "Write a polite reminder", "Plan a weekend in Kyoto", "Compare SQLite and Postgres in a table"],
};

export function Greeting() {
  const app = useActions();
  const { skin, greeting, name } = app.api.capabilities;
  return (
    <section className="empty" {...id("greeting")}>
      <Logo skin={skin} size={72} />
      <h2>{greeting ?? `This is ${name}. What is on your mind?`}</h2>
      <ul className="suggestions">
        {SUGGESTIONS[skin].map((text) => (
          <li key={text}>
            <button type="button" {...id("suggestion")} onClick={() => void app.turns.send(text)}>
              {text}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
