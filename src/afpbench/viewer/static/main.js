// The page: what is picked, the panels that follow from it, and the keys.

import { fillControls, listen, markControls } from "./controls.js";
import { Labels } from "./labels.js";
import { openImage, Panel } from "./panel.js";
import { caseAddress, fetchJson, forgetFiles, imageAddress } from "./source.js";
import { PLANES, readState, writeState } from "./state.js";

const MOST_ROWS = 10; // side by side
const MOST_CHANNELS = 6; // of an MR
const MOST_PANELS = 14; // browsers give a page 16 canvases of this kind
const page = Object.fromEntries([...document.querySelectorAll("[id]")].map((element) => [element.id, element]));
const state = readState(location.hash);
const panels = [];
let study, about, mask, labels; // the study, the case, its region of evaluation, the names of its labels
let turn = 0; // of the case that is wanted last
let linking = false;

const task = () => study.tasks[state.task];
const cases = () => [...task().test, ...task().others];
const isTest = () => task().test.includes(state.case);
const rows = () => (isTest() ? task().rows : []);
const channels = () => task().mr_channels ?? []; // their names; none of an MR of one image

// --- what is shown

function image(address) {
  const found = about.images[address] ?? { state: "missing", why: "not made of this case" };
  return { ...found, address: imageAddress(about.task, about.case, address) };
}

function overlay(of) {
  return state.segmenter ? image(`labels/${state.segmenter}/${of}`) : null;
}

function noteOf(labelMap) {
  return labelMap && state.overlay && labelMap.state !== "there" ? `no labels: ${labelMap.why}` : "";
}

// Without any CT the label maps themselves are what there is to see.
function labelMaps() {
  const labelMap = (title, of) => ({ kind: "labels", title, note: "", image: overlay(of), labels: null });
  return [labelMap("Real CT", "ct"), ...shownRows().map((row) => labelMap(row.label, row.run))];
}

function contents() {
  if (task().has_ct === false) return labelMaps();
  const real = overlay("ct");
  const list = [{ kind: "hu", title: "Real CT", note: noteOf(real), image: image("ct"), labels: real }];
  list.unshift(...mrs().map((mr) => ({ kind: "mr", title: mr.title, note: noteOf(real), image: image(mr.address), labels: real })));
  for (const row of shownRows()) {
    const own = overlay(row.run);
    const synthetic = { kind: "hu", title: row.label, note: noteOf(own), image: image(`row/${row.run}`), labels: own };
    const error = { kind: "error", title: row.label, note: "error", image: { ...synthetic.image, address: imageAddress(about.task, about.case, `error/${row.run}`) }, labels: null };
    list.push(...(!state.errors ? [synthetic] : state.all ? [error] : [synthetic, error]));
  }
  return list;
}

// The MR, or those of its channels that are chosen, under the addresses of afpbench.study.channels.
function mrs() {
  if (!task().has_mr) return [];
  const all = channels().map((name, index) => ({ name, title: `MR ${name}`, address: index ? `mr_${String(index).padStart(4, "0")}` : "mr" }));
  if (!all.length) return [{ title: "MR", address: "mr" }];
  return state.channel ? all.filter(({ name }) => name === state.channel) : all.slice(0, MOST_CHANNELS);
}

function mostRows() {
  return Math.min(MOST_ROWS, MOST_PANELS - 1 - mrs().length);
}

function shownRows() {
  if (!state.all) return rows().filter((row) => row.run === state.row);
  const first = Math.max(0, Math.min(rows().findIndex((row) => row.run === state.row), rows().length - mostRows()));
  return rows().slice(first, first + mostRows());
}

async function show() {
  if (!about) return; // a key before the first case is there
  writeState(state);
  markControls(page, state, { rows: rows(), task: task(), labels });
  describe();
  const list = contents();
  while (panels.length < list.length) panels.push(new Panel(page.panels, moved));
  panels.slice(list.length).forEach((panel) => panel.hide());
  arrange(list.length);
  await Promise.all(list.map((content, index) => panels[index].show(content, { state, labels })));
  arrange(list.length);
  const first = panels.find((panel) => panel.image);
  if (first?.content.kind === "labels") first.nv.moveCrosshairInVox(0, 0, 0); // to a voxel's centre: between two, which label?
  if (first) moved(first);
}

// The number of columns with which the images are largest; on a narrow page two, in rows as high as the images.
function arrange(count) {
  const aspect = panels.find((panel) => panel.image)?.aspect(state.plane) ?? 1;
  const { clientWidth: width, clientHeight: height } = page.panels;
  const size = (columns) => Math.min(width / columns - 20, (height / Math.ceil(count / columns) - 70) * aspect);
  const columns = [...Array(count).keys()].map((index) => index + 1);
  page.panels.style.setProperty("--columns", columns.reduce((best, next) => (size(next) > size(best) ? next : best), 1));
  page.panels.style.setProperty("--aspect", Math.max(0.5, Math.min(aspect, 2)));
}

function redraw() {
  writeState(state);
  markControls(page, state, { rows: rows(), task: task(), labels });
  panels.forEach((panel) => panel.draw({ state, labels }));
}

function describe() {
  const counts = Object.values(study.progress[state.task]);
  const sum = (name) => counts.reduce((total, count) => total + count[name], 0);
  const [there, failed, missing] = ["there", "failed", "missing"].map(sum);
  const lines = [], what = task().has_ct === false ? "label maps" : "synthetic CTs";
  if (missing) lines.push(`This task is not finished: ${there} of ${there + failed + missing} ${what} are there${failed ? `, ${failed} failed` : ""}.`);
  else if (failed) lines.push(`${failed} of ${there + failed} ${what} failed.`);
  if (about.failure) lines.push(`This case failed: ${about.failure}.`);
  else if (!isTest()) lines.push("This case trains or validates: no row is made of it.");
  if (state.all && rows().length > mostRows()) lines.push(`${mostRows()} of ${rows().length} rows are shown, from the chosen one on.`);
  if (!state.channel && channels().length > MOST_CHANNELS) lines.push(`${MOST_CHANNELS} of ${channels().length} channels of the MR are shown.`);
  page.notice.textContent = lines.join(" ");
  page.notice.hidden = !lines.length;
}

// --- cross-hair

function moved(panel) {
  if (linking || !panel.image) return;
  linking = true;
  try {
    panels.forEach((other) => other.follow(panel));
    readValues(panel.nv.frac2mm(panel.nv.scene.crosshairPos), panel);
  } finally {
    linking = false;
  }
}

function readValues(mm, panel) {
  const voxel = [...panel.image.mm2vox(mm)].map(Math.round);
  page.place.textContent = `voxel x ${voxel[0]}, y ${voxel[1]}, z ${voxel[2]}`;
  const inside = mask ? mask.getValue(...mask.mm2vox(mm)) !== 0 : true;
  for (const other of panels.filter((other) => other.image)) {
    const { value, label } = other.at(mm);
    const number = String(Math.round(value * 100) / 100).replace("-", "−");
    const signed = value > 0 ? `+${number}` : number;
    const words = { mr: number, hu: `${number} HU`, error: inside ? `${signed} HU` : "outside the region of evaluation", labels: "" };
    const name = (state.overlay || other.content.kind === "labels") && label ? labels.nameOf(label) : "";
    other.value.textContent = [words[other.content.kind], name].filter(Boolean).join(" · ");
    other.value.title = other.value.textContent;
  }
}

// By voxels of the screen: to the right, up, and through the slices. NiiVue's axes are R, A, S.
function step(right, up, through) {
  const panel = panels.find((panel) => panel.image);
  const axes = { coronal: [-right, through, up], sagittal: [through, right, up] };
  if (panel) panel.nv.moveCrosshairInVox(...(axes[state.plane] ?? [-right, up, through]));
}

// --- what a control or a key does

export const actions = {
  async task(name) {
    state.task = name;
    state.row = task().rows.some((row) => row.run === state.row) ? state.row : (task().reference ?? task().rows[0]?.run ?? "");
    if (!task().rows.some((row) => row.run === state.row)) state.row = task().rows[0]?.run ?? "";
    if (!channels().includes(state.channel)) state.channel = "";
    if (!(state.segmenter in task().segmenters)) state.segmenter = Object.keys(task().segmenters)[0] ?? "";
    labels = state.segmenter ? new Labels(task().segmenters[state.segmenter]) : null;
    fillControls(page, state, study);
    await actions.case(cases().includes(state.case) ? state.case : cases()[0]);
  },
  async case(name) {
    state.case = name;
    const wanted = ++turn;
    forgetFiles();
    const found = await fetchJson(caseAddress(state.task, name));
    const there = found.images.mask.state === "there";
    const region = there ? await openImage(imageAddress(state.task, name, "mask")) : null;
    if (wanted !== turn) return; // another one is wanted meanwhile
    about = { ...found, task: state.task };
    mask = region;
    await show();
  },
  async row(run) { state.row = run; await show(); },
  async segmenter(name) { state.segmenter = name; labels = new Labels(task().segmenters[name]); state.overlay = true; await show(); },
  async channel(name) { state.channel = name; await show(); },
  async errors() { state.errors = !state.errors; await show(); },
  async all() { state.all = !state.all; await show(); },
  async plane(name) { state.plane = name; await show(); },
  async overlay() { state.overlay = !state.overlay && labels !== null; await show(); },
  window(low, high) { if (high > low) Object.assign(state, { low, high }); redraw(); },
  limit(value) { state.limit = value; redraw(); },
  opacity(value) { Object.assign(state, { opacity: value, overlay: labels !== null }); redraw(); },
  structure(label) { if (!labels.hidden.delete(label)) labels.hidden.add(label); redraw(); },
  step,
  reset() {
    for (const panel of panels.filter((panel) => panel.image)) panel.nv.scene.pan2Dxyzmm = [0, 0, 0, 1];
    const first = panels.find((panel) => panel.image);
    if (!first) return;
    first.nv.scene.crosshairPos = [0.5, 0.5, 0.5];
    first.nv.drawScene();
    moved(first);
  },
  cases, rows, channels, planes: PLANES,
};

function report(error) {
  page.notice.hidden = false;
  page.notice.textContent = `${error.message} Is \`afpbench view\` still running?`;
}

listen(page, state, actions, report);
window.addEventListener("resize", () => arrange(panels.filter((panel) => !panel.root.hidden).length));
try {
  study = await fetchJson("study.json");
  document.title = `afpbench view: ${study.folder}`;
  const names = Object.keys(study.tasks);
  await actions.task(names.includes(state.task) ? state.task : names[0]);
  document.body.dataset.ready = "yes";
} catch (error) {
  report(error);
}
