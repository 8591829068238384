// Requests to the server, and what is said when they fail.

const PATIENCE = 60000; // milliseconds; a locked journal makes the server wait for half a minute

export class Trouble extends Error {
  constructor(message, again) {
    super(message);
    this.again = again; // whether sending it again may help
  }
}

export class Gone extends Trouble {}

export async function request(url, options = {}) {
  let response;
  try {
    response = await fetch(url, { ...options, signal: AbortSignal.timeout(PATIENCE) });
  } catch {
    throw new Gone("The server does not answer. Start it again where it ran, with the same command.", true);
  }
  if (response.ok) return response;
  if (response.status === 403) {
    throw new Trouble("The server was started anew and has a new address. Open the address that it printed.", true);
  }
  const told = await response.json().then((body) => body.error, () => `The server failed (${response.status}).`);
  // 409: not for this run, or not of this annotator; they may come back.
  throw new Trouble(told, response.status >= 500 || [408, 409].includes(response.status));
}

export const getJson = async (url) => (await request(url)).json();

export function postAnswer(answer) {
  const headers = { "Content-Type": "application/json" };
  return request("/api/answers", { method: "POST", headers, body: JSON.stringify(answer) }).then((response) => response.json());
}

export async function fetchImage(url) {
  const response = await request(url);
  const [width, height] = response.headers.get("X-Original-Size").split("x").map(Number);
  return { url: URL.createObjectURL(await response.blob()), width, height };
}
