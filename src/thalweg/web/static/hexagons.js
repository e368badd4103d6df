// The hexagon explorer: cells of the resolution that suits the zoom, or the children of one cell.

import { address, makeMap, numbers, slider, told } from "./map.js";

const { h3, deck } = globalThis;
const MOST_CELLS = 10000;
const LISTED = 8;
const RAMPS = {
  water: ["#d9ecf8", "#90caf1", "#4a98db", "#265eb2", "#3e2d85", "#3a084a"],
  fire: ["#fbeccb", "#f9c784", "#f2934d", "#dd5a33", "#ac2a33", "#650d35"],
};
const shown = () => document.getElementById("shown");
const cellBox = document.getElementById("cell");
const list = document.getElementById("top");
let chosen = cellBox.dataset.cell || null;

function rgb(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

function colour(ramp, share) {
  const at = Math.min(Math.max(share, 0), 1) * (ramp.length - 1);
  const low = Math.floor(at), high = Math.min(low + 1, ramp.length - 1);
  const [from, to] = [rgb(ramp[low]), rgb(ramp[high])];
  return from.map((one, n) => Math.round(one + (to[n] - one) * (at - low)));
}

function number(value) {
  if (value === null || value === undefined) return "no data";
  return new Intl.NumberFormat("en", { maximumSignificantDigits: 4 }).format(value);
}

function unit(pane) {
  if (!pane.unit || pane.unit === "1") return "";
  return pane.unit === "building" || pane.unit === "pixel" ? ` ${pane.unit}s` : ` ${pane.unit}`;
}

// One map of one statistic, with its own data and its own key.
class Pane {
  constructor(container, ramp, options) {
    this.container = container;
    this.ramp = RAMPS[ramp];
    this.cells = [];
    this.map = makeMap(container, numbers(shown().dataset.bounds), options);
    this.overlay = new deck.MapboxOverlay({ interleaved: false, getTooltip: (picked) => this.tip(picked) });
    this.map.addControl(this.overlay);
    this.key = document.createElement("div");
    this.key.className = "key";
    this.key.setAttribute("aria-live", "polite");
    container.append(this.key);
    this.map.on("moveend", () => this.load());
  }

  async show(told) {
    this.told = told;
    await this.load();
  }

  wanted() {
    const query = new URLSearchParams({ ...this.told.cells, limit: MOST_CELLS });
    if (chosen) {
      const finest = Math.max(...this.told.resolutions);
      const resolution = Math.min(h3.getResolution(chosen) + 1, finest);
      const corners = h3.cellToBoundary(chosen);
      const [south, west] = [0, 1].map((n) => Math.min(...corners.map((one) => one[n])));
      const [north, east] = [0, 1].map((n) => Math.max(...corners.map((one) => one[n])));
      query.set("resolution", resolution);
      query.set("bbox", [west - 0.05, south - 0.05, east + 0.05, north + 0.05].join());
    } else {
      const box = this.map.getBounds();
      query.set("zoom", this.map.getZoom().toFixed(2));
      query.set("bbox", [
        Math.max(box.getWest(), -180), Math.max(box.getSouth(), -90),
        Math.min(box.getEast(), 180), Math.min(box.getNorth(), 90),
      ].map((one) => one.toFixed(5)).join());
    }
    return query;
  }

  async load() {
    if (!this.told) return;
    const asked = `${this.told.path}?${this.wanted()}`;
    if (asked === this.asked) return;
    this.asked = asked;
    const response = await fetch(asked);
    if (asked !== this.asked) return;
    if (response.ok) {
      const found = await response.json();
      this.fill(found);
    } else if (response.status === 404) {
      this.fill({ cells: [], columns: [], resolution: null, links: [] });
    } else {
      this.cells = [];
      this.key.textContent = await told(response);
    }
    this.draw();
    this.changed?.();
  }

  fill(found) {
    const column = found.columns[0]?.name;
    this.resolution = found.resolution;
    this.more = found.links.some((link) => link.rel === "next");
    this.cells = found.cells.map((cell) => ({ h3: cell.h3, value: cell[column] ?? null }));
    if (chosen && h3.getResolution(chosen) < this.resolution) {
      const above = h3.getResolution(chosen);
      this.cells = this.cells.filter((cell) => h3.cellToParent(cell.h3, above) === chosen);
    } else if (chosen) {
      this.cells = this.cells.filter((cell) => cell.h3 === chosen);
    }
    this.most = this.told.most[this.resolution] || Math.max(0, ...this.cells.map((one) => one.value));
    this.write();
  }

  share(value) {
    // Depths and counts are many small ones and few large ones.
    return this.most > 0 ? Math.sqrt(Math.max(value, 0) / this.most) : 0;
  }

  draw() {
    const layers = [new deck.H3HexagonLayer({
      id: "cells",
      data: this.cells.filter((cell) => cell.value !== null),
      getHexagon: (cell) => cell.h3,
      getFillColor: (cell) => [...colour(this.ramp, this.share(cell.value)), cell.value > 0 ? 215 : 70],
      getLineColor: [255, 255, 255, 90],
      lineWidthMinPixels: 0.5,
      extruded: false, stroked: true, filled: true, pickable: true, highPrecision: "auto",
      onClick: ({ object }) => object && choose(object.h3),
    })];
    if (chosen) {
      layers.push(new deck.PolygonLayer({
        id: "chosen", data: [h3.cellToBoundary(chosen, true)], getPolygon: (ring) => ring,
        filled: false, stroked: true, getLineColor: [194, 65, 12], lineWidthMinPixels: 3,
      }));
    }
    this.overlay.setProps({ layers });
  }

  write() {
    const { statistic, period } = this.told;
    const years = period ? `, once in ${number(period)} years` : "";
    const many = this.more ? `, the first ${number(this.cells.length)} cells: zoom in for all` : `, ${number(this.cells.length)} cell${this.cells.length === 1 ? "" : "s"}`;
    this.key.innerHTML = `<strong></strong><canvas width="200" height="1"></canvas><div class="ends"><span>0</span><span></span></div><div class="told"></div>`;
    this.key.children[0].textContent = statistic + years;
    this.key.querySelector(".ends").lastChild.textContent = number(this.most) + unit(this.told);
    this.key.querySelector(".told").textContent = this.resolution === null ? "no cells are here" : `resolution ${this.resolution}${many}`;
    const context = this.key.querySelector("canvas").getContext("2d");
    for (let x = 0; x < 200; x += 1) {
      context.fillStyle = `rgb(${colour(this.ramp, Math.sqrt(x / 199)).join()})`;
      context.fillRect(x, 0, 1, 1);
    }
  }

  tip({ object }) {
    return object && { text: `${number(object.value)}${unit(this.told)}\n${object.h3}` };
  }

  value(cell) {
    const held = this.cells.find((one) => one.h3 === cell);
    return held ? number(held.value) : "–";
  }

  get title() {
    return this.told.statistic + (unit(this.told) ? `,${unit(this.told)}` : "");
  }
}

const besideBox = document.getElementById("beside-map");
// Before the maps are made, that they fit what is shown into the room they have.
besideBox.hidden = !shown().dataset.beside;
const main = new Pane(document.getElementById("map"), "water");
let beside = null;

function choose(cell) {
  chosen = cell;
  address({ cell });
  if (cell) {
    const corners = h3.cellToBoundary(cell, true);
    const box = [0, 1].flatMap((n) => [Math.min(...corners.map((one) => one[n])), Math.max(...corners.map((one) => one[n]))]);
    main.map.fitBounds([[box[0], box[2]], [box[1], box[3]]], { padding: 60, maxZoom: 13, animate: !matchMedia("(prefers-reduced-motion: reduce)").matches });
  }
  reload();
}

function reload() {
  for (const pane of [main, beside]) {
    if (pane) pane.load();
  }
  tell();
}

function button(text, action) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "plain";
  made.textContent = text;
  made.addEventListener("click", action);
  return made;
}

function tell() {
  cellBox.replaceChildren();
  const words = document.createElement("p");
  cellBox.append(words);
  if (!chosen) {
    words.className = "quiet";
    words.textContent = "Click on a cell, or choose one below, for its children.";
    return;
  }
  const resolution = h3.getResolution(chosen);
  words.innerHTML = "<code></code> <span class='quiet'></span>";
  words.firstChild.textContent = chosen;
  const finest = resolution >= Math.max(...main.told.resolutions);
  words.lastChild.textContent = finest ? `resolution ${resolution}, the finest` : `its children, at resolution ${resolution + 1}`;
  const buttons = document.createElement("div");
  buttons.className = "buttons";
  if (resolution > Math.min(...main.told.resolutions)) {
    buttons.append(button("Up to its parent", () => choose(h3.cellToParent(chosen, resolution - 1))));
  }
  buttons.append(button("All cells", () => choose(null)));
  cellBox.append(buttons);
}

function rank() {
  const greatest = [...main.cells].filter((one) => one.value > 0).sort((a, b) => b.value - a.value).slice(0, LISTED);
  list.replaceChildren();
  if (!greatest.length) return;
  const table = document.createElement("table");
  table.className = "top-cells";
  table.innerHTML = "<caption class='quiet'>The greatest in view</caption><thead><tr><th scope='col'>Cell</th><th scope='col' class='n'></th></tr></thead><tbody></tbody>";
  table.querySelector("th.n").textContent = main.title;
  if (beside) {
    const head = document.createElement("th");
    head.scope = "col";
    head.className = "n";
    head.textContent = beside.told ? beside.title : "";
    table.tHead.rows[0].append(head);
  }
  for (const one of greatest) {
    const row = table.tBodies[0].insertRow();
    row.insertCell().append(button(one.h3, () => choose(one.h3)));
    for (const pane of beside ? [main, beside] : [main]) {
      const cell = row.insertCell();
      cell.className = "n";
      cell.textContent = pane.value(one.h3);
    }
  }
  list.append(table);
}

main.changed = rank;

function follow(from, to) {
  from.on("move", ({ followed }) => {
    if (!followed) to.jumpTo({ center: from.getCenter(), zoom: from.getZoom() }, { followed: true });
  });
}

function show() {
  const data = shown().dataset;
  besideBox.hidden = !data.beside;
  main.map.resize();
  main.show(JSON.parse(data.pane));
  if (data.beside) {
    if (!beside) {
      const { center, zoom } = { center: main.map.getCenter(), zoom: main.map.getZoom() };
      beside = new Pane(besideBox, "fire", { hash: false, bounds: undefined, center, zoom });
      beside.changed = rank;
      follow(main.map, beside.map);
      follow(beside.map, main.map);
    }
    beside.map.resize();
    beside.show(JSON.parse(data.beside));
  }
  tell();
  slider(document.getElementById("return_period"), () => {
    document.getElementById("return_period").dispatchEvent(new Event("change", { bubbles: true }));
  });
}

document.body.addEventListener("htmx:after:swap", () => {
  if (!shown().dataset.seen) start();
});

function start() {
  shown().dataset.seen = "yes";
  show();
}

main.map.once("load", start);
