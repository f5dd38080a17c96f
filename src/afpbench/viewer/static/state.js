// What is shown: one plain object, which the page's address holds behind its #, so that a view can be kept and sent.

export const WINDOWS = {
  "soft tissue": { key: "s", low: -160, high: 240 },
  bone: { key: "b", low: -500, high: 1300 },
  lung: { key: "l", low: -1350, high: 150 },
};
export const PLANES = ["axial", "coronal", "sagittal", "all"]; // in the order of NiiVue's slice types
export const LIMITS = [100, 200, 300, 500, 1000]; // HU
const START = {
  task: "", case: "", row: "", plane: "axial", low: -160, high: 240, errors: true, limit: 300,
  overlay: false, segmenter: "", opacity: 0.5, all: false, channel: "", // of the MR; "" is all of them
};

export function readState(hash) {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const state = { ...START };
  for (const [name, usual] of Object.entries(START)) {
    const text = given.get(name);
    if (text === null) continue;
    if (typeof usual === "boolean") state[name] = text === "1";
    else if (typeof usual === "number") state[name] = Number.isFinite(Number(text)) ? Number(text) : usual;
    else state[name] = text;
  }
  if (!PLANES.includes(state.plane)) state.plane = START.plane;
  return state;
}

export function writeState(state) {
  const changed = Object.entries(state).filter(([name, value]) => value !== START[name]);
  const words = changed.map(([name, value]) => [name, typeof value === "boolean" ? Number(value) : value]);
  history.replaceState(null, "", `#${new URLSearchParams(words)}`);
}

// The entry of a list before or after another one, round and round.
export function neighbour(list, value, step) {
  if (!list.length) return value;
  return list[(list.indexOf(value) + step + list.length) % list.length];
}
