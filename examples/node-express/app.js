/** The routes: who asks, what of it is the engine's, and how errors look. */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import cors from "cors";
import { CatgptError, InvalidInputError } from "catgpt-node";
import express from "express";

const COOKIE = "catgpt_owner";
const YEAR_MS = 365 * 86_400_000;
const GREETING = "Meow! What shall we chase today?";
const FEATURES = ["sounds"];

/**
 * @param {import("catgpt-node").Engine} engine
 * @param {ReturnType<typeof import("./settings.js").settings>} settings
 */
export function makeApp(engine, { proxies, origins, dist }) {
  const app = express();
  app.disable("x-powered-by");
  app.set("trust proxy", proxies);
  if (origins.length) app.use(cors({ origin: origins, credentials: true, exposedHeaders: ["retry-after"] }));
  app.get("/health", async (req, res) => {
    const health = await engine.health();
    res.status(health.healthy ? 200 : 503).json(health);
  });
  if (existsSync(dist)) app.use(express.static(dist));
  app.use((req, res, next) => {
    req.user = engine.user(owner(req, res));
    next();
  });
  app.get("/capabilities", (req, res) => void res.json(capabilities()));
  app.post("/chat", express.json({ limit: "17mb" }), chat);
  app.use((error, req, res, next) => (res.headersSent ? res.destroy(error) : refuse(error, res)));
  return app;
}

/** A browser's random name is who owns its sessions: nobody can guess it, and no script reads it. */
function owner(req, res) {
  const cookies = (req.get("cookie") ?? "").split(";").map((pair) => pair.trim().split("="));
  const known = cookies.find(([name, value]) => name === COOKIE && /^[0-9a-f]{32}$/.test(value))?.[1];
  if (known) return known;
  const fresh = randomBytes(16).toString("hex");
  res.cookie(COOKIE, fresh, { httpOnly: true, sameSite: "lax", secure: req.secure, maxAge: YEAR_MS });
  return fresh;
}

function capabilities() {
  const name = "CatGPT on Node";
  const page = { app: "node-express", name, skin: "cat", transport: "sse", api: "/api", auth: "none" };
  return { ...page, greeting: GREETING, features: FEATURES };
}

/** The newest message of a session; its answer as server-sent events. */
async function chat(req, res) {
  const { sessionId, message, key } = req.body ?? {};
  if (typeof sessionId !== "string" || typeof message !== "string") {
    throw new InvalidInputError('send {"sessionId": "…", "message": "…"}');
  }
  const session = req.user.session(sessionId);
  const reply = await session.send(message, { key, limitKeys: { ip: req.ip } });
  await reply.pipeTo(res);
}

/** An error as the engine's own API tells it. */
function refuse(error, res) {
  const known = error instanceof CatgptError ? error : error.expose && new InvalidInputError(error.message);
  if (!known) console.error(error);
  if (known?.retryAfterMs !== undefined) res.set("retry-after", String(Math.ceil(known.retryAfterMs / 1000)));
  const info = known || { kind: "unexpected", message: "the server failed; its log says why", retryable: false };
  res.status(error.status ?? 500).json({ error: info });
}
