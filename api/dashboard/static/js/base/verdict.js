// What needs a person, as the API says it (GET /stats), with a link to where one sees it.

export const ALARMING_SHARE = 0.1;

/** The icon and the words of each severity. @type {Record<string, [string, string]>} */
export const SEVERITIES = { stops_work: ["fatal", "Work has stopped"], loses_money: ["degraded", "Jobs are failing or delayed"], cosmetic: ["pending", "Cosmetic"] };

/** Return the page's address for what a concern is about. @param {{code: string, about: {kind: string, name: string} | null}} concern */
export function addressOf({ code, about }) {
  if (code === "configuration_rejected") return "/ui/configuration";
  if (code === "no_worker_ready") return "#workers";
  if (about?.kind === "slot") return `#${idOfSlot(about.name)}`;
  const name = encodeURIComponent(about?.name ?? "");
  switch (about?.kind) {
    case "pool": return "/ui/queues";
    case "queue": return `/ui/queues#queue-${name}`;
    case "job": return `/ui/jobs/${name}`;
    case "schedule": return `/ui/schedules#schedule-${name}`;
    case "type": return code === "type_quarantined" ? `/ui/types#type-${name}` : `/ui/errors?q=${name}`;
    default: return undefined;
  }
}

/** The id of the row of a slot. @param {string} name as concerns name it: "default-1", "default-1 on host" */
export const idOfSlot = (name) => `slot-${name.replaceAll(" ", "_")}`;
