// Whether the page is used with fingers, and what drawings need then. The style sheets do the same for all else.

/** Matches on a phone, and wherever there is nothing finer than a finger. */
export const byFinger = matchMedia("(max-width: 760px), (pointer: coarse)");
export const FINGER_PX = 44;
