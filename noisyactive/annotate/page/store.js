// What the browser keeps: answers that could not be sent, the name, the keys.

const PREFIX = "noisyactive:";

export const store = safeStorage();
export const tab = tabName();

// Different tabs get different items; a reload keeps its own.
function tabName() {
  const fresh = Array.from(crypto.getRandomValues(new Uint32Array(2)), (part) => part.toString(36)).join("");
  try {
    const name = sessionStorage.getItem(`${PREFIX}tab`) ?? fresh;
    sessionStorage.setItem(`${PREFIX}tab`, name);
    return name;
  } catch {
    return fresh;
  }
}

// Browsers may forbid storage; then a reload forgets the name.
function safeStorage() {
  const memory = new Map();
  let storage = null;
  try {
    storage = window.localStorage;
    storage.setItem(`${PREFIX}test`, "");
    storage.removeItem(`${PREFIX}test`);
  } catch {
    storage = null;
  }
  return {
    get: (key) => (storage ? storage.getItem(PREFIX + key) : (memory.get(key) ?? null)),
    set(key, value) {
      memory.set(key, value);
      try {
        storage?.setItem(PREFIX + key, value);
      } catch {
        storage = null; // it is full
      }
    },
    remove(key) {
      memory.delete(key);
      storage?.removeItem(PREFIX + key);
    },
    keys: () =>
      (storage ? Object.keys(storage) : [...memory.keys()].map((key) => PREFIX + key))
        .filter((key) => key.startsWith(PREFIX))
        .map((key) => key.slice(PREFIX.length)),
  };
}
