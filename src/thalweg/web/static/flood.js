// The flood explorer: tiles of the chosen scenario and return period, and the depths at a click.

import { address, makeMap, maplibregl, numbers, slider } from "./map.js";

const shown = () => document.getElementById("shown");
const period = () => document.getElementById("return_period").value;
const place = document.getElementById("place");
const pin = new maplibregl.Marker({ color: "#c2410c" });

const map = makeMap(document.getElementById("map"), numbers(shown().dataset.bounds));

let bounds = null;

function tiles() {
  return [location.origin + shown().dataset.tiles.replace("{return_period}", period())];
}

function show() {
  const held = map.getSource("flood");
  if (held && bounds === shown().dataset.bounds) {
    held.setTiles(tiles());
    return;
  }
  if (held) {
    map.removeLayer("flood");
    map.removeSource("flood");
  }
  map.addSource("flood", {
    type: "raster", tiles: tiles(), tileSize: 256, bounds: numbers(shown().dataset.bounds),
  });
  bounds = shown().dataset.bounds;
  map.addLayer({
    id: "flood", type: "raster", source: "flood",
    paint: { "raster-resampling": "nearest", "raster-fade-duration": 150 },
  }, "borders");
}

function slid() {
  slider(document.getElementById("return_period"), (years) => {
    show();
    address({ return_period: years });
    for (const dot of document.querySelectorAll(".dot")) {
      dot.classList.toggle("now", dot.dataset.period === years);
    }
  });
}

function ask(lon, lat) {
  place.elements.lon.value = lon.toFixed(5);
  place.elements.lat.value = lat.toFixed(5);
  place.requestSubmit();
}

map.on("load", () => {
  show();
  map.on("click", ({ lngLat }) => ask(lngLat.wrap().lng, lngLat.lat));
});
map.getCanvas().style.cursor = "crosshair";
slid();

place.addEventListener("submit", () => {
  const lon = Number(place.elements.lon.value), lat = Number(place.elements.lat.value);
  pin.setLngLat([lon, lat]).addTo(map);
  address({ lon, lat });
});
const given = new URL(location.href).searchParams;
if (given.has("lon") && given.has("lat")) {
  pin.setLngLat([Number(given.get("lon")), Number(given.get("lat"))]).addTo(map);
}

document.body.addEventListener("htmx:after:swap", () => {
  if (!document.getElementById("return_period").dataset.slid) {
    slid();
    if (map.getLayer("land")) show();
    // The address is the form's now: the place belongs to it too, and has other depths.
    if (place.elements.lon.value) place.requestSubmit();
  }
});
