// Gathers many jobs of one layer of a graph in a frame, where they stand small and in columns: a layer
// of two hundred would be two hundred boxes high. Pure.
//
// Jobs of one type with the same jobs before and after them lose nothing: a line to their frame is a line
// to each of them. If a layer is still too high, the rest of it gets a frame, too, and a line to that
// frame means some of the jobs inside. The job itself is never in a frame.

const MOST_ALIKE = 8;
const MOST_IN_LAYER = 16;
const CELL = { height: 22, gapX: 6, gapY: 5 };
const LEAST_WIDTH = 76, SIGN = 32, DIGIT = 6.6;
const PADDING = 8, HEAD = 20;
const LONGEST_LABEL = 30, LETTER = 7, BESIDE_LABEL = 20;
/** The shape of a frame: a page is wider than it is high, but other jobs stand beside the frame. */
const WIDTH_TO_HEIGHT = 0.6;

/** @typedef {{key: string, members: number[], label: string, short: string, isExact: boolean, columns: number, cell: {width: number, height: number}, width: number, height: number}} Crowd */

/**
 * Return the frames, and the graph with each of them in place of its members.
 * @param {{id: number, type: string}[]} nodes
 * @param {[number, number][]} links from a job to one that waits for it
 * @param {Map<number, number>} layerOf
 * @param {number} own
 * @param {number} height of each member
 */
export function gather(nodes, links, layerOf, own, height = CELL.height) {
  const others = nodes.filter(({ id }) => id !== own);
  const crowds = alike(others, links).map((members) => crowdOf(members, true, height));
  const isIn = new Set(crowds.flatMap(({ members }) => members));
  const layers = Map.groupBy(others.filter(({ id }) => !isIn.has(id)), ({ id }) => layerOf.get(id));
  for (const layer of layers.values()) if (layer.length > MOST_IN_LAYER) crowds.push(crowdOf(layer, false, height));
  /** @type {Map<number, any>} */
  const keyOf = new Map(nodes.map(({ id }) => [id, id]));
  for (const { key, members } of crowds) for (const id of members) keyOf.set(id, key);
  const joined = new Map(links.map(([from, to]) => [keyOf.get(from), keyOf.get(to)]).map((link) => [link.join(" "), link]));
  return { crowds, keys: [...new Set(keyOf.values())], links: [...joined.values()].filter(([from, to]) => from !== to) };
}

/** The groups of many jobs that differ in nothing but their numbers. */
function alike(nodes, links) {
  const before = Map.groupBy(links, ([, to]) => to), after = Map.groupBy(links, ([from]) => from);
  const signature = ({ id, type }) => [type, before.get(id)?.map(([from]) => from).sort(), after.get(id)?.map(([, to]) => to).sort()].join("|");
  return [...Map.groupBy(nodes, signature).values()].filter((group) => group.length > MOST_ALIKE);
}

/** @returns {Crowd} */
function crowdOf(nodes, isExact, height) {
  const types = Map.groupBy(nodes, ({ type }) => type);
  const label = types.size === 1 ? `${nodes.length} × ${nodes[0].type}` : `${nodes.length} jobs of ${types.size} types`;
  const short = label.length > LONGEST_LABEL ? `${label.slice(0, LONGEST_LABEL - 1)}…` : label;
  const cell = { width: Math.max(LEAST_WIDTH, SIGN + DIGIT * Math.max(...nodes.map(({ id }) => String(id).length))), height };
  const step = { x: cell.width + CELL.gapX, y: cell.height + CELL.gapY };
  const columns = Math.max(2, Math.ceil(Math.sqrt(nodes.length * step.y / step.x * WIDTH_TO_HEIGHT)));
  return {
    key: `crowd of ${nodes[0].id}`, members: nodes.map(({ id }) => id), label, short, isExact, columns, cell,
    width: Math.max(columns * step.x - CELL.gapX + 2 * PADDING, short.length * LETTER + BESIDE_LABEL),
    height: HEAD + Math.ceil(nodes.length / columns) * step.y - CELL.gapY + 2 * PADDING,
  };
}

/** Return the position of each member of a frame that stands at `position`: row by row. @param {Crowd} crowd @param {{x: number, y: number}} position @returns {[number, {x: number, y: number}][]} */
export function positionsIn({ members, columns, cell }, { x, y }) {
  return members.map((id, i) => [id, {
    x: x + PADDING + (i % columns) * (cell.width + CELL.gapX),
    y: y + PADDING + HEAD + Math.floor(i / columns) * (cell.height + CELL.gapY),
  }]);
}
