// Lay a graph out in layers from left to right: what must be done before stands left of what waits
// for it. Pure: ids and edges in, places out.
//
// The usual steps (Sugiyama): each node gets the layer after its last predecessor; an edge that
// passes layers gets a bend in each; a few sweeps order the layers so that few edges cross; then each
// node moves as near to the middle of its neighbours as the order allows.

const SWEEPS = 8;
const MOST_BENDS = 4000; // with more, long edges are drawn straight

/**
 * @typedef {{x: number, y: number}} Place the left upper corner of a node, or a bend
 * @typedef {{width: number, height: number, gapX: number, gapY: number}} Size of nodes, and the room between them
 */

/**
 * Return the place of each node, the line of each edge and the size of the whole.
 * @param {number[]} ids
 * @param {[number, number][]} edges from a node to one that waits for it
 * @param {Size} size
 */
export function layOut(ids, edges, size) {
  const known = new Set(ids);
  const links = edges.filter(([from, to]) => known.has(from) && known.has(to) && from !== to);
  const layerOf = layersOf(ids, links);
  const { layers, chains, neighbours } = withBends(ids, links, layerOf);
  for (let sweep = 0; sweep < SWEEPS; sweep++) order(layers, neighbours, sweep % 2 === 0);
  const middles = align(layers, neighbours, size);
  const x = (layer) => layer * (size.width + size.gapX);
  const places = new Map(ids.map((id) => [id, { x: x(layerOf.get(id)), y: middles.get(id) - size.height / 2 }]));
  const lines = chains.map(({ from, to, through }) => ({
    from, to, points: [
      { x: x(layerOf.get(from)) + size.width, y: middles.get(from) },
      ...through.flatMap((bend, i) => {
        const left = x(layerOf.get(from) + i + 1), y = middles.get(bend);
        return [{ x: left, y }, { x: left + size.width, y }];
      }),
      { x: x(layerOf.get(to)), y: middles.get(to) },
    ],
  }));
  return {
    places, lines,
    width: x(layers.length - 1) + size.width,
    height: Math.max(...middles.values()) + size.height / 2,
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

/** Order each layer by the mean place of its neighbours in the layer before it, or after it. */
function order(layers, { before, after }, rightwards) {
  const place = new Map();
  for (const layer of layers) layer.forEach((key, i) => place.set(key, i));
  const sides = rightwards ? before : after;
  for (const layer of rightwards ? layers : [...layers].reverse()) {
    const wanted = new Map(layer.map((key) => [key, mean(sides.get(key), place) ?? place.get(key)]));
    layer.sort((a, b) => wanted.get(a) - wanted.get(b) || place.get(a) - place.get(b));
    layer.forEach((key, i) => place.set(key, i));
  }
}

/** The middle of each key: as near to the mean of its neighbours as its layer's order allows. */
function align(layers, { before, after }, { height, gapY }) {
  const middle = new Map();
  for (const layer of layers) layer.forEach((key, i) => middle.set(key, i * (height + gapY)));
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const rightwards = sweep % 2 === 0;
    for (const layer of rightwards ? layers : [...layers].reverse()) {
      const sides = sweep < SWEEPS - 2 ? [rightwards ? before : after] : [before, after];
      const wanted = layer.map((key) => mean(sides.flatMap((side) => side.get(key) ?? []), middle) ?? middle.get(key));
      spread(wanted, height + gapY).forEach((y, i) => middle.set(layer[i], y));
    }
  }
  const top = Math.min(...middle.values()) - height / 2;
  for (const [key, y] of middle) middle.set(key, y - top);
  return middle;
}

/**
 * The places nearest to `wanted` (least squares) that keep the order and are `step` apart: neighbours
 * that would come too near form a block, which stands at the mean of what its members want.
 * @param {number[]} wanted @param {number} step
 */
export function spread(wanted, step) {
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

function mean(keys, place) {
  return keys?.length ? keys.reduce((sum, key) => sum + place.get(key), 0) / keys.length : undefined;
}

function add(map, key, value) {
  if (map.has(key)) map.get(key).push(value); else map.set(key, [value]);
}

function group(ids, links, by, what) {
  const found = new Map(ids.map((id) => [id, /** @type {number[]} */ ([])]));
  for (const link of links) found.get(link[by])?.push(link[what]);
  return found;
}
