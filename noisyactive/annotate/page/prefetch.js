// Images of the item that shows and of the next ones, fetched and decoded before they are needed.

import { fetchLook, release } from "./items.js";

const images = new Map(); // row -> promise of what `fetchLook` returns

export function imageOf(row) {
  if (!images.has(row)) {
    const promise = fetchLook(row);
    promise.catch(() => images.delete(row)); // it may be there the next time
    images.set(row, promise);
  }
  return images.get(row);
}

export function fetchAhead(rows) {
  for (const row of rows) imageOf(row).catch(() => {});
}

export function dropImages(kept = new Set()) {
  for (const [row, promise] of images) {
    if (kept.has(row)) continue;
    images.delete(row);
    promise.then(release, () => {});
  }
}
