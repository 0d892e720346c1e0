// A job may have hundreds of attempts, such as one that snoozes all day. The first, the last few and all
// that people did are shown; each run of attempts between them is one line, which opens.
// Pure: entries of the timeline in, entries and folds out.

const MANY = 10;
const LAST = 5;
const FEWEST = 3; // fewer take no more room than the line for them

/**
 * Put each run of attempts in the middle into a fold.
 * @template {{span?: any}} T an entry without a span is a mark, which is never folded
 * @param {T[]} entries in their order
 * @returns {(T | {fold: T[]})[]}
 */
export function folded(entries) {
  const spans = entries.filter(({ span }) => span);
  if (spans.length <= MANY) return entries;
  const middle = new Set(spans.slice(1, -LAST));
  const runs = [];
  for (const entry of entries) {
    const before = runs.at(-1);
    if (middle.has(entry) && before && middle.has(before[0])) before.push(entry);
    else runs.push([entry]);
  }
  return runs.flatMap((run) => (run.length < FEWEST ? run : [{ fold: run }]));
}

/** "300 snoozed, 143 failed": how the attempts ended, the most frequent first. @param {(string | null)[]} outcomes */
export function endsOf(outcomes) {
  const counts = new Map();
  for (const outcome of outcomes) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a).map(([outcome, count]) => `${count} ${(outcome ?? "running").replaceAll("_", " ")}`).join(", ");
}
