/** Who somebody is without an account: a cookie for what is theirs, an address for how much they may ask. */
import { crossing } from "./errors.js";
import { native } from "./native.js";

/** Somebody who is known by a cookie of 128 random bits that no script can read. */
export interface Guest {
  /** Whose sessions they are: `engine.user(guest.owner)`. It holds a hash of the cookie. */
  owner: string;
  /** Whether they came without a cookie: then the response has to set it. */
  fresh: boolean;
  /** The header `Set-Cookie`, which keeps the cookie for a year. Set it also when a page is opened again. */
  setCookie: string;
}

export const Guest = {
  /** Who sends these cookies (the header `Cookie`); somebody new if none of them is ours. */
  known: (cookies: string | null | undefined, { name = "catgpt", secure = false } = {}): Guest => {
    const [owner, fresh, setCookie] = JSON.parse(crossing(() => native.guest(name, cookies ?? "", secure))) as [string, boolean, string];
    return { owner, fresh, setCookie };
  },
};

/** By what a limit of an address counts, as a server or a proxy tells it: an IPv6 customer has a whole /64. */
export const addressKey = (told: string | null | undefined): string => native.addressKey(told ?? "");
