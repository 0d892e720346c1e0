// The page for what is not there. Its field leads to a job, by its number, or to the jobs of a filter.
import { byId, showOrHide } from "./dom.js";
import { startChrome } from "./chrome.js";
import { JOBS, address } from "./filter.js";
import { parse } from "./query.js";

const field = byId("query");

byId("connection").hidden = true;
startChrome();
byId("find").addEventListener("submit", (event) => {
  event.preventDefault();
  const [, id] = /^\s*#?(\d+)\s*$/.exec(field.value) ?? [];
  const { filter, problems } = parse(field.value);
  showOrHide(byId("filter-problem"), problems.join(" "));
  if (problems.length) field.focus();
  else location.assign(id ? `${JOBS}/${id}` : address(JOBS, filter));
});
