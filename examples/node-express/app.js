/** The routes: `POST /chat`, what the page asks first, and the engine's own HTTP API for all the rest. */
import { existsSync } from "node:fs";
import cors from "cors";
import { CatgptError, InvalidInputError } from "catgpt-node";
import express from "express";
import { identify } from "./guests.js";
import { choice, features } from "./settings.js";

const GREETING = "Meow! I am CatGPT. Ask me anything; I have nine lives and nothing planned.";

/**
 * @param {import("catgpt-node").Engine} engine
 * @param {ReturnType<typeof import("./settings.js").settings>} settings
 */
export function makeApp(engine, settings) {
  const app = express();
  app.disable("x-powered-by");
  if (settings.origins.length) app.use(cors({ origin: settings.origins, credentials: true }));
  app.get("/health", async (req, res) => {
    const health = await engine.health();
    res.status(health.healthy ? 200 : 503).json(health);
  });
  if (existsSync(settings.dist)) app.use(express.static(settings.dist));
  app.use(identify(engine, settings.addressHeader));
  app.get("/capabilities", (req, res) => void res.json(capabilities(settings)));
  app.post("/chat", express.json({ limit: "17mb" }), (req, res) => chat(req, res, settings));
  // Everything else is the engine's: lists, history, edits, attaching, search, usage, the feed.
  app.use("/api", (req, res) => req.user.handle(req, res, { options: { limitKeys: req.limitKeys } }));
  app.use((error, req, res, next) => (res.headersSent ? res.destroy(error) : refuse(error, res)));
  return app;
}

/** What the page shows, and how it talks. */
function capabilities(settings) {
  const page = { app: "node-express", name: "CatGPT", skin: "cat", transport: "sse", api: "/api", auth: "none" };
  return { ...page, greeting: GREETING, features: features(settings), models: settings.models };
}

/** Says the newest message in a session, and streams the answer as server-sent events. */
async function chat(req, res, settings) {
  const { sessionId, message, key, model, image } = req.body ?? {};
  if (typeof sessionId !== "string" || typeof message !== "string") {
    throw new InvalidInputError('send {"sessionId": "…", "message": "…"}');
  }
  const options = { ...choice(settings, model, image), key: key ?? undefined, limitKeys: req.limitKeys };
  await (await req.user.session(sessionId).send(message, options)).pipeTo(res);
}

/** An error as the engine's own API tells it. */
function refuse(error, res) {
  const unread = error.expose && new InvalidInputError('send {"sessionId": "…", "message": "…"} as application/json');
  const known = error instanceof CatgptError ? error : unread;
  if (!known) console.error(error);
  if (known?.retryAfterMs !== undefined) res.set("retry-after", String(Math.ceil(known.retryAfterMs / 1000)));
  const info = known || { kind: "unexpected", message: "the server failed; its log says why", retryable: false };
  res.status(error.status ?? 500).json({ error: info });
}
