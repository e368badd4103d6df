// A map over the service's own base map, in the colours of the page, and what all maps here share.

import * as maplibregl from "./vendor/maplibre-gl.mjs";

export { maplibregl };

const here = new URL(import.meta.url);
export const root = here.pathname.replace(/\/static\/map\.js$/, "");
const dark = matchMedia("(prefers-color-scheme: dark)");
const FONT = ["Open Sans, DejaVu Sans, sans-serif"];
const MOST_ZOOM_OF_BASE = 8;

const COLOURS = {
  light: { sea: "#cfe0ea", land: "#f4f3ee", border: "#a9a79c", name: "#55605f", halo: "#ffffff" },
  dark: { sea: "#0d1b26", land: "#1e2a31", border: "#50616c", name: "#b4c2cb", halo: "#10191f" },
};

function colours() {
  return dark.matches ? COLOURS.dark : COLOURS.light;
}

function style() {
  const { sea, land, border, name, halo } = colours();
  return {
    version: 8,
    sources: {
      base: {
        type: "vector",
        tiles: [`${location.origin}${root}/basemap/{z}/{x}/{y}.mvt`],
        maxzoom: MOST_ZOOM_OF_BASE,
        attribution: "Natural Earth",
      },
    },
    layers: [
      { id: "sea", type: "background", paint: { "background-color": sea } },
      { id: "land", type: "fill", source: "base", "source-layer": "countries", paint: { "fill-color": land, "fill-antialias": false } },
      { id: "borders", type: "line", source: "base", "source-layer": "countries", paint: { "line-color": border, "line-width": ["interpolate", ["linear"], ["zoom"], 2, 0.6, 8, 1.6] } },
      {
        id: "names", type: "symbol", source: "base", "source-layer": "names",
        layout: { "text-field": ["get", "name"], "text-font": FONT, "text-size": ["interpolate", ["linear"], ["zoom"], 2, 10, 8, 16], "text-letter-spacing": 0.08, "text-max-width": 7 },
        paint: { "text-color": name, "text-halo-color": halo, "text-halo-width": 1.4 },
      },
    ],
  };
}

// The view of a link (`#zoom/latitude/longitude`) counts; else the map shows the bounds.
export function makeMap(container, bounds, options = {}) {
  const map = new maplibregl.Map({
    container, style: style(), bounds, fitBoundsOptions: { padding: 30 },
    maxZoom: 16, dragRotate: false, pitchWithRotate: false, touchPitch: false,
    attributionControl: false, hash: true, locale: { "Map.Title": container.dataset.title }, ...options,
  });
  map.touchZoomRotate.disableRotation();
  map.addControl(new maplibregl.NavigationControl({ showCompass: false }), "top-right");
  map.addControl(new maplibregl.AttributionControl({ compact: true }), "bottom-right");
  map.addControl(new maplibregl.ScaleControl(), "bottom-right");
  dark.addEventListener("change", () => recolour(map));
  // For tests, and for whoever looks at the page by its console.
  container.map = map;
  return map;
}

function recolour(map) {
  const { sea, land, border, name, halo } = colours();
  map.setPaintProperty("sea", "background-color", sea);
  map.setPaintProperty("land", "fill-color", land);
  map.setPaintProperty("borders", "line-color", border);
  map.setPaintProperty("names", "text-color", name);
  map.setPaintProperty("names", "text-halo-color", halo);
}

// Puts a slider over the periods in the place of the list of them, which stays for the form.
export function slider(select, changed) {
  if (!select || select.dataset.slid) return;
  select.dataset.slid = "yes";
  const values = [...select.options].map((option) => option.value);
  const box = document.createElement("div");
  box.className = "slider";
  const label = select.labels[0].textContent;
  box.innerHTML = `<label for="slider"></label><output for="slider"></output><input id="slider" type="range" min="0" step="1"><div class="ticks" aria-hidden="true"></div>`;
  const [name, output, input, ticks] = box.children;
  name.textContent = label;
  input.max = values.length - 1;
  input.value = select.selectedIndex;
  for (const value of values) {
    const tick = document.createElement("span");
    tick.textContent = value;
    ticks.append(tick);
  }
  const told = () => {
    output.textContent = select.options[input.value].textContent;
    input.setAttribute("aria-valuetext", output.textContent);
  };
  told();
  input.addEventListener("input", () => {
    select.selectedIndex = input.value;
    told();
    changed(values[input.value]);
  });
  // The form asks anew on changes of the choices below it, not of this one.
  input.addEventListener("change", (event) => event.stopPropagation());
  select.parentElement.hidden = true;
  select.parentElement.after(box);
}

// The page's address with some parameters set, or taken away where they are null.
export function address(changes) {
  const url = new URL(location.href);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) url.searchParams.delete(name);
    else url.searchParams.set(name, value);
  }
  history.replaceState(history.state, "", url);
}

// What is wrong with an answer, in words.
export async function told(response) {
  try {
    const body = await response.json();
    return `${body.message}. ${body.hint ? body.hint + ". " : ""}(${body.code}, request ${body.request_id})`;
  } catch {
    return `The service answered ${response.status} (request ${response.headers.get("X-Request-ID")}).`;
  }
}

export function numbers(text) {
  return text.split(",").map(Number);
}
