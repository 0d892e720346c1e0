// A call of the API as a curl command.
import { base } from "./base.js";
import { writeExact } from "./exact.js";

// Characters that a terminal does not show as they are: control characters, and those that turn the
// direction of text or have no width. In JSON each has an escape, so what is seen is what is sent.
const UNSEEN = /[\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** Quote text as one word for a POSIX shell. @param {string} text */
const quoted = (text) => (/^[\w./:=,@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

/** @param {any} body */
const json = (body) => writeExact(body).replace(UNSEEN, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** Never the token itself: a command is copied, shown and kept in a shell's history. */
const TOKEN = '-H "Authorization: Bearer $ORPHEUS_TOKEN"';

/** @param {string} path @param {any} [body] */
export const postCurl = (path, body) => curl("POST", path, body);

/** @param {string} method @param {string} path @param {any} [body] */
export function curl(method, path, body) {
  const url = quoted(location.origin + base + path), token = "needsToken" in document.documentElement.dataset ? `${TOKEN} ` : "";
  if (body === undefined) return `curl -X ${method} ${token}${url}`;
  return `curl ${method === "POST" ? "" : `-X ${method} `}${token}--json ${quoted(json(body))} \\\n  ${url}`;
}
