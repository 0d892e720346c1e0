// The field that leads to a job, by its number, or to the jobs of a filter.
import { byId, showOrHide } from "../base/dom.js";
import { JOBS, address } from "../lists/filter.js";
import { jobNumber, parse } from "../lists/query.js";

export function startFind() {
  const form = byId("find"), field = byId("query");
  form.inert = false; // before this, what is typed would be lost
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const id = jobNumber(field.value);
    const { filter, problems } = parse(field.value);
    showOrHide(byId("filter-problem"), problems.join(" "));
    if (problems.length) field.focus();
    else location.assign(id ? `${JOBS}/${id}` : address(JOBS, filter));
  });
}
