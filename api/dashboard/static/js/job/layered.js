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
 * @param {Map<any, {width: number, height: number}>} [large] the nodes that are larger
 */
export function layOut(ids, edges, size, large = new Map()) {
  const known = new Set(ids);
  const links = edges.filter(([from, to]) => known.has(from) && known.has(to) && from !== to);
  const layerOf = layersOf(ids, links);
  const { layers, chains, neighbours } = withBends(ids, links, layerOf);
  for (let sweep = 0; sweep < SWEEPS; sweep++) order(layers, neighbours, sweep % 2 === 0);
  const sizeOf = (key) => large.get(key) ?? size;
  const middles = align(layers, neighbours, (key) => sizeOf(key).height, size.gapY);
  const widths = layers.map((layer) => Math.max(size.width, ...layer.map((key) => sizeOf(key).width)));
  const left = widths.map((_, i) => widths.slice(0, i).reduce((sum, width) => sum + width + size.gapX, 0));
  const positionOf = (key) => ({ x: left[layerOf.get(key)], y: middles.get(key) - sizeOf(key).height / 2 });
  const lines = chains.map(({ from, to, through }) => {
    const first = layerOf.get(from), start = left[first] + sizeOf(from).width;
    const level = (layer, y) => [{ x: left[layer], y }, { x: left[layer] + widths[layer], y }];
    return {
      from, to, points: [
        { x: start, y: middles.get(from) },
        ...start < left[first] + widths[first] ? [level(first, middles.get(from))[1]] : [], // past a larger one beside it
        ...through.flatMap((bend, i) => level(first + i + 1, middles.get(bend))),
        { x: left[layerOf.get(to)], y: middles.get(to) },
      ],
    };
  });
  return {
    positions: new Map(ids.map((id) => [id, positionOf(id)])), lines,
    width: left[left.length - 1] + widths[widths.length - 1],
    height: Math.max(...[...middles].map(([key, middle]) => middle + sizeOf(key).height / 2)),
  };
}

/** The layer of each node: after its last predecessor, and a first one directly before its first successor. */
export function layersOf(ids, links) {
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

/** The middle of each key: as near to the mean of its neighbours as its layer's order allows. */
function align(layers, { before, after }, heightOf, gap) {
  const middle = new Map();
  const steps = layers.map((layer) => middlesOf(layer.map(heightOf), gap));
  layers.forEach((layer, at) => layer.forEach((key, i) => middle.set(key, steps[at][i])));
  const inOrder = [...layers.keys()];
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const rightwards = sweep % 2 === 0;
    for (const at of rightwards ? inOrder : [...inOrder].reverse()) {
      const sides = sweep < SWEEPS - 2 ? [rightwards ? before : after] : [before, after];
      const wanted = layers[at].map((key) => mean(sides.flatMap((side) => side.get(key) ?? []), middle) ?? middle.get(key));
      spread(wanted, steps[at]).forEach((y, i) => middle.set(layers[at][i], y));
    }
  }
  const top = Math.min(...[...middle].map(([key, y]) => y - heightOf(key) / 2));
  for (const [key, y] of middle) middle.set(key, y - top);
  return middle;
}

/** How far below the middle of the first each middle is, if they stand one below the other. */
function middlesOf(heights, gap) {
  const found = [0];
  for (let i = 1; i < heights.length; i++) found.push(found[i - 1] + (heights[i - 1] + heights[i]) / 2 + gap);
  return found;
}

/**
 * The positions nearest to `wanted` (least squares) that keep the order and are at least as far apart as `steps`:
 * neighbours that would come too near form a block, whose position is the mean of what its members want.
 * @param {number[]} wanted @param {number[]} steps from the first one to each
 */
export function spread(wanted, steps) {
  const blocks = [];
  wanted.forEach((y, i) => {
    blocks.push({ sum: y - steps[i], count: 1 });
    for (let last = blocks.length - 1; last > 0 && level(blocks[last - 1]) > level(blocks[last]); last--) {
      const { sum, count } = blocks.pop();
      blocks[last - 1].sum += sum;
      blocks[last - 1].count += count;
    }
  });
  return blocks.flatMap((block) => Array(block.count).fill(level(block))).map((y, i) => y + steps[i]);
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
