// What needs a person, as the API says it (GET /stats), with a link to where one sees it.

export const ALARMING_SHARE = 0.1;

/** Return the page's address for what a concern is about. @param {{code: string, about: {kind: string, name: string} | null}} concern */
export function addressOf({ code, about }) {
  if (code === "configuration_rejected") return "/ui/configuration";
  if (code === "no_worker_ready") return "#workers";
  if (about?.kind === "slot") return `#${idOfSlot(about.name)}`;
  const name = encodeURIComponent(about?.name ?? "");
  switch (about?.kind) {
    case "queue": return `/ui/queues#queue-${name}`;
    case "schedule": return `/ui/schedules#schedule-${name}`;
    case "type": return `/ui/jobs?status=${code === "type_quarantined" ? "pending" : "failed"}&type=${name}`;
    default: return undefined;
  }
}

/** The id of the row of a slot. @param {string} name as concerns name it: "default-1", "default-1 on host" */
export const idOfSlot = (name) => `slot-${name.replaceAll(" ", "_")}`;
