// Work that would be lost with the page: text that is not saved, an action that has not ended.
//
// The browser asks before such a page is left. When the session ends, such a page is not loaded again to
// show the login, as others are, but says where to log in.

/** @type {(() => boolean)[]} */
const works = [];
let isOver = false;

/** Keep the page while `isUnsaved()`. @param {() => boolean} isUnsaved */
export function keepWhile(isUnsaved) {
  works.push(isUnsaved);
  addEventListener("beforeunload", (event) => { if (isUnsaved()) event.preventDefault(); });
}

/** The session has ended: show the login page, unless work would be lost, or nobody has seen yet what became of it. */
export function endSession() {
  isOver ||= works.some((isUnsaved) => isUnsaved());
  if (!isOver) location.reload();
}

/** Count the session as open again: somebody has logged in again in this browser. */
export function resumeSession() { isOver = false; }

/** Whether the session has ended and the page was kept. */
export const isSessionOver = () => isOver;
