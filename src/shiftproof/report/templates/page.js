(async function () {
  "use strict";
  const chart = document.getElementById("chart");
  const say = (text) => { chart.style.minHeight = "0"; chart.innerHTML = "<p class=muted></p>"; chart.firstChild.textContent = text; };
  if (!("DecompressionStream" in window)) { say("This browser is too old to draw the timeline; all else on this page is complete."); return; }

  const figure = JSON.parse(document.getElementById("figure").textContent);
  const packed = Uint8Array.from(atob(document.getElementById("plotly").textContent), (c) => c.charCodeAt(0));
  const text = await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  const script = document.createElement("script");
  script.nonce = document.getElementById("draw").nonce;
  script.textContent = text;
  document.head.appendChild(script);
  if (!window.Plotly) { say("The timeline could not be drawn; all else on this page is complete."); return; }

  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const narrow = window.matchMedia("(max-width: 640px)");

  /* Colours are names of CSS variables, so that one figure serves light, dark and print. */
  function coloured(value, style) {
    if (typeof value === "string") return value.replace(/var:(--[a-z-]+)/g, (_, name) => style.getPropertyValue(name).trim());
    if (Array.isArray(value)) return typeof value[0] === "number" ? value : value.map((one) => coloured(one, style));
    if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, coloured(v, style)]));
    return value;
  }

  /* A phone has no room for words beside the axis, and a finger that scrolls must not zoom. */
  function fitted(layout) {
    layout.height = layout.height || 760;
    layout.showlegend = false;
    layout.dragmode = narrow.matches ? false : "zoom";
    const step = (chart.clientWidth - layout.margin.l) / (figure.meta.end - figure.meta.start);
    for (const note of layout.annotations) {
      if (note.name === "phase" && note.text.length * 6.3 > note.width_ms * step) { note.textangle = -48; note.xanchor = "left"; layout.margin.t = 64; }
      delete note.width_ms;
    }
    if (narrow.matches) {
      layout.margin = { l: 66, r: 16, t: 86, b: 40 };
      layout.font.size = 10.5;
      const lanes = layout[figure.meta.lanes];
      lanes.ticktext = lanes.ticktext.map((word) => word.replace(" ", "<br>"));
      layout.annotations = layout.annotations.filter((note) => note.name !== "title" || (note.text = note.text.split(":")[0]));
      layout.annotations.forEach((note) => { if (note.name === "phase") { note.textangle = -62; note.font.size = 9.5; } });
    }
    return layout;
  }

  let range = null;
  function draw() {
    const style = getComputedStyle(document.documentElement);
    const layout = fitted(coloured(JSON.parse(JSON.stringify(figure.layout)), style));
    if (range) layout.xaxis.range = range;
    const config = { responsive: true, displaylogo: false, displayModeBar: false, scrollZoom: false };
    return window.Plotly.react(chart, coloured(figure.data, style), layout, config);
  }

  chart.innerHTML = "";
  await draw();
  const whole = figure.layout.xaxis.range.slice();
  const zoom = (from, to) => window.Plotly.relayout(chart, { "xaxis.range": [from, to] });
  chart.on("plotly_relayout", () => { range = chart.layout.xaxis.range.slice(); });
  chart.on("plotly_doubleclick", () => { zoom(whole[0], whole[1]); return false; });
  dark.addEventListener("change", draw);
  narrow.addEventListener("change", draw);
  window.matchMedia("print").addEventListener("change", draw);

  const first = document.querySelector("[data-zoom=first]");
  first.hidden = figure.meta.first_failure === null;
  first.addEventListener("click", () => zoom(figure.meta.first_failure - 2000, figure.meta.first_failure + 3000));
  document.querySelector("[data-zoom=all]").addEventListener("click", () => zoom(whole[0], whole[1]));
  for (const button of document.querySelectorAll("[data-from]")) {
    button.addEventListener("click", () => {
      zoom(Number(button.dataset.from), Number(button.dataset.to));
      document.getElementById("timeline").scrollIntoView({ behavior: "smooth" });
    });
  }
  window.addEventListener("beforeprint", () => { document.querySelectorAll("details").forEach((one) => { one.open = true; }); });
  document.documentElement.dataset.drawn = "yes";
})();
