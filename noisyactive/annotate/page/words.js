// Texts as people read them.

// Characters that turn the writing around or hide could make one name look like another.
export function visible(text) {
  return text.replace(/[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, (character) => `⟨${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

// Text that can be stored: without NUL and lone surrogates.
export function wellFormed(text) {
  return text.replace(/\0|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd");
}

// What two texts have in common for somebody who searches.
export const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

// Positions of names in the order in which people look for them: 2 before 10, a beside A.
export function naturalOrder(names) {
  const positions = names.map((_, position) => position);
  const numbers = names.map((name) => (/^[+-]?\d+(\.\d+)?$/.test(name) ? Number(name) : NaN));
  if (!numbers.some(Number.isNaN)) return positions.sort((a, b) => numbers[a] - numbers[b] || a - b);
  const { compare } = new Intl.Collator(undefined, { numeric: true });
  return positions.sort((a, b) => compare(names[a], names[b]) || a - b);
}

export function duration(seconds) {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

// Time that is left is an estimate: said no more exactly than it is known.
export function timeLeft(seconds) {
  if (seconds < 60) return "under 1 min left";
  const minutes = seconds / 60;
  const step = minutes < 10 ? 1 : minutes < 60 ? 5 : 15;
  return `about ${duration(60 * step * Math.round(minutes / step))} left`;
}

// What a sitting came to; {items, kept, changed, skipped, corrections, seconds, median_seconds}.
export function sittingText(sitting) {
  const { items, kept, changed, skipped, corrections, seconds, median_seconds: median } = sitting;
  if (!items) return "";
  const each = median === null ? "" : ` in ${duration(seconds)}, mostly about ${median < 10 ? Number(median.toFixed(1)) : Math.round(median)} s each`;
  const parts = [];
  if (kept !== undefined) parts.push(`${kept} kept the label`, `${changed} changed it`);
  parts.push(`${skipped} could not be told`);
  if (corrections) parts.push(`${corrections} ${corrections === 1 ? "answer was" : "answers were"} corrected`);
  return `In this sitting you answered ${items} ${items === 1 ? "item" : "items"}${each}: ${parts.join(", ")}.`;
}
