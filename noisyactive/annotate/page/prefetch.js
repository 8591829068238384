// Images of the item that shows and of the next ones, fetched and decoded before they are needed.

import { fetchImage } from "./server.js";

const images = new Map(); // row -> promise of {url, width, height, element}

async function prepared(row) {
  const picture = await fetchImage(row);
  picture.element = new Image();
  picture.element.src = picture.url;
  try {
    await picture.element.decode();
  } catch (error) {
    URL.revokeObjectURL(picture.url);
    throw error;
  }
  return picture;
}

export function imageOf(row) {
  if (!images.has(row)) {
    const promise = prepared(row);
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
    promise.then(({ url }) => URL.revokeObjectURL(url), () => {});
  }
}
