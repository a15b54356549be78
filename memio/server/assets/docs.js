"use strict";

// Everything is relative to this page, so that it works below any prefix.
const base = new URL(".", location.href);

fetch(new URL("openapi.json", base))
  .then((answer) => answer.json())
  .then((spec) => {
    spec.servers = [{ url: base.href, description: "This server." }];
    SwaggerUIBundle({
      spec,
      dom_id: "#docs",
      deepLinking: true,
      displayRequestDuration: true,
      tryItOutEnabled: true,
      validatorUrl: null,
    });
  })
  .catch((error) => {
    document.getElementById("docs").textContent = `openapi.json cannot be read: ${error}`;
  });
