/** What the environment and the file `.env` say, and the engine that follows from it. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Engine, Persona } from "catgpt-node";

const beside = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Reads `.env`, which takes nothing from the environment. */
export function loadEnv() {
  if (existsSync(beside(".env"))) process.loadEnvFile(beside(".env"));
}

/** A whole number that is not negative, or an error that names the variable. */
function number(env, name, otherwise) {
  const value = Number(env[name] || otherwise);
  if (Number.isInteger(value) && value >= 0) return value;
  throw new Error(`${name} has to be a whole number, such as ${otherwise}`);
}

/** @param {Record<string, string | undefined>} env */
export function settings(env = process.env) {
  return {
    model: env.OPENAI_API_KEY || env.OPENAI_BASE_URL ? env.OPENAI_MODEL || "gpt-4o-mini" : "offline",
    memory: env.DATABASE_URL || "memory:",
    live: env.REDIS_URL || undefined,
    host: env.HOST || "127.0.0.1",
    port: number(env, "PORT", 8000),
    rateLimit: number(env, "RATE_LIMIT", 20),
    proxies: number(env, "TRUST_PROXY", 0),
    // Under the 10 s that Docker waits before it kills.
    shutdownSeconds: number(env, "SHUTDOWN_SECONDS", 8),
    origins: (env.ALLOWED_ORIGINS ?? "").split(",").map((origin) => origin.trim()).filter(Boolean),
    dist: env.WEB_DIST || beside("../web/dist"),
  };
}

/** The engine of this application. @param {ReturnType<typeof settings>} settings */
export function makeEngine({ model, memory, live, rateLimit }) {
  const perAddress = { name: "messages a minute", unit: "turns", max: rateLimit, windowMs: 60_000, per: { key: "ip" } };
  return new Engine({ model, memory, live, persona: Persona.cat(), limits: rateLimit ? [perAddress] : [] });
}
