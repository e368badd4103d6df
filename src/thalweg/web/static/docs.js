// The OpenAPI document, shown by Swagger UI in the colours of the page.

const dark = matchMedia("(prefers-color-scheme: dark)");

function recolour() {
  document.documentElement.classList.toggle("dark-mode", dark.matches);
}
dark.addEventListener("change", recolour);
recolour();

const box = document.getElementById("paths");
globalThis.SwaggerUIBundle({
  domNode: box,
  url: box.dataset.document,
  deepLinking: true,
  docExpansion: "none",
  defaultModelsExpandDepth: -1,
  filter: true,
  // Else the document would be sent to a validator on the internet.
  validatorUrl: null,
  // The page has its main part, and this stands in it.
  onComplete: () => box.querySelector("main")?.setAttribute("role", "presentation"),
});
