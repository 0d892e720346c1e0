// What needs a person, as the API says it (GET /stats), with a link to where one sees it.
import { base } from "./base.js";

export const ALARMING_SHARE = 0.1;

/** The icon and the words of each severity. @type {Record<string, [string, string]>} */
export const SEVERITIES = { stops_work: ["fatal", "Work has stopped"], loses_money: ["degraded", "Jobs are failing or delayed"], cosmetic: ["pending", "Cosmetic"] };

/** Return the page's address for what a concern is about. @param {{code: string, about: {kind: string, name: string} | null}} concern */
export function addressOf({ code, about }) {
  if (code === "configuration_rejected") return `${base}/ui/configuration`;
  if (code === "no_worker_ready") return "#workers";
  if (about?.kind === "slot") return `#${idOfSlot(about.name)}`;
  const name = encodeURIComponent(about?.name ?? "");
  switch (about?.kind) {
    case "pool": return `${base}/ui/queues`;
    case "queue": return `${base}/ui/queues#queue-${name}`;
    case "job": return `${base}/ui/jobs/${name}`;
    case "schedule": return `${base}/ui/schedules#schedule-${name}`;
    case "type": return code === "type_quarantined" ? `${base}/ui/types#type-${name}` : `${base}/ui/errors?q=${name}`;
    default: return undefined;
  }
}

/** The id of the row of a slot. @param {string} name as concerns name it: "default-1", "default-1 on host" */
export const idOfSlot = (name) => `slot-${name.replaceAll(" ", "_")}`;
