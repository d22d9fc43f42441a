/** Who somebody is without an account: a cookie for what is theirs, an address for how much they may ask. */
import { createHash, randomBytes } from "node:crypto";
import { isIPv6 } from "node:net";

const COOKIE = "catgpt";
const YEAR_MS = 365 * 86_400_000;

/**
 * Knows browsers by a cookie of 128 random bits that no script can read, and gives one to those who have none.
 * @param {import("catgpt-node").Engine} engine @param {string | undefined} addressHeader
 */
export const identify = (engine, addressHeader) => (req, res, next) => {
  const cookies = (req.get("cookie") ?? "").split(";").map((pair) => pair.trim().split("="));
  const shown = cookies.find(([name, value]) => name === COOKIE && /^[\w-]{22}$/.test(value))?.[1];
  const cookie = shown ?? randomBytes(16).toString("base64url");
  // A page that is opened again keeps its owner for another year.
  if (!shown || req.path === "/capabilities") {
    const secure = req.secure || req.get("x-forwarded-proto") === "https";
    res.cookie(COOKIE, cookie, { httpOnly: true, sameSite: "lax", secure, maxAge: YEAR_MS });
  }
  req.user = engine.user(owner(cookie));
  // What the limits count by.
  req.limitKeys = { ip: address((addressHeader && req.get(addressHeader)) || req.ip || "unknown") };
  next();
};

/** The store holds a hash: who reads a backup cannot act as its owners. */
export const owner = (cookie) => `guest:${createHash("sha256").update(cookie).digest("hex").slice(0, 32)}`;

/** An IPv6 customer has a whole /64, so that counts as one. */
function address(told) {
  if (!isIPv6(told)) return told;
  const full = new URL(`http://[${told.replace(/%.*/, "")}]`).hostname.slice(1, -1);
  const [head, tail] = full.split("::").map((part) => part.split(":").filter(Boolean));
  const zeros = tail ? Array(8 - head.length - tail.length).fill("0") : [];
  return `${[...head, ...zeros, ...(tail ?? [])].slice(0, 4).join(":")}::/64`;
}
