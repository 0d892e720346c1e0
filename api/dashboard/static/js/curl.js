// A call of the API as a curl command.
import { writeExact } from "./exact.js";

/** Quote text as one word for a POSIX shell. @param {string} text */
const quoted = (text) => (/^[\w./:=,@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

/** @param {string} path @param {any} [body] */
export function postCurl(path, body) {
  const url = quoted(location.origin + path);
  return body === undefined ? `curl -X POST ${url}` : `curl --json ${quoted(writeExact(body))} \\\n  ${url}`;
}
