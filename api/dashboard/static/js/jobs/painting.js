// Paints rows a few at a time, before the next pictures.
//
// Laying out and painting fifty rows at once takes longer than one picture may, and a key that is pressed meanwhile has
// to wait. A passed second, or a page that was read, may change all rows.
const AT_ONCE = 10;

export class Painting {
  constructor() {
    /** @type {Set<{paint: () => void}>} */
    this.rows = new Set();
  }

  /** Paint a row soon. @param {{paint: () => void}} row */
  add(row) {
    this.rows.add(row);
    if (!this.scheduled) this.schedule();
  }

  schedule() {
    this.scheduled = true;
    requestAnimationFrame(() => this.turn());
  }

  turn() {
    this.scheduled = false;
    for (const row of [...this.rows].slice(0, AT_ONCE)) {
      this.rows.delete(row);
      row.paint();
    }
    if (this.rows.size) this.schedule();
  }
}
