// Lay a graph out in layers from left to right: what must be done before stands left of what waits
// for it. Pure: ids and edges in, positions out.
//
// The usual steps (Sugiyama): each node gets the layer after its last predecessor; an edge that
// passes layers gets a bend in each; a few sweeps order the layers so that few edges cross; then each
// node moves as near to the middle of its neighbours as the order allows.

const SWEEPS = 8;
const MOST_BENDS = 4000; // with more, long edges are drawn straight

/**
 * @typedef {{x: number, y: number}} Position the left upper corner of a node, or a bend
 * @typedef {{width: number, height: number, gapX: number, gapY: number}} Size of nodes, and the room between them
 */

/**
 * Return the position of each node, the line of each edge and the size of the whole.
 * @param {any[]} ids
 * @param {[any, any][]} edges from a node to one that waits for it
 * @param {Size} size
 */
export function layOut(ids, edges, size) {
  const known = new Set(ids);
  const links = edges.filter(([from, to]) => known.has(from) && known.has(to) && from !== to);
  const layerOf = layersOf(ids, links);
  const { layers, chains, neighbours } = withBends(ids, links, layerOf);
  for (let sweep = 0; sweep < SWEEPS; sweep++) order(layers, neighbours, sweep % 2 === 0);
  const middles = align(layers, neighbours, size.height + size.gapY);
  const left = (layer) => layer * (size.width + size.gapX);
  const positionOf = (key) => ({ x: left(layerOf.get(key)), y: middles.get(key) });
  const lines = chains.map(({ from, to, through }) => {
    const first = layerOf.get(from), middle = (key) => middles.get(key) + size.height / 2;
    return {
      from, to, points: [
        { x: left(first) + size.width, y: middle(from) },
        ...through.flatMap((bend, i) => [0, size.width].map((x) => ({ x: left(first + i + 1) + x, y: middle(bend) }))),
        { x: left(layerOf.get(to)), y: middle(to) },
      ],
    };
  });
  return {
    positions: new Map(ids.map((id) => [id, positionOf(id)])), lines,
    width: left(layers.length) - size.gapX, height: Math.max(...middles.values()) + size.height,
  };
}

/** The layer of each node: after its last predecessor, and a first one directly before its first successor. */
function layersOf(ids, links) {
  const waits = new Map(ids.map((id) => [id, 0]));
  const after = group(ids, links, 0, 1);
  for (const [, to] of links) waits.set(to, waits.get(to) + 1);
  const layer = new Map(ids.map((id) => [id, 0]));
  const hasBefore = new Set(links.map(([, to]) => to));
  const ready = ids.filter((id) => waits.get(id) === 0);
  for (let i = 0; i < ready.length; i++) { // what is in a circle never becomes ready and stays in layer 0
    for (const next of after.get(ready[i])) {
      layer.set(next, Math.max(layer.get(next), layer.get(ready[i]) + 1));
      waits.set(next, waits.get(next) - 1);
      if (waits.get(next) === 0) ready.push(next);
    }
  }
  for (const id of ids) {
    const nexts = after.get(id).map((next) => layer.get(next));
    if (!hasBefore.has(id) && nexts.length) layer.set(id, Math.max(0, Math.min(...nexts) - 1));
  }
  return layer;
}

/** Each layer as a list of keys (ids and bends), the bends of each edge, and the neighbours of each key in the next layers. */
function withBends(ids, links, layerOf) {
  const layers = Array.from({ length: Math.max(0, ...layerOf.values()) + 1 }, () => /** @type {any[]} */ ([]));
  for (const id of ids) layers[layerOf.get(id)].push(id);
  const bends = links.reduce((sum, [from, to]) => sum + Math.max(0, layerOf.get(to) - layerOf.get(from) - 1), 0);
  const neighbours = { before: new Map(), after: new Map() };
  const join = (one, next) => { add(neighbours.after, one, next); add(neighbours.before, next, one); };
  const chains = links.map(([from, to]) => {
    const through = [];
    let last = from;
    for (let layer = layerOf.get(from) + 1; bends <= MOST_BENDS && layer < layerOf.get(to); layer++) {
      const bend = `${from}-${to}-${layer}`;
      through.push(bend);
      layers[layer].push(bend);
      join(last, bend);
      last = bend;
    }
    join(last, to);
    return { from, to, through };
  });
  return { layers, chains, neighbours };
}

/** Order each layer by the mean rank of its neighbours in the layer before it, or after it. */
function order(layers, { before, after }, rightwards) {
  const rank = new Map();
  for (const layer of layers) layer.forEach((key, i) => rank.set(key, i));
  const sides = rightwards ? before : after;
  for (const layer of rightwards ? layers : [...layers].reverse()) {
    const wanted = new Map(layer.map((key) => [key, mean(sides.get(key), rank) ?? rank.get(key)]));
    layer.sort((a, b) => wanted.get(a) - wanted.get(b) || rank.get(a) - rank.get(b));
    layer.forEach((key, i) => rank.set(key, i));
  }
}

/** The upper edge of each key: as near to the mean of its neighbours as its layer's order allows, `step` apart. */
function align(layers, { before, after }, step) {
  const top = new Map();
  for (const layer of layers) layer.forEach((key, i) => top.set(key, i * step));
  const inOrder = [...layers.keys()];
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const rightwards = sweep % 2 === 0;
    for (const at of rightwards ? inOrder : [...inOrder].reverse()) {
      const sides = sweep < SWEEPS - 2 ? [rightwards ? before : after] : [before, after];
      const wanted = layers[at].map((key) => mean(sides.flatMap((side) => side.get(key) ?? []), top) ?? top.get(key));
      spread(wanted, step).forEach((y, i) => top.set(layers[at][i], y));
    }
  }
  const highest = Math.min(...top.values());
  for (const [key, y] of top) top.set(key, y - highest);
  return top;
}

/**
 * The positions nearest to `wanted` (least squares) that keep the order and are at least `step` apart:
 * neighbours that would come too near form a block, whose position is the mean of what its members want.
 * @param {number[]} wanted @param {number} step
 */
function spread(wanted, step) {
  const blocks = [];
  wanted.forEach((y, i) => {
    blocks.push({ sum: y - i * step, count: 1 });
    for (let last = blocks.length - 1; last > 0 && level(blocks[last - 1]) > level(blocks[last]); last--) {
      const { sum, count } = blocks.pop();
      blocks[last - 1].sum += sum;
      blocks[last - 1].count += count;
    }
  });
  return blocks.flatMap((block) => Array(block.count).fill(level(block))).map((y, i) => y + i * step);
}

const level = ({ sum, count }) => sum / count;

function mean(keys, values) {
  return keys?.length ? keys.reduce((sum, key) => sum + values.get(key), 0) / keys.length : undefined;
}

function add(map, key, value) {
  if (map.has(key)) map.get(key).push(value); else map.set(key, [value]);
}

function group(ids, links, by, what) {
  const found = new Map(ids.map((id) => [id, /** @type {number[]} */ ([])]));
  for (const link of links) found.get(link[by])?.push(link[what]);
  return found;
}
