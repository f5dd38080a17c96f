// The controls above the panels, and the keys.

import { LIMITS, neighbour, PLANES, WINDOWS } from "./state.js";

function option(value, text) {
  return new Option(text, value);
}

function choice(parent, names, title, act) {
  parent.replaceChildren(
    ...names.map((name, index) => {
      const button = Object.assign(document.createElement("button"), { textContent: name, title: title(name, index) });
      button.dataset.name = name;
      button.addEventListener("click", () => act(name));
      return button;
    }),
  );
}

// What there is to choose from; anew for each task.
export function fillControls(page, state, study) {
  const task = study.tasks[state.task];
  page.task.replaceChildren(...Object.entries(study.tasks).map(([name, entry]) => option(name, entry.title)));
  const group = (label, list) => {
    const found = Object.assign(document.createElement("optgroup"), { label });
    found.append(...list.map((name) => option(name, caseWords(name, study.progress[state.task][name]))));
    return found;
  };
  const groups = [["test", task.test], ["training and validation", task.others]].filter(([, list]) => list.length);
  page.case.replaceChildren(...groups.map(([label, list]) => group(label, list)));
  page.row.replaceChildren(...task.rows.map((row) => option(row.run, row.label + (row.run === task.reference ? " (reference)" : ""))));
  const channels = task.mr_channels ?? [];
  page.channels.hidden = !channels.length;
  page.channel.replaceChildren(option("", "all channels"), ...channels.map((name) => option(name, name)));
  const names = Object.entries(task.segmenters).map(([name, entry]) => option(name, entry.label));
  page.segmenter.replaceChildren(...(names.length ? names : [option("", "no segmenter")]));
}

function caseWords(name, count) {
  const words = count ? [[count.failed, "failed"], [count.missing, "missing"]].filter(([number]) => number).map((pair) => pair.join(" ")) : [];
  return words.length ? `${name} (${words.join(", ")})` : name;
}

// What is chosen. known: {rows, task, labels}.
export function markControls(page, state, { rows, task, labels }) {
  Object.assign(page.task, { value: state.task });
  Object.assign(page.case, { value: state.case });
  Object.assign(page.row, { value: state.row, disabled: !rows.length });
  Object.assign(page.channel, { value: state.channel });
  page["row-before"].disabled = page["row-after"].disabled = !rows.length;
  const press = (button, on) => button.setAttribute("aria-pressed", String(on));
  press(page.all, state.all);
  press(page.errors, state.errors);
  press(page.overlay, state.overlay);
  for (const button of page.planes.children) press(button, button.dataset.name === state.plane);
  for (const button of page.windows.children) {
    const { low, high } = WINDOWS[button.dataset.name];
    press(button, low === state.low && high === state.high);
  }
  Object.assign(page.low, { value: state.low });
  Object.assign(page.high, { value: state.high });
  Object.assign(page.limit, { value: state.limit });
  Object.assign(page.segmenter, { value: state.segmenter, disabled: !labels });
  Object.assign(page.opacity, { value: state.opacity, disabled: !labels });
  const images = task.has_ct !== false; // of label maps alone there are only these
  page.overlay.disabled = !labels || !images;
  page.errors.disabled = !images;
  page.scale.hidden = !state.errors || !rows.length || !images;
  page["scale-low"].textContent = `−${state.limit} HU`;
  page["scale-high"].textContent = `+${state.limit} HU`;
  page.legend.replaceChildren(...((state.overlay || !images) && labels ? labels.structures.map((structure) => legendEntry(structure, labels)) : []));
}

function legendEntry(structure, labels) {
  const button = document.createElement("button");
  button.dataset.structure = structure.label;
  button.title = "show or hide";
  button.setAttribute("aria-pressed", String(!labels.hidden.has(structure.label)));
  const swatch = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const square = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const [name, value] of Object.entries({ width: 11, height: 11, rx: 2, fill: structure.colour })) square.setAttribute(name, value);
  swatch.append(square);
  button.append(swatch, structure.label);
  return button;
}

export function listen(page, state, actions, report) {
  const act = (name, ...values) => Promise.resolve().then(() => actions[name](...values)).catch(report);
  choice(page.planes, PLANES, (name, index) => `${name} (${index + 1})`, (name) => act("plane", name));
  choice(page.windows, Object.keys(WINDOWS), (name) => `${WINDOWS[name].low} to ${WINDOWS[name].high} HU (${WINDOWS[name].key})`, (name) => act("window", WINDOWS[name].low, WINDOWS[name].high));
  page.limit.replaceChildren(...LIMITS.map((limit) => option(limit, `± ${limit} HU`)));
  for (const name of ["task", "case", "row", "segmenter", "channel"]) page[name].addEventListener("change", () => act(name, page[name].value));
  for (const name of ["errors", "overlay", "all"]) page[name].addEventListener("click", () => act(name));
  page.limit.addEventListener("change", () => act("limit", Number(page.limit.value)));
  page.opacity.addEventListener("input", () => act("opacity", Number(page.opacity.value)));
  for (const end of [page.low, page.high]) end.addEventListener("change", () => act("window", Number(page.low.value), Number(page.high.value)));
  page.legend.addEventListener("click", (event) => {
    const entry = event.target.closest("button");
    if (entry) act("structure", entry.dataset.structure);
  });
  const next = (step) => act("case", neighbour(actions.cases(), state.case, step));
  const nextRow = (step) => actions.rows().length && act("row", neighbour(actions.rows().map((row) => row.run), state.row, step));
  const nextChannel = () => act("channel", neighbour(["", ...actions.channels()], state.channel, 1));
  page["case-before"].addEventListener("click", () => next(-1));
  page["case-after"].addEventListener("click", () => next(1));
  page["row-before"].addEventListener("click", () => nextRow(-1));
  page["row-after"].addEventListener("click", () => nextRow(1));
  page["help-open"].addEventListener("click", () => page.help.showModal());

  const keys = {
    n: () => next(1), p: () => next(-1), j: () => nextRow(1), k: () => nextRow(-1),
    a: () => act("all"), e: () => act("errors"), m: nextChannel, o: () => act("overlay"), r: () => act("reset"), "?": () => page.help.showModal(),
    ArrowLeft: () => act("step", -1, 0, 0), ArrowRight: () => act("step", 1, 0, 0),
    ArrowUp: () => act("step", 0, 1, 0), ArrowDown: () => act("step", 0, -1, 0),
    PageUp: () => act("step", 0, 0, 1), PageDown: () => act("step", 0, 0, -1),
  };
  for (const { key, low, high } of Object.values(WINDOWS)) keys[key] = () => act("window", low, high);
  PLANES.forEach((plane, index) => { keys[index + 1] = () => act("plane", plane); });
  // Caught before NiiVue, which has keys of its own.
  window.addEventListener("keydown", (event) => {
    const typing = event.target.matches?.("input, select") || page.help.open;
    if (typing || event.ctrlKey || event.altKey || event.metaKey || !(event.key in keys)) return;
    event.preventDefault();
    event.stopPropagation();
    keys[event.key]();
  }, true);
}
