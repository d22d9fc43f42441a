/** The applications under test: how each is started (`examples/apps.json`), and what of its settings tests need. */

import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { KEY, MODEL, TITLE_MODEL } from "./model.ts";

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../../../..");
export const EXAMPLES = join(ROOT, "examples");
export const DIST = process.env["WEB_DIST"] ?? join(EXAMPLES, "web/dist");

export type Name = "catgpt-fastapi" | "node-express" | "axum" | "mychatgpt" | "codhechat" | "chat-redis" | "streamlit";

export interface Start {
  folder: string;
  run: string[];
  needs: string[];
}

export function entry(name: Name): Start {
  const all = JSON.parse(readFileSync(join(EXAMPLES, "apps.json"), "utf8")) as Record<string, Start | undefined>;
  const found = all[name];
  if (!found) throw new Error(`examples/apps.json has no ${name}`);
  return found;
}

/** The interpreter with catgpt in it: `CATGPT_PYTHON`, or that of `cargo xtask test python`. */
export function python(): string {
  const ready = join(ROOT, "target/python/bin/python");
  return process.env["CATGPT_PYTHON"] ?? (existsSync(ready) ? ready : "python3");
}

/** Where cargo puts its binaries. */
export function binaries(): string {
  return join(process.env["CARGO_TARGET_DIR"] ?? join(ROOT, "target"), "debug");
}

/** A secret of the right length, the same for all replicas. */
const SECRET = "0123456789abcdef".repeat(4);

/** What is the same for all, and what each calls its store and its limits. A test may set more. */
export function environment(name: Name, folder: string, modelUrl: string): Record<string, string> {
  const shared = {
    OPENAI_BASE_URL: modelUrl,
    OPENAI_API_KEY: KEY,
    OPENAI_MODEL: MODEL,
    MODEL_NAME: MODEL,
    TITLE_MODEL,
    WEB_DIST: DIST,
    HOST: "127.0.0.1",
    PYTHONDONTWRITEBYTECODE: "1",
  };
  const store = `sqlite:///${join(folder, "chat.db")}`;
  const own: Record<Name, Record<string, string>> = {
    "catgpt-fastapi": { DATABASE_URL: store, RATE_LIMIT: "10000/minute" },
    "node-express": { DATABASE_URL: store, RATE_LIMIT: "10000/minute" },
    axum: { DATABASE_URL: store, RATE_LIMIT: "10000/minute" },
    mychatgpt: { SQLITE_URL: store },
    codhechat: {
      DATABASE_URL: store,
      ACCOUNTS_DB: join(folder, "accounts.db"),
      SECRET_KEY: SECRET,
      TURNS_PER_MINUTE: "10000",
      TOKENS_PER_DAY: "100000000",
      LOGIN_TRIES: "1000",
    },
    "chat-redis": { DATABASE_URL: store, SECRET_KEY: SECRET },
    streamlit: { DATABASE_URL: store, OPENAI_MODELS: MODEL },
  };
  return { ...shared, ...own[name] };
}
