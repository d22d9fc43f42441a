/** What the environment and `.env` say, and the engine that follows from it. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Engine, Images, InvalidInputError, Limit, Persona, UnsupportedError } from "catgpt-node";

const beside = (path) => fileURLToPath(new URL(path, import.meta.url));
const DAY = 86_400;
const FEATURES = ["edit", "regenerate", "branches", "rename", "pin", "delete", "delete-empty", "batch-delete", "search"];
FEATURES.push("usage", "summary", "export", "sounds");

/** Reads `.env`, which takes nothing from the environment. */
export function loadEnv() {
  if (existsSync(beside(".env"))) process.loadEnvFile(beside(".env"));
}

/** All of it. A variable that is empty is not there. @param {Record<string, string | undefined>} env */
export function settings(env = process.env) {
  const value = (name) => env[name]?.trim() || undefined;
  const names = (name, otherwise = "") => (value(name) ?? otherwise).split(",").map((one) => one.trim()).filter(Boolean);
  const number = (name, otherwise) => {
    if (/^\d+$/.test(value(name) ?? otherwise)) return Number(value(name) ?? otherwise);
    throw new Error(`${name} has to be a whole number`);
  };
  const rates = (name, what, otherwise) => names(name, otherwise).map((rate) => limit(name, what, rate));
  const memory = value("DATABASE_URL") ?? "memory:";
  return {
    model: value("OPENAI_API_KEY") || value("OPENAI_BASE_URL") ? (value("OPENAI_MODEL") ?? "gpt-4o-mini") : "offline",
    models: names("MODELS"),
    memory,
    // What is only in memory goes when nobody uses it for a day.
    sessionSeconds: number("SESSION_TTL", memory === "memory:" ? DAY : 0),
    // Pictures need a key; each is a message, too.
    imageModel: value("OPENAI_API_KEY") && value("IMAGE_MODEL") !== "none" ? (value("IMAGE_MODEL") ?? "gpt-image-1") : undefined,
    limits: rates("RATE_LIMIT", "messages", "20/minute"),
    imageLimits: rates("IMAGE_RATE_LIMIT", "pictures", "10/hour"),
    addressHeader: value("CLIENT_IP_HEADER"),
    host: value("HOST") ?? "127.0.0.1",
    port: number("PORT", 8000),
    // Under the 10 s that Docker waits before it kills.
    shutdownSeconds: number("SHUTDOWN_SECONDS", 8),
    origins: names("ALLOWED_ORIGINS"),
    dist: value("WEB_DIST") ?? beside("../web/dist"),
  };
}

/** So many for each address. */
function limit(variable, thing, rate) {
  try {
    return { ...Limit.rate(thing, rate), per: { key: "ip" } };
  } catch (error) {
    throw new Error(`${variable}: ${error.message}`);
  }
}

/** The engine of this application. @param {ReturnType<typeof settings>} settings */
export function makeEngine({ model, imageModel, memory, limits, sessionSeconds }) {
  const models = imageModel ? { "*": model, image: new Images({ model: imageModel }) } : model;
  return new Engine({ model: models, memory, limits, persona: Persona.cat(), sessionTtlMs: sessionSeconds * 1000 || undefined });
}

/** What the page may offer. @param {ReturnType<typeof settings>} settings */
export const features = ({ imageModel }) => (imageModel ? [...FEATURES, "images"] : FEATURES);

/**
 * Who answers, and how often: the bill is not the visitor's, so it is one of those that are offered.
 * @param {ReturnType<typeof settings>} settings
 */
export function choice({ models, imageModel, limits, imageLimits }, model, image) {
  if (image && !imageModel) throw new UnsupportedError("there are no pictures here: that takes a key");
  if (image) return { model: "image", limits: [...limits, ...imageLimits] };
  if (model == null || models.includes(model)) return { model: model ?? undefined };
  throw new InvalidInputError("this model is not offered here: see `models` of /capabilities");
}
