// The page of failed jobs by their errors.
import { byId, setText } from "./dom.js";
import { startChrome } from "./chrome.js";
import { ErrorRow } from "./error-row.js";
import { request } from "./http.js";
import { Poll } from "./poll.js";
import { Rows } from "./rows.js";
import { plural } from "./words.js";

const MOST = 500;

startChrome();
const keyOf = ({ type, error, where }) => JSON.stringify([type, error, where]);
const rows = new Rows(byId("rows"), keyOf, (group) => new ErrorRow(group, () => poll.now()), ({ type, error, where, message }) => `${type} ${error} ${where ?? ""} ${message}`);
const poll = new Poll(async () => {
  const { items } = await request("/errors");
  rows.show(items);
  const failed = items.reduce((sum, { count }) => sum + count, 0);
  setText(byId("summary"), items.length ? `${plural(failed, "failed job")} in ${plural(items.length, "group")}${items.length >= MOST ? ": the largest" : ""}` : "\u00a0");
});
