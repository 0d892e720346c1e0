// The dump that a dying worker wrote: the threads of its process, each with its stack, the newest call first
// (Python's faulthandler). Pure. An operator looks for what the job itself did.

const THREAD = /^(?:Current thread|Thread) 0x[0-9a-f]+/;
const WORKER = /orpheus\/(?:shared\/job_types|worker\/(?:attempt|leasing|process|__main__))/;
const OF_A_JOB = /orpheus\/worker\/attempt\//;

/**
 * Return what the job's own thread did, without the worker's code that called it, and how many threads
 * there were; null if the text is no such dump.
 * @param {string} text
 * @returns {{own: string[], threads: number} | null}
 */
export function readDump(text) {
  /** @type {{head: string, frames: string[]}[]} */
  const threads = [];
  for (const line of text.split("\n")) {
    if (THREAD.test(line)) threads.push({ head: line, frames: [] });
    else if (line.trim()) threads.at(-1)?.frames.push(line);
  }
  if (!threads.length) return null;
  const why = THREAD.test(text) ? [] : text.split("\n", 1);
  const own = threads.find(({ frames }) => frames.some((frame) => OF_A_JOB.test(frame)))
    ?? threads.find(({ head }) => head.startsWith("Current")) ?? threads[0];
  const worker = own.frames.findIndex((frame) => WORKER.test(frame));
  const frames = worker > 0 ? own.frames.slice(0, worker) : own.frames;
  return { own: [...why.filter(Boolean), ...frames], threads: threads.length };
}
