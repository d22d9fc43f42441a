/** Who somebody is without an account: a cookie for what is theirs, an address for how much they may ask. */
import { Guest, addressKey } from "catgpt-node";

/**
 * Knows browsers by their cookie, and gives one to those who have none.
 * @param {import("catgpt-node").Engine} engine @param {string | undefined} addressHeader
 */
export const identify = (engine, addressHeader) => (req, res, next) => {
  const secure = req.secure || req.get("x-forwarded-proto") === "https";
  const { owner, fresh, setCookie } = Guest.known(req.get("cookie"), { secure });
  // A page that is opened again keeps its owner for another year.
  if (fresh || req.path === "/capabilities") res.append("set-cookie", setCookie);
  req.user = engine.user(owner);
  // What the limits count by.
  req.limitKeys = { ip: addressKey((addressHeader && req.get(addressHeader)) || req.ip) };
  next();
};
