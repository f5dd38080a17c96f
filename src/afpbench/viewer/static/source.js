// What the server has. The files of one case are kept, so that going through its rows asks for each of them once.

const files = new Map();

export async function fetchJson(address) {
  const response = await fetch(address);
  const content = await response.json();
  if (!response.ok) throw new Error(content.error);
  return content;
}

export function fetchFile(address) {
  if (!files.has(address)) files.set(address, loadFile(address));
  return files.get(address);
}

async function loadFile(address) {
  try {
    const response = await fetch(address);
    if (!response.ok) throw new Error((await response.json()).error);
    return await response.arrayBuffer();
  } catch (error) {
    files.delete(address); // asked for again, it may be there
    throw error;
  }
}

export function forgetFiles() {
  files.clear();
}

export const part = encodeURIComponent;

export function caseAddress(task, name) {
  return `case/${part(task)}/${part(name)}.json`;
}

export function imageAddress(task, name, image) {
  return `image/${part(task)}/${part(name)}/${image.split("/").map(part).join("/")}.nii.gz`;
}
