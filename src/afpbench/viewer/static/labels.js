// Names and colours of a segmenter's labels: a structure has one colour, what is in none of them is grey.
// Colours: M. Okabe and K. Ito, Color Universal Design (2008), without black.

const COLOURS = ["#e69f00", "#56b4e9", "#009e73", "#cc79a7", "#f0e442", "#d55e00", "#0072b2", "#b8b800"];
const OTHER = "#8a8a8a";
export const OTHERS = "other labels";

export class Labels {
  constructor(segmenter) {
    this.names = new Map(Object.entries(segmenter.classes).map(([name, value]) => [value, name]));
    this.structures = segmenter.structures.map((structure, index) => ({
      label: structure.label, values: structure.values, colour: COLOURS[index % COLOURS.length],
    }));
    const grouped = new Set(this.structures.flatMap((structure) => structure.values));
    const values = [...this.names.keys()].filter((value) => value !== 0 && !grouped.has(value));
    if (values.length) this.structures.push({ label: OTHERS, values, colour: OTHER });
    this.hidden = new Set();
  }

  // The structure that a label is drawn as: the first that has it.
  structureOf(value) {
    return this.structures.find((structure) => structure.values.includes(value));
  }

  nameOf(value) {
    if (!value) return "";
    const name = this.names.get(value) ?? `label ${value}, which the study does not name`;
    const structures = this.structures.filter((structure) => structure.values.includes(value) && structure.label !== OTHERS);
    const groups = structures.map((structure) => structure.label).join(", ");
    return groups && groups !== name ? `${groups} (${name})` : name;
  }

  // As NiiVue takes colours of labels, up to the largest value of the image: it would paint larger ones over that.
  colourMap(largest) {
    const map = { R: [], G: [], B: [], A: [], I: [] };
    for (let value = 0; value <= largest; value++) {
      const structure = this.structureOf(value);
      const colour = structure?.colour ?? OTHER;
      [1, 3, 5].forEach((start, index) => map["RGB"[index]].push(parseInt(colour.slice(start, start + 2), 16)));
      map.A.push(value && !this.hidden.has(structure?.label ?? OTHERS) ? 255 : 0);
      map.I.push(value);
    }
    return map;
  }
}
