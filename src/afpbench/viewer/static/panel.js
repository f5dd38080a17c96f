// A panel: one image in a NiiVue canvas, with labels over it, a heading, and the value under the cross-hair.

import { fetchFile } from "./source.js";
import { PLANES } from "./state.js";

const { Niivue, NVImage } = globalThis.niivue; // a script that index.html loads first

export const ERROR_COLOURS = { R: [120, 20, 14, 220, 255], G: [200, 120, 14, 90, 210], B: [255, 220, 16, 20, 120] };
const LABEL_INTENT = 1002; // NIfTI's: NiiVue then takes voxels as names, and leaves 0 transparent
const NAME = "image.nii.gz"; // from whose ending NiiVue knows the format

const DRAG = { none: 0, pan: 3, crosshair: 8 }; // NiiVue's modes

// NiiVue links cross-hairs and zoom of canvases that have the focus; ours are linked whoever moves them.
class LinkedView extends Niivue {
  sync() { this.moved?.(); }
  wheelListener(event) {
    this.opts.dragMode = event.ctrlKey ? DRAG.pan : DRAG.none; // the wheel enlarges, or goes through the slices
    super.wheelListener(event);
  }
  resetBriCon() {} // a double click would give one image a window of its own
}

export async function openImage(address, options = {}) {
  const buffer = await fetchFile(address);
  return NVImage.loadFromUrl({ url: buffer, name: NAME, ...options });
}

export class Panel {
  constructor(parent, moved) {
    this.root = document.createElement("section");
    this.root.className = "panel";
    this.title = this.root.appendChild(document.createElement("h2"));
    const view = this.root.appendChild(document.createElement("div"));
    view.className = "view";
    const canvas = view.appendChild(document.createElement("canvas"));
    this.message = view.appendChild(document.createElement("p"));
    this.value = this.root.appendChild(document.createElement("div"));
    this.value.className = "value";
    parent.append(this.root);
    this.turn = 0;
    this.addresses = ["", ""]; // of the image and of the labels that are loaded
    this.nv = new LinkedView({
      isRadiologicalConvention: true, backColor: [0, 0, 0, 1], crosshairColor: [1, 0.85, 0.3, 0.9],
      crosshairWidthUnit: "percent", fontMinPx: 11, dragMode: DRAG.none,
      mouseEventConfig: { leftButton: { primary: DRAG.crosshair }, rightButton: DRAG.pan, centerButton: DRAG.pan },
      touchEventConfig: { singleTouch: DRAG.crosshair, doubleTouch: DRAG.pan }, isResizeCanvas: true, dragAndDropEnabled: false, logLevel: "error",
      viewModeHotKey: "", clipPlaneHotKey: "", cycleClipPlaneHotKey: "", loadingText: "", multiplanarShowRender: 0,
    });
    this.nv.moved = () => moved(this);
    this.nv.onLocationChange = () => moved(this);
    this.ready = this.nv.attachToCanvas(canvas).then(() => this.nv.addColormap("errors", { ...ERROR_COLOURS, A: [255, 255, 255, 255, 255], I: [0, 64, 128, 192, 255] }));
  }

  get image() { return this.nv.volumes[0]; }
  get labels() { return this.nv.volumes[1]; }

  // content: {kind: "mr" | "hu" | "error" | "labels", title, note, image: {address, state, why}, labels: the same or null}.
  async show(content, look) {
    const turn = ++this.turn;
    this.content = content;
    this.root.hidden = false;
    this.root.dataset.kind = content.kind;
    this.title.replaceChildren(content.title, Object.assign(document.createElement("small"), { textContent: content.note ? `  ${content.note}` : "" }));
    this.title.title = `${content.title} ${content.note}`;
    if (content.image.state !== "there") {
      this.clear();
      this.say(content.image.state === "failed" ? `failed: ${content.image.why}` : content.image.why, content.image.state);
      return;
    }
    const wanted = [content.image.address, content.labels?.state === "there" ? content.labels.address : ""];
    if (wanted.join() !== this.addresses.join()) {
      this.root.dataset.state = "loading";
      try {
        await this.ready;
        const loaded = await Promise.all(wanted.filter(Boolean).map((address) => openImage(address)));
        if (turn !== this.turn) return; // another image is wanted meanwhile
        loaded.slice(content.kind === "labels" ? 0 : 1).forEach((labels) => { labels.hdr.intent_code = LABEL_INTENT; });
        this.addresses = wanted;
        this.setVolumes(loaded);
      } catch (error) {
        if (turn !== this.turn) return;
        this.clear();
        this.say(error.message, "failed");
        return;
      }
    }
    this.say("", "there");
    this.draw(look);
  }

  // Window, colours and plane, without loading anything. look: {state, labels}.
  draw({ state, labels }) {
    if (!this.image) return;
    this.nv.opts.crosshairWidth = this.lineWidth(state.plane);
    this.nv.opts.sliceType = PLANES.indexOf(state.plane);
    this.nv.opts.isNearestInterpolation = this.content.kind === "labels";
    if (this.content.kind === "labels") this.image.setColormapLabel(labels.colourMap(this.image.global_max));
    else this.drawImage({ state, labels });
    this.nv.updateGLVolume();
  }

  // An image in its window, with the labels over it.
  drawImage({ state, labels }) {
    const ranges = { hu: [state.low, state.high], error: [-state.limit, state.limit], mr: [this.image.robust_min, this.image.robust_max] };
    this.image.colormap = this.content.kind === "error" ? "errors" : "gray"; // sets a window of its own
    [this.image.cal_min, this.image.cal_max] = ranges[this.content.kind];
    if (this.labels && labels) {
      this.labels.setColormapLabel(labels.colourMap(this.labels.global_max));
      this.labels.opacity = state.overlay ? state.opacity : 0;
    }
  }

  // The value at a place of the patient (mm): of the image, and of the labels.
  at(mm) {
    const [value, label] = [this.image, this.labels].map((volume) => volume && volume.getValue(...volume.mm2vox(mm)));
    return { value, label: this.content.kind === "labels" ? value : label };
  }

  // Width over height of what the panel shows.
  aspect(plane) {
    if (!this.image) return 1;
    const [x, y, z] = [1, 2, 3].map((axis) => this.image.dimsRAS[axis] * this.image.pixDimsRAS[axis]);
    return { axial: x / y, coronal: x / z, sagittal: y / z, all: (x + y) / (y + z) }[plane];
  }

  // In percent of the image's width, NiiVue's unit: a little more than a pixel, as thinner lines vanish.
  lineWidth(plane) {
    const { clientWidth, clientHeight } = this.nv.canvas;
    const pixels = Math.min(clientWidth, clientHeight * this.aspect(plane)) / (plane === "all" ? 1.6 : 1);
    return 140 / Math.max(pixels, 50);
  }

  follow(other) {
    if (!this.image || this === other) return;
    this.nv.scene.crosshairPos = this.nv.mm2frac(other.nv.frac2mm(other.nv.scene.crosshairPos));
    this.nv.scene.pan2Dxyzmm = [...other.nv.scene.pan2Dxyzmm];
    this.nv.drawScene();
  }

  hide() {
    this.turn++;
    this.clear();
    this.root.hidden = true;
  }

  clear() {
    this.addresses = ["", ""];
    this.setVolumes([]);
    this.value.replaceChildren();
  }

  setVolumes(volumes) {
    this.nv.volumes = volumes;
    this.nv.back = volumes[0] ?? null;
    this.nv.overlays = volumes.slice(1);
  }

  say(words, state) {
    this.root.dataset.state = state;
    this.message.textContent = words;
    this.message.className = state;
    this.message.hidden = !words;
  }
}
